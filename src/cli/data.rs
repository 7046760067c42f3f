//! `ablate data`: look into a corpus.

use ablate::Result;
use std::process::ExitCode;

/// Look into a corpus.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
