//! `ablate generate`: sample text from a checkpoint.

use ablate::Result;
use std::process::ExitCode;

/// Sample text from a checkpoint.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
