//! `ablate schema`: print the JSON Schema of experiments or configurations.

use ablate::{Error, Result, settings, train::RunConfig};
use std::process::ExitCode;

/// Print the JSON Schema of experiments or configurations.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Which files it is for.
    #[arg(value_enum, default_value_t = What::Run)]
    what: What,
}

/// The kinds of file that users write. A further kind is a variant here, and a line in `schema` and in `explain.rs`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// Configurations of runs, as under `configs/`.
    Run,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let schema = match args.what {
        What::Run => settings::schema::<RunConfig>(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Error::input("schema", error.to_string(), "report this"))?;
    super::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
