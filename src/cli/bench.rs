//! `ablate bench`: measure a training step.

use ablate::Result;
use std::process::ExitCode;

/// Measure a training step.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
