//! `ablate export`: a model for other programs.

use ablate::{
    Result,
    data::Tokenizer,
    hub::Dtype,
    settings::Error,
    train::{
        Origin, Publishing,
        checkpoint::{self, Which},
        open_model, publish,
    },
};
use std::{path::PathBuf, process::ExitCode};

/// Write a model for other programs.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run, or of a model in the layout of Hugging Face.
    model: PathBuf,
    /// Which checkpoint of a run: newest, best, or the step of one that was kept.
    #[arg(long, default_value_t, value_name = "WHICH")]
    checkpoint: Which,
    /// Folder to write; MODEL-hf by default.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Type of the weights: f32, f16 or bf16; that of the files for a model in the layout of Hugging Face, else f32.
    #[arg(long, value_name = "TYPE")]
    dtype: Option<Dtype>,
    /// Architecture of transformers, by its model_type; by default the first that covers the model.
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let model = open_model(&args.model, args.checkpoint)?;
    let (tokenizer, stored) = match &model.origin {
        Origin::Run(_) => (Some(checkpoint::tokenizer(&args.model, args.checkpoint)?), Dtype::F32),
        Origin::Hub { files, dtype, .. } => (files.tokenizer.as_deref().map(Tokenizer::read).transpose()?, *dtype),
    };
    let out = args.out.unwrap_or_else(|| {
        let mut name = args.model.clone().into_os_string();
        name.push("-hf");
        name.into()
    });
    if out.exists() && out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::input(out.display(), "is there and not empty", "choose another --out, or delete the folder"));
    }
    let how = Publishing { source: &args.model, out: &out, dtype: args.dtype.unwrap_or(stored), family: args.family.as_deref() };
    let family = publish(model, tokenizer.as_ref(), how)?;
    super::print(&format!("{family}: {}\n", out.display()))?;
    Ok(ExitCode::SUCCESS)
}
