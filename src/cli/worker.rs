//! `ablate worker`: train one resolved run for a parent process.

use ablate::Result;
use std::process::ExitCode;

/// Train one resolved run for a parent process.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
