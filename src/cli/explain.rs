//! `ablate explain`: say what a configuration key means.

use ablate::Result;
use std::process::ExitCode;

/// Say what a configuration key means.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
