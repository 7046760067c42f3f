//! `ablate generate`: sample text from a checkpoint.

use ablate::{
    Result,
    device::DeviceName,
    eval::{Sampling, generate},
    settings::Error,
    train::{
        checkpoint::{self, Which},
        load_model,
    },
};
use std::{path::PathBuf, process::ExitCode};

/// Sample text from a checkpoint.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run.
    run: PathBuf,
    /// Which of its checkpoints: newest, best, or the step of one that was kept.
    #[arg(long, default_value_t, value_name = "WHICH")]
    checkpoint: Which,
    /// Text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Tokens to add.
    #[arg(long, default_value_t = 200, value_name = "N")]
    tokens: usize,
    /// Divides the logits; 0 takes the most likely token.
    #[arg(long, default_value_t = 0.8, value_name = "T")]
    temperature: f64,
    /// Draw from the most likely tokens that make up this probability.
    #[arg(long, default_value_t = 0.95, value_name = "P")]
    top_p: f64,
    /// Draw from so many of the most likely tokens; all by default.
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let Args { tokens, temperature, top_p, top_k, seed, .. } = args;
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return Err(Error::input("--temperature", format!("{temperature} is negative or no number"), "use 0 for the most likely token"));
    }
    if !(0.0..=1.0).contains(&top_p) {
        return Err(Error::input("--top-p", format!("{top_p} is no probability"), "use a number from 0 to 1"));
    }
    if top_k == Some(0) {
        return Err(Error::input("--top-k", "0 leaves no token to draw", "use 1 or more"));
    }
    let (spec, model) = load_model(&args.run, args.checkpoint, &args.device)?;
    let tokenizer = checkpoint::tokenizer(&args.run, args.checkpoint)?;
    let sampling = Sampling { tokens, temperature, top_p, top_k, seed, context: spec.model.context };
    println!("{}", generate(&model, &tokenizer, &args.prompt, &sampling));
    Ok(ExitCode::SUCCESS)
}
