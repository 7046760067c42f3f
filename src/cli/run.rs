//! `ablate run`: plan, train what is missing, compare, report.

use ablate::Result;
use std::process::ExitCode;

/// Plan, train what is missing, compare, report.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
