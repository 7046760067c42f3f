//! `ablate report`: rebuild report and summary from the records.

use ablate::{Error, Result, experiment, report};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// Rebuild report and summary from the records.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of an experiment: what `ablate run` wrote.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the verb: 0 when all runs finished, 3 when some diverged or failed.
pub fn run(args: Args) -> Result<ExitCode> {
    let folder = args.folder;
    let advice = "give the folder of an experiment, e.g. runs/NAME, as `ablate run` prints it";
    if !folder.is_dir() {
        return Err(Error::input(folder.display(), "there is no such folder", advice));
    }
    if !folder.join("plan.json").is_file() {
        return Err(Error::input(folder.display(), "this is not an experiment's folder: it has no plan.json", advice));
    }
    let records = folder.join("records.jsonl");
    if !records.exists() || std::fs::metadata(&records).is_ok_and(|file| file.len() == 0) {
        return Err(Error::input(records.display(), "no run has ended yet: there are no records", "continue with `ablate run`"));
    }
    let summary = experiment::summarise(&folder)?;
    report::write(&folder, &summary)?;

    let terminal = std::io::stdout().is_terminal();
    let text = match terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
        true => report::terminal_coloured(&summary, None),
        false => report::terminal(&summary, None),
    };
    println!("{text}\n{}", folder.join("report.html").display());
    let lost = summary.arms.iter().any(|arm| arm.diverged + arm.failed > 0);
    Ok(ExitCode::from(if lost { 3 } else { 0 }))
}
