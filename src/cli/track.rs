//! `ablate track`: metrics for experiment trackers, and as tables.

use ablate::{
    Result,
    report::track::{FOLDER, Format, Tracked, track},
};
use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

/// Write the metrics of runs for TensorBoard or MLflow, or as one table.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of an experiment or of a run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What to write: tensorboard, csv, jsonl, parquet, mlflow; may be repeated.
    #[arg(long, required = true, value_name = "FORMAT")]
    to: Vec<Format>,
    /// Where to write it.
    #[arg(long, value_name = "FOLDER", help = format!("Where to write it; {FOLDER} inside DIR by default"))]
    out: Option<PathBuf>,
    /// Write it again every few seconds, until no run goes on any more.
    #[arg(long)]
    follow: bool,
}

const PAUSE: Duration = Duration::from_secs(5);

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let Args { folder, to, out, follow } = args;
    let write = || to.iter().map(|format| track(&folder, *format, out.as_deref())).collect::<Result<Vec<Tracked>>>();
    let mut written = write()?;
    for (format, tracked) in to.iter().zip(&written) {
        let path = tracked.path.display();
        let show = match format {
            Format::TensorBoard => format!(", for tensorboard --logdir {path}"),
            Format::Mlflow => format!(", for mlflow ui --backend-store-uri {path}"),
            _ => String::new(),
        };
        let runs = if tracked.runs == 1 { "1 run".into() } else { format!("{} runs", tracked.runs) };
        super::print(&format!("{path}: {runs}{show}\n"))?;
    }
    while follow && written.iter().any(|tracked| tracked.goes_on) {
        thread::sleep(PAUSE);
        written = write()?;
    }
    Ok(ExitCode::SUCCESS)
}
