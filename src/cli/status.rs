//! `ablate status`: how an experiment stands.

use super::text::{self, duration, right};
use ablate::{
    Error, Result,
    experiment::{RunState, RunStatus, Status, status},
};
use comfy_table::Cell;
use std::{io::IsTerminal, path::PathBuf, process::ExitCode, thread, time::Duration};

/// Show how an experiment stands: progress, time left, failures, verdicts so far.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of an experiment: what `ablate run` writes.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Show it again every few seconds, until nothing goes on any more.
    #[arg(long)]
    watch: bool,
    /// Print it as JSON, one line each time.
    #[arg(long)]
    json: bool,
}

const PAUSE: Duration = Duration::from_secs(2);
/// Failures that are told at most: the last ones.
const FAILURES: usize = 10;

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let in_place = args.watch && !args.json && std::io::stdout().is_terminal();
    loop {
        let status = status(&args.folder)?;
        let text = if args.json {
            serde_json::to_string(&status).map_err(|error| Error::input("status", error.to_string(), "report this"))? + "\n"
        } else {
            // Home, the text, and nothing of what was below it.
            if in_place { format!("\x1b[H\x1b[2J{}", table(&status)) } else { table(&status) }
        };
        super::print(&text)?;
        if !args.watch || !status.goes_on() {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(PAUSE);
    }
}

fn count(status: &Status, state: RunState) -> usize {
    status.runs.iter().filter(|run| run.state == state).count()
}

fn table(status: &Status) -> String {
    let mut table = text::table(&["arm", "done", "training", "waiting", "lost", "so far"]);
    for (arm, verdict) in &status.verdicts {
        let of = |states: &[RunState]| status.runs.iter().filter(|run| run.arm == *arm && states.contains(&run.state)).count();
        let number = |count: usize| right(if count == 0 { String::new() } else { count.to_string() });
        table.add_row([
            Cell::new(arm),
            number(of(&[RunState::Finished])),
            number(of(&[RunState::Running])),
            number(of(&[RunState::Waiting, RunState::Queued, RunState::Stopped])),
            number(of(&[RunState::Diverged, RunState::Failed])),
            Cell::new(verdict),
        ]);
    }
    let mut lines = vec![headline(status), table.to_string()];
    let running: Vec<String> = status.runs.iter().filter(|run| run.state == RunState::Running).map(line).collect();
    lines.extend(section("training", running));
    let lost = |run: &&RunStatus| matches!(run.state, RunState::Failed | RunState::Diverged);
    let lost: Vec<String> = status.runs.iter().filter(lost).map(failure).collect();
    lines.extend(section("lost", last(lost)));
    lines.extend(status.slurm_error.iter().map(|error| format!("warning: SLURM could not be asked: {error}")));
    lines.extend(status.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n") + "\n"
}

fn headline(status: &Status) -> String {
    let done = count(status, RunState::Finished) + count(status, RunState::Diverged);
    let who = match (status.slurm.as_slice(), status.conducted, count(status, RunState::Running)) {
        ([], false, 0) if done == status.runs.len() => "done".into(),
        ([], false, 0) => "nobody trains it; `ablate run` continues".into(),
        ([], ..) => "going on".into(),
        (jobs, ..) => format!("SLURM job {}", jobs.join(", ")),
    };
    let left = status.seconds_left.filter(|_| done < status.runs.len()).map(|left| format!(", about {} left", duration(left)));
    format!("{}: {done} of {} runs done, {who}{}", status.name, status.runs.len(), left.unwrap_or_default())
}

fn section(name: &str, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        vec![]
    } else {
        std::iter::once(format!("{name}:")).chain(lines.into_iter().map(|line| format!("  {line}"))).collect()
    }
}

/// The last of these lines, and how many came before.
fn last(lines: Vec<String>) -> Vec<String> {
    let before = lines.len().saturating_sub(FAILURES);
    let more = (before > 0).then(|| format!("and {before} more before these; --json tells all"));
    lines.into_iter().skip(before).chain(more).collect()
}

fn line(run: &RunStatus) -> String {
    let mut parts = vec![run.name.clone()];
    parts.push(match run.steps {
        Some(steps) => format!("step {} of {steps}", run.step),
        None => format!("step {}", run.step),
    });
    parts.extend(run.loss.map(|loss| format!("loss {loss:.3}")));
    parts.extend(run.tokens_per_second.map(|speed| format!("{speed:.0} tokens/s")));
    parts.extend(run.seconds_left.map(|left| format!("{} left", duration(left))));
    parts.extend(run.queue.clone());
    parts.join(", ")
}

fn failure(run: &RunStatus) -> String {
    let how = match run.cause {
        Some(cause) => cause.to_string(),
        None if run.state == RunState::Diverged => "diverged".into(),
        None => "failed".into(),
    };
    let attempts = if run.attempts > 1 { format!(" after {} attempts", run.attempts) } else { String::new() };
    // The last line of a log is where the message is.
    let reason = run.reason.as_deref().unwrap_or_default().lines().last().unwrap_or_default().trim();
    format!("{}{attempts}: {how}: {reason}", run.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_are_not_shown_are_counted() {
        let lines = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
        assert_eq!(last(lines(FAILURES)), lines(FAILURES));
        let shown = last(lines(FAILURES + 3));
        assert_eq!((shown.len(), shown[0].as_str()), (FAILURES + 1, "3"));
        assert_eq!(shown[FAILURES], "and 3 more before these; --json tells all");
    }
}
