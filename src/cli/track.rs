//! `ablate track`: what was logged, in the formats of other programs.

use ablate::{
    Result,
    report::{Format, Tracked, track},
};
use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

/// Convert what runs have logged to the format of another program, also while they go on.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of an experiment or of a run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// tensorboard, csv, jsonl; several are separated by commas.
    #[arg(long, value_name = "FORMAT", required = true, value_delimiter = ',')]
    to: Vec<Format>,
    /// Where to write [default: DIR].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Do it again every few seconds, until all runs have ended.
    #[arg(long)]
    follow: bool,
}

const PAUSE: Duration = Duration::from_secs(5);

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let convert = || args.to.iter().map(|format| track(&args.folder, *format, args.out.as_deref())).collect::<Result<Vec<_>>>();
    let mut tracked = convert()?;
    let lines = |Tracked { path, runs, .. }: &Tracked| {
        let plural = if *runs == 1 { "" } else { "s" };
        format!("{}: {runs} run{plural}\n", path.display())
    };
    super::print(&tracked.iter().map(lines).collect::<String>())?;
    while args.follow && tracked.iter().any(|tracked| tracked.goes_on) {
        thread::sleep(PAUSE);
        tracked = convert()?;
    }
    Ok(ExitCode::SUCCESS)
}
