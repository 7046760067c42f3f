//! `ablate data`: corpora, from raw files to what is trained on.

mod build;
mod inspect;
mod plan;
mod train;

use ablate::Result;
use std::process::ExitCode;

/// Make, plan and look into corpora.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Make clean documents, and token shards, as a recipe says.
    Build(build::Args),
    /// Show what a recipe reads and does, or how often a training configuration reads each source.
    Plan(plan::Args),
    /// Train the models that recipes judge by.
    Train(train::Args),
    /// Count documents, bytes and tokens; show licences and samples.
    Inspect(inspect::Args),
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.verb {
        Verb::Build(args) => build::run(args),
        Verb::Plan(args) => plan::run(args),
        Verb::Train(args) => train::run(args),
        Verb::Inspect(args) => inspect::run(args),
    }
}
