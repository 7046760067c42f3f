//! `ablate new`: write a commented experiment to start from.

use ablate::Result;
use std::process::ExitCode;

/// Write a commented experiment to start from.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
