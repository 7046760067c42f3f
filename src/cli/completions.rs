//! `ablate completions`: print a completion script for a shell.

use ablate::Result;
use std::process::ExitCode;

/// Print a completion script for a shell.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
