//! `ablate explain`: say what a configuration key means.

use ablate::{Result, settings, train::RunConfig};
use std::process::ExitCode;

/// Say what a configuration key means.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A dotted key, e.g. model.norm.kind; without it, the sections are listed.
    key: Option<String>,
    /// List every key instead.
    #[arg(long, conflicts_with = "key")]
    all: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let text = match args.key {
        _ if args.all => settings::keys::<RunConfig>().join("\n") + "\n",
        Some(key) => settings::explain::<RunConfig>(&key)?,
        None => format!("Keys of a run, explained by `ablate explain KEY`:\n\n{}", settings::sections::<RunConfig>()),
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
