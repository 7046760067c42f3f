//! `ablate task`: train the run of one task of SLURM's.

use ablate::{
    Error, Result,
    experiment::{TaskEnd, task},
};
use std::{path::PathBuf, process::ExitCode};

/// Train the run of one task of SLURM's.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of the batch.
    #[arg(long, value_name = "DIR")]
    batch: PathBuf,
    /// Index of the task.
    #[arg(long, value_name = "N")]
    index: usize,
}

/// Runs the verb: 0 when the run finished, 3 when it diverged or failed, 130 when it will be continued.
pub fn run(args: Args) -> Result<ExitCode> {
    let program = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let code = match task(&args.batch, args.index, program)? {
        TaskEnd::Finished => 0,
        TaskEnd::Lost => 3,
        TaskEnd::Stopped(error) => {
            if let Some(error) = error {
                eprintln!("not queued again: {error}");
            }
            130
        }
    };
    Ok(ExitCode::from(code))
}
