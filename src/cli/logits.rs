//! `ablate logits`: what a model makes of given tokens.

use ablate::{
    Result,
    device::DeviceName,
    eval::{Arithmetic, Evaluated, IGNORED, logits},
    hub::{self, Dtype, Family, Layout, Shards, Written, write_safetensors},
    model::{ModelSpec, Weights},
    settings::Error,
    train::{Origin, checkpoint::Which, open_model},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Write the logits, loss and gradients of given tokens, to hold them against another implementation.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run, or of a model in the layout of Hugging Face.
    model: PathBuf,
    /// Which checkpoint of a run: newest, best, or the step of one that was kept.
    #[arg(long, default_value_t, value_name = "WHICH")]
    checkpoint: Which,
    /// Safetensors with `input_ids` `[batch, seq]` and, for the loss, `labels` of the same shape; labels of -100 do not count.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where `logits` `[batch, seq, vocab]` and `loss` are written, as safetensors.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Where the gradients of the loss are written, under the names that Hugging Face has for the parameters.
    #[arg(long, value_name = "FILE")]
    grads: Option<PathBuf>,
    /// Arithmetic: f32, f64, or bf16 for the operands of matrix products.
    #[arg(long, default_value = "f32", value_name = "TYPE")]
    dtype: Arithmetic,
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let opened = open_model(&args.model, args.checkpoint)?;
    let spec = opened.spec.clone();
    let family = match &opened.origin {
        Origin::Hub { family, .. } => Some(*family),
        Origin::Run(..) => hub::families().iter().copied().find(|family| family.covers(&spec).is_ok_and(|(_, covered)| covered == spec)),
    };
    let input = Input::read(&args.input, &spec)?;
    if args.grads.is_some() && input.labels.is_none() {
        let help = "add `labels`, of the shape of `input_ids`; often they are the same";
        return Err(Error::input(args.input.display(), "holds no labels, and gradients are those of a loss", help));
    }
    let device = if args.grads.is_some() { args.device.train_device()? } else { args.device.open()? };
    let model = opened.build(&device)?;
    let [batch, seq] = input.shape;
    let Evaluated { logits, loss, gradients } =
        logits(&model, &input.tokens, input.labels.as_deref(), seq, args.grads.is_some(), args.dtype);
    let loss: Vec<f64> = loss.into_iter().collect();
    let mut tensors = match args.dtype {
        Arithmetic::F64 => vec![Written::exact("logits", vec![batch, seq, spec.vocab], &logits)],
        Arithmetic::F32 | Arithmetic::Bf16 => {
            let rounded = || logits.iter().map(|logit| *logit as f32).collect();
            vec![Written::new("logits", vec![batch, seq, spec.vocab], Dtype::F32, rounded)]
        }
    };
    if !loss.is_empty() {
        tensors.push(Written::exact("loss", vec![], &loss));
    }
    write_safetensors(&args.output, &tensors)?;
    if let (Some(path), Some(gradients)) = (&args.grads, &gradients) {
        write_gradients(path, &spec, family, gradients)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Under the names of the family that the model is of, or that covers it; under our own where there is none.
fn write_gradients(path: &Path, spec: &ModelSpec, family: Option<&Family>, gradients: &Weights) -> Result<()> {
    let layout = family.map_or_else(|| Layout::own(spec), |family| family.tensors(spec));
    write_safetensors(path, &layout.written(gradients, Dtype::F32))
}

/// What the input file holds.
struct Input {
    shape: [usize; 2],
    tokens: Vec<i64>,
    labels: Option<Vec<i64>>,
}

impl Input {
    fn read(path: &Path, spec: &ModelSpec) -> Result<Self> {
        let file = Shards::file(path)?;
        let wrong = |message: String, help: &str| Err(Error::input(path.display(), message, help));
        let tokens = file.integers("input_ids")?;
        let &[batch, seq] = file.shape("input_ids").unwrap_or_default() else {
            return wrong(format!("input_ids is {:?}", file.shape("input_ids").unwrap_or_default()), "its shape must be [batch, seq]");
        };
        if batch * seq == 0 {
            return wrong("input_ids is empty".into(), "give at least one token");
        }
        if let Some(limit) = spec.context_limit().filter(|limit| seq > *limit) {
            return wrong(format!("has {seq} tokens in a row, and the model has positions for {limit}"), "cut the rows");
        }
        let known = |token: &i64| (0..spec.vocab as i64).contains(token);
        if let Some(token) = tokens.iter().find(|token| !known(token)) {
            return wrong(format!("token {token} is not below the vocabulary ({})", spec.vocab), "take the tokenizer of the model");
        }
        let labels = file.shape("labels").is_some().then(|| file.integers("labels")).transpose()?;
        if let Some(labels) = &labels {
            if file.shape("labels") != file.shape("input_ids") {
                return wrong(format!("labels is {:?}, input_ids {:?}", file.shape("labels"), [batch, seq]), "give them one shape");
            }
            if let Some(label) = labels.iter().find(|label| **label != IGNORED && !known(label)) {
                return wrong(format!("label {label} is no token"), "write -100 for labels that do not count");
            }
            if !labels.chunks(seq).any(|row| row[1..].iter().any(|label| *label != IGNORED)) {
                return wrong("no label counts".into(), "the first of a row never does: nothing comes before it");
            }
        }
        Ok(Self { shape: [batch, seq], tokens, labels })
    }
}
