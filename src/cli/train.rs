//! `ablate train`: train one configuration.

use ablate::Result;
use std::process::ExitCode;

/// Train one configuration.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
