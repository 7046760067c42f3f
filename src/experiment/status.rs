//! How an experiment stands, from its files alone, while it runs or afterwards.

use super::{
    Cause, Job, Plan, Record, RunLock, Stage, Store,
    launch::waiting,
    progress::{Progress, progress},
    verdict::summary,
};
use crate::{settings::Result, stats, train::Outcome};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// How an experiment stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Name.
    pub name: String,
    /// Whether a process conducts it, as far as the file system knows locks.
    pub conducted: bool,
    /// Numbers of the array jobs that SLURM has of it.
    pub slurm: Vec<String>,
    /// Why SLURM could not be asked, if there was something to ask.
    pub slurm_error: Option<String>,
    /// Every run that is asked for by what is on record: those that tune or time first, then seed by seed.
    pub runs: Vec<RunStatus>,
    /// Seconds until all runs have ended, with as many at a time as now; none if unknown.
    pub seconds_left: Option<f64>,
    /// What the runs so far say: arm and verdict in words.
    pub verdicts: Vec<(String, String)>,
    /// What makes that less than it seems.
    pub warnings: Vec<String>,
}

impl Status {
    /// Whether something works on the experiment: a process, SLURM, or a run that was left training.
    pub fn goes_on(&self) -> bool {
        self.conducted || !self.slurm.is_empty() || self.runs.iter().any(|run| run.state == RunState::Running)
    }
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunStatus {
    /// Arm.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// What it is for.
    pub stage: Stage,
    /// All of this for people: `rms seed 3`.
    pub name: String,
    /// Folder, relative to the experiment's.
    pub folder: String,
    /// Where it stands.
    pub state: RunState,
    /// Optimizer steps done.
    pub step: usize,
    /// Of how many.
    pub steps: Option<usize>,
    /// Training loss of the last logged step, in nats.
    pub loss: Option<f64>,
    /// Recent speed.
    pub tokens_per_second: Option<f64>,
    /// Seconds to its end at its recent pace, if it trains.
    pub seconds_left: Option<f64>,
    /// Attempts that ended.
    pub attempts: u32,
    /// Why the last attempt failed, if it did.
    pub cause: Option<Cause>,
    /// The same in words, or why it diverged.
    pub reason: Option<String>,
    /// What SLURM says of it.
    pub queue: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A process trains it.
    Running,
    /// SLURM has it in its queue.
    Queued,
    /// It has begun, and nobody trains it: it would be continued.
    Stopped,
    /// It has not begun.
    Waiting,
    /// Done.
    Finished,
    /// Diverged.
    Diverged,
    /// Its last attempt failed.
    Failed,
}

/// How the experiment in a folder stands.
///
/// # Errors
///
/// A folder without a plan, damaged files.
pub fn status(folder: &Path) -> Result<Status> {
    let store = Store::open(folder)?;
    let file = store.written_plan()?;
    let records = store.records()?;
    let (queue, submitted, slurm_error) = match waiting(folder, &records) {
        Ok((queue, submitted)) => (queue, submitted.jobs, None),
        Err(error) => (BTreeMap::new(), vec![], Some(error.to_string())),
    };
    let jobs = file.current.jobs(&records);
    let runs: Vec<RunStatus> = jobs.iter().map(|job| run(folder, job, &records, queue.get(&job.folder))).collect();
    let seconds_left = seconds_left(&file.current, &runs, &records);
    let summary = summary(&file, &records);
    Ok(Status {
        name: file.current.name.clone(),
        conducted: store.is_held(),
        slurm: submitted,
        slurm_error,
        runs,
        seconds_left,
        verdicts: summary.arms.iter().map(|arm| (arm.name.clone(), arm.verdict_text.clone())).collect(),
        warnings: summary.warnings,
    })
}

fn run(folder: &Path, job: &Job, records: &[Record], queue: Option<&String>) -> RunStatus {
    let last = records.iter().rfind(|record| record.of(job));
    let folder = folder.join(&job.folder);
    let of_job = std::fs::read_to_string(folder.join("spec.id")).is_ok_and(|id| id == job.id);
    let progress = if of_job { progress(&folder) } else { None };
    let ended = last.map(|record| record.result.outcome).filter(|outcome| outcome.is_final());
    let state = match ended {
        Some(Outcome::Finished) => RunState::Finished,
        Some(_) => RunState::Diverged,
        // A file system without locks knows nobody who holds one; SLURM knows its tasks.
        None if of_job && RunLock::is_held(&folder) => RunState::Running,
        None if queue.is_some_and(|state| state.starts_with("RUNNING")) => RunState::Running,
        None if queue.is_some() => RunState::Queued,
        None if last.is_some() => RunState::Failed,
        None if progress.is_some() => RunState::Stopped,
        None => RunState::Waiting,
    };
    let over = ended.is_some().then_some(last).flatten();
    let shown = progress.unwrap_or(Progress { step: 0, steps: None, loss: None, tokens_per_second: None, step_ms: None });
    RunStatus {
        arm: job.arm.clone(),
        seed: job.seed,
        stage: job.stage,
        name: job.to_string(),
        folder: job.folder.clone(),
        state,
        step: over.map_or(shown.step, |record| record.result.steps),
        steps: shown.steps,
        loss: shown.loss,
        tokens_per_second: over.map_or(shown.tokens_per_second, |record| record.result.tokens_per_second),
        seconds_left: if state == RunState::Running { shown.seconds_left() } else { None },
        attempts: last.map_or(0, |record| record.attempt),
        cause: last.and_then(|record| record.cause),
        reason: last.and_then(|record| record.result.reason.clone()),
        queue: queue.cloned(),
    }
}

/// Time until all is done: what the running ones need, what those before them needed for each that is to come, and as many
/// at a time as now.
fn seconds_left(plan: &Plan, runs: &[RunStatus], records: &[Record]) -> Option<f64> {
    let of = |state: RunState| runs.iter().filter(move |run| run.state == state);
    let finished = |run: &RunStatus, arm: bool| -> Vec<f64> {
        let counts = |record: &&Record| {
            let like = record.result.outcome == Outcome::Finished && as_long(record.stage, run.stage);
            like && (!arm || record.arm == run.arm)
        };
        records.iter().filter(counts).map(|record| record.result.seconds).collect()
    };
    let whole = |run: &RunStatus| {
        let planned = || plan.arm(&run.arm)?.seconds_per_run;
        let neighbour = || of(RunState::Running).find_map(|other| Some(other.seconds_left? / (1.0 - share(other)?).max(1e-3)));
        stats::median(&finished(run, true)).or_else(|| stats::median(&finished(run, false))).or_else(planned).or_else(neighbour)
    };
    let to_come = runs.iter().filter(|run| !matches!(run.state, RunState::Finished | RunState::Diverged));
    let each: Option<Vec<f64>> =
        to_come.map(|run| run.seconds_left.or_else(|| Some(whole(run)? * (1.0 - share(run).unwrap_or(0.0))))).collect();
    let each = each?;
    let longest = each.iter().copied().fold(0.0, f64::max);
    let at_a_time = of(RunState::Running).count().max(1) as f64;
    Some((each.iter().sum::<f64>() / at_a_time).max(longest))
}

/// Whether runs of two stages are equally long: trials of a rung, timings, runs to be compared.
fn as_long(one: Stage, other: Stage) -> bool {
    match (one, other) {
        (Stage::Tune { rung: one, .. }, Stage::Tune { rung: other, .. }) => one == other,
        _ => one == other,
    }
}

/// The part of a run that is done.
fn share(run: &RunStatus) -> Option<f64> {
    Some(run.step as f64 / run.steps?.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{PlanFile, plan::tests as example},
        *,
    };
    use std::fs;

    #[test]
    fn every_state_of_a_run_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        store.write_plan(&PlanFile::update(None, example::plan(&["a", "b"], 2), false)).unwrap();
        store.append(example::record("base", 0, Outcome::Finished, 2.0)).unwrap();
        store.append(example::record("a", 0, Outcome::Diverged, 2.0)).unwrap();
        store.append(Record { cause: Some(Cause::Hang), ..example::record("b", 0, Outcome::Failed, 2.0) }).unwrap();
        let run = |name: &str, id: &str| {
            let run = store.prepare_run(name, id, "[train]\nsteps = 20\n").unwrap();
            fs::write(run.join("metrics.jsonl"), "{\"step\":5,\"loss\":2.5,\"tokens_per_second\":1.0,\"step_ms\":2000.0}\n").unwrap();
            run
        };
        let _held = RunLock::hold(&run("base/seed-1", "base-1")).unwrap();
        run("a/seed-1", "a-1");
        // What another specification left is not this run's.
        run("b/seed-1", "another");

        let status = status(folder.path()).unwrap();
        let states: Vec<(&str, u64, RunState)> = status.runs.iter().map(|run| (run.arm.as_str(), run.seed, run.state)).collect();
        use RunState::{Diverged, Failed, Finished, Running, Stopped, Waiting};
        assert_eq!(
            states,
            [("base", 0, Finished), ("a", 0, Diverged), ("b", 0, Failed), ("base", 1, Running), ("a", 1, Stopped), ("b", 1, Waiting)]
        );
        assert!(status.conducted && status.slurm.is_empty() && status.slurm_error.is_none());
        assert_eq!((status.runs[2].cause, status.runs[2].attempts), (Some(Cause::Hang), 1));
        let running = &status.runs[3];
        assert_eq!((running.step, running.steps, running.loss, running.seconds_left), (5, Some(20), Some(2.5), Some(30.0)));
        // 30 s of the running one, a second each for two anew, three quarters of one for the stopped one.
        assert_eq!(status.seconds_left, Some(32.75));
        drop(store);
        assert!(!super::status(folder.path()).unwrap().conducted);
    }
}
