//! `ablate report`: rebuild report and summary from the records.

use ablate::Result;
use std::process::ExitCode;

/// Rebuild report and summary from the records.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
