//! `ablate gc`: remove checkpoints that nothing will be continued from.

use super::text::bytes;
use ablate::{
    Result,
    experiment::{Tidied, clean, cleanable},
};
use std::{path::PathBuf, process::ExitCode};

/// Remove the checkpoints of runs that finished or diverged. Records, metrics and results stay.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of an experiment.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Keep each run's best checkpoint, or its last one where no best was kept.
    #[arg(long)]
    keep_best: bool,
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let found = if args.dry_run { cleanable(&args.folder, args.keep_best)? } else { clean(&args.folder, args.keep_best)? };
    let what = if args.dry_run { "would be removed" } else { "removed" };
    super::print(&format!("{}{} {what}\n", listed(&found), bytes(found.bytes as f64)))?;
    Ok(ExitCode::SUCCESS)
}

/// A line per folder.
pub(super) fn listed(tidied: &Tidied) -> String {
    tidied.folders.iter().map(|folder| format!("{folder}\n")).collect()
}
