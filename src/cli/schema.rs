//! `ablate schema`: print the JSON Schema of experiments or configurations.

use ablate::Result;
use std::process::ExitCode;

/// Print the JSON Schema of experiments or configurations.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let _ = args;
    todo!()
}
