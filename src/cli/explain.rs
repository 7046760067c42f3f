//! `ablate explain`: say what a configuration key means.

use ablate::{Result, experiment::ExperimentConfig, settings, train::RunConfig};
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
        _ if args.all => [settings::keys::<RunConfig>(), settings::keys::<ExperimentConfig>()].concat().join("\n") + "\n",
        Some(key) if of_experiments(&key) => settings::explain::<ExperimentConfig>(&key)?,
        Some(key) => settings::explain::<RunConfig>(&key)?,
        None => format!(
            "Keys of a run, explained by `ablate explain KEY`:\n\n{}\nKeys of an experiment:\n\n{}",
            settings::sections::<RunConfig>(),
            settings::sections::<ExperimentConfig>()
        ),
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a key begins as those of experiments do, or is spelt nearly so and like none of a run; runs and experiments share no
/// section.
fn of_experiments(key: &str) -> bool {
    let first = key.split(['.', '[']).next().unwrap_or(key);
    settings::keys::<ExperimentConfig>().iter().any(|known| known == first)
        || settings::near::<RunConfig>(key).is_empty() && !settings::near::<ExperimentConfig>(key).is_empty()
}
