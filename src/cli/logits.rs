//! `ablate logits`: what a model makes of given tokens.

use ablate::{
    Result,
    device::DeviceName,
    eval::{Arithmetic, Evaluated, IGNORED, logits},
    hub::{self, Dtype, Layout, Shards, Written, write_safetensors},
    model::{ModelSpec, Transformer},
    settings::Error,
    train::{Opened, Origin, checkpoint::Which, open_model},
};
use burn::tensor::Device;
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
    /// Where the gradients of the loss are written, under the names and in the form that Hugging Face has for the parameters.
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
    let vocab = opened.spec.vocab;
    let input = Input::read(&args.input, &opened.spec)?;
    if args.grads.is_some() && input.labels.is_none() {
        let help = "add `labels`, of the shape of `input_ids`; often they are the same";
        return Err(Error::input(args.input.display(), "holds no labels, and gradients are those of a loss", help));
    }
    let (model, layout) = match args.grads {
        Some(_) => published(opened, &args.device.train_device()?).map(|(model, layout)| (model, Some(layout)))?,
        None => (opened.build(&args.device.open()?)?, None),
    };
    let [batch, seq] = input.shape;
    let Evaluated { logits, loss, gradients } =
        logits(&model, &input.tokens, input.labels.as_deref(), seq, args.grads.is_some(), args.dtype);
    let loss: Vec<f64> = loss.into_iter().collect();
    let dtype = if args.dtype == Arithmetic::F64 { Dtype::F64 } else { Dtype::F32 };
    let mut tensors = vec![Written::new("logits", vec![batch, seq, vocab], dtype, || logits.clone())];
    if !loss.is_empty() {
        tensors.push(Written::exact("loss", vec![], &loss));
    }
    write_safetensors(&args.output, &tensors)?;
    if let (Some(path), Some(layout), Some(gradients)) = (&args.grads, &layout, &gradients) {
        write_safetensors(path, &layout.written(gradients, dtype))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A model and where its tensors lie, as an export has them: with the order of rotating channels, and the biases of zero, of the
/// first family that covers it. A model that none covers stays as it is, under names of its own.
fn published(opened: Opened, device: &Device) -> Result<(Transformer, Layout)> {
    let spec = opened.spec.clone();
    if let Origin::Hub { family, .. } = opened.origin {
        return Ok((opened.build(device)?, family.tensors(&spec)));
    }
    let Some(family) = hub::families().iter().find(|family| family.covers(&spec).is_ok()) else {
        eprintln!("note: no architecture of transformers covers this model: gradients have the names of its own parameters");
        return Ok((opened.build(device)?, Layout::own(&spec)));
    };
    let exported = hub::export(&spec, opened.weights()?, Some(family.model_type))?;
    let layout = family.tensors(&exported.spec);
    Ok((exported.spec.build_from(exported.weights, device), layout))
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
