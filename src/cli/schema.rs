//! `ablate schema`: print the JSON Schema of experiments, configurations or recipes.

use super::text::json;
use ablate::{Result, data::recipe::Recipe, experiment::ExperimentConfig, settings, train::RunConfig};
use std::process::ExitCode;

/// Print the JSON Schema of experiments, configurations or recipes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Which files it is for.
    #[arg(value_enum, default_value_t = What::Experiment)]
    what: What,
}

/// The kinds of file that users write.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// Experiments, as under `experiments/`.
    Experiment,
    /// Configurations of runs, as under `configs/`.
    Run,
    /// Recipes of data, as under `configs/data/`.
    Recipe,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let schema = match args.what {
        What::Experiment => settings::schema::<ExperimentConfig>(),
        What::Run => settings::schema::<RunConfig>(),
        What::Recipe => settings::schema::<Recipe>(),
    };
    super::print(&json("schema", &schema)?)?;
    Ok(ExitCode::SUCCESS)
}
