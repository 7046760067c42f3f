//! SLURM's own programs: what is queued, what became of a task.

use crate::{
    experiment::Cause,
    settings::{Error, Result},
};
use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

/// States of the tasks of all of the user's array jobs, by job and index.
pub type Queue = BTreeMap<(String, usize), String>;

/// What waits or runs.
///
/// # Errors
///
/// SLURM does not answer.
pub fn queue() -> Result<Queue> {
    Ok(parse(&ask("squeue", &["--me", "--noheader", "--array", "--format=%F|%K|%T|%R"])?))
}

fn parse(text: &str) -> Queue {
    let line = |line: &str| {
        let mut fields = line.trim().splitn(4, '|');
        let (job, index, state, reason) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
        let reason = reason.trim_matches(['(', ')']);
        let state = if reason.is_empty() || reason == "None" { state.to_string() } else { format!("{state} ({reason})") };
        Some(((job.to_string(), index), state))
    };
    text.lines().filter_map(line).collect()
}

/// Why a task is no longer in the queue, as far as SLURM still knows.
pub fn fate(job: &str, index: usize) -> (Cause, String) {
    let name = format!("{job}_{index}");
    let accounted = ask("sacct", &["--noheader", "--parsable2", "--allocations", "--format=State", "--jobs", &name]).unwrap_or_default();
    let state = accounted.lines().next().map(str::trim).filter(|state| !state.is_empty()).map(String::from).or_else(|| {
        let shown = ask("scontrol", &["--oneliner", "show", "job", &name]).ok()?;
        shown.split_whitespace().find_map(|word| word.strip_prefix("JobState=")).map(String::from)
    });
    let cause = match state.as_deref() {
        Some(state) if state.starts_with("OUT_OF_ME") => Cause::OutOfMemory,
        Some(state) if state.starts_with("CANCELLED") => Cause::Cancelled,
        _ => Cause::Killed,
    };
    let state = state.map_or("SLURM no longer knows it".into(), |state| format!("its state in SLURM is {state}"));
    (cause, format!("task {name} ended without a record: {state}"))
}

/// Submits a script; answers with the number of the job.
///
/// # Errors
///
/// SLURM does not take it.
pub fn submit(options: &[String], script: &str) -> Result<String> {
    let mut arguments: Vec<&str> = vec!["--parsable"];
    arguments.extend(options.iter().map(String::as_str));
    arguments.push(script);
    let answer = ask("sbatch", &arguments)?;
    // With several clusters: NUMBER;CLUSTER.
    Ok(answer.trim().split(';').next().unwrap_or_default().to_string())
}

/// Puts a running task back into the queue.
///
/// # Errors
///
/// SLURM does not do it.
pub fn requeue(task: &str) -> Result<()> {
    ask("scontrol", &["requeue", task]).map(drop)
}

fn ask(program: &str, arguments: &[&str]) -> Result<String> {
    let help = "check that SLURM's commands work here (`sinfo`), and the options in --slurm-args";
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // What the job around this process was given is not what the next one gets.
    let of_this_job = |name: &str| name.starts_with("SLURM_") && !["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_TIME_FORMAT"].contains(&name);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_this_job) {
            command.env_remove(name);
        }
    }
    let output = command.output();
    let output = output.map_err(|error| Error::input(program, format!("cannot be started: {error}"), help))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        return Err(Error::input(program, if said.is_empty() { output.status.to_string() } else { said }, help));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_squeue() {
        let text = "12|0|RUNNING|node1\n12|3|PENDING|(Priority)\n13|N/A|PENDING|(Dependency)\n12|4|COMPLETING|\n\nnoise\n";
        let queue = parse(text);
        let found: Vec<(usize, &str)> = queue.iter().map(|((_, index), state)| (*index, state.as_str())).collect();
        assert_eq!(found, [(0, "RUNNING (node1)"), (3, "PENDING (Priority)"), (4, "COMPLETING")]);
    }

    #[test]
    fn programs_that_are_not_there_are_named() {
        let error = ask("no-such-scheduler", &[]).unwrap_err().to_string();
        assert!(error.contains("no-such-scheduler") && error.contains("sinfo"), "{error}");
    }
}
