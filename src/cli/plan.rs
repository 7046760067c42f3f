//! `ablate plan`: check an experiment and show its arms without training.

use ablate::Result;
use std::process::ExitCode;

/// Check an experiment and show its arms without training.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
