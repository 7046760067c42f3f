//! `ablate rm`: remove an arm's runs and their records.

use super::{gc::listed, text::bytes};
use ablate::{
    Result,
    experiment::{removable, remove},
};
use std::{path::PathBuf, process::ExitCode};

/// Remove the runs of an arm with their records; a later `ablate run` trains them again.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of an experiment.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The arm.
    #[arg(value_name = "ARM")]
    arm: String,
    /// Only the run of this seed.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Remove; without it, only say what would be.
    #[arg(long)]
    yes: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let found = if args.yes { remove(&args.folder, &args.arm, args.seed)? } else { removable(&args.folder, &args.arm, args.seed)? };
    let what = if args.yes { "removed, with their records" } else { "would be removed, with their records, with --yes" };
    super::print(&format!("{}{} {what}\n", listed(&found), bytes(found.bytes as f64)))?;
    Ok(ExitCode::SUCCESS)
}
