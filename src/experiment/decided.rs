//! What an arm is by the records so far: tuned, and as long as its time allows.

use super::{
    Experiment, Job, Record, Stage, TuningSummary,
    arms::{Arm, run_of},
    matching::{Quantity, Refusal, Solved, Task},
    plan::PlannedArm,
    spec::{STEPS, TUNING_SEED},
    tuning::{Rules, Tuning, tuning},
};
use crate::train::{Outcome, RunSpec};

/// Steps of the short run that measures how long a step takes.
pub(super) const TIMED_STEPS: usize = 20;

/// What an arm is by the records so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Decided {
    /// The run with seed 0, once tuning and timing are done.
    pub spec: Option<RunSpec>,
    /// Runs that must end before, done or not.
    pub jobs: Vec<Job>,
    /// How it was tuned.
    pub tuning: Option<TuningSummary>,
    /// The number of steps that its time allows, or comes nearest: there is no run where that misses the tolerance.
    pub solved: Option<Solved>,
}

/// Decides an arm.
pub(super) fn decide(experiment: &Experiment, arm: &Arm, records: &[Record]) -> Decided {
    if !arm.trials.is_empty()
        && let Some(retune) = &experiment.config.retune
    {
        let rungs = experiment.rungs();
        let metric = &experiment.config.metric;
        let rules = Rules { retune, rungs: &rungs, metric, lower_is_better: super::plan::lower_is_better(metric) };
        let Tuning { summary, jobs } = tuning(arm, &rules, records);
        let spec = summary.chosen.map(|chosen| tuned(arm, chosen));
        return Decided { spec, jobs, tuning: Some(summary), solved: None };
    }
    let Some(home) = arm.timed_by.as_ref().and_then(|name| experiment.arm(name)) else {
        return Decided { spec: Some(arm.spec.clone()), ..Decided::default() };
    };
    let jobs = [timed(arm), timed(home)];
    let seconds = |arm: &Arm, job: &Job| {
        let finished = |record: &&Record| record.of(job) && record.result.outcome == Outcome::Finished;
        let speed = records.iter().rev().find(finished)?.result.tokens_per_second?;
        Some(arm.spec.tokens_per_step() as f64 / speed)
    };
    let tolerance = experiment.config.matching.as_ref().map_or(f64::INFINITY, |matching| matching.tolerance);
    let found = seconds(arm, &jobs[0]).zip(seconds(home, &jobs[1])).map(|(own, theirs)| {
        let target = theirs * home.spec.train.steps as f64;
        Task { key: STEPS, quantity: Quantity::Time, target, tolerance }.steps(own)
    });
    let (spec, solved) = match found {
        Some(Ok(solved)) => (Some(run_of(&arm.written, solved.value as usize, 0)), Some(solved)),
        Some(Err(Refusal::TooCoarse(nearest))) => (None, Some(nearest)),
        Some(Err(_)) | None => (None, None),
    };
    Decided { spec, jobs: jobs.into(), tuning: None, solved }
}

impl Experiment {
    /// Steps of each round of trials of tuning: those written, by `--steps`; the comparison's where none are.
    pub(super) fn rungs(&self) -> Vec<usize> {
        let written = self.config.retune.as_ref().map_or(&[][..], |retune| &retune.rungs);
        if written.is_empty() {
            return vec![self.base().spec.train.steps];
        }
        written.iter().map(|rung| ((*rung as f64 * self.scale).round() as usize).max(1)).collect()
    }

    /// The run of a job of the plan; none of another experiment's.
    pub(super) fn run(&self, job: &Job, planned: &PlannedArm) -> Option<RunSpec> {
        let arm = self.arm(&job.arm)?;
        let mut spec = match job.stage {
            Stage::Tune { rung, trial } => run_of(&arm.trials.get(trial)?.written, *self.rungs().get(rung)?, job.seed),
            Stage::Time => timing_run(arm),
            Stage::Compare => {
                let chosen = planned.tuning.as_ref().and_then(|tuning| tuning.chosen);
                let steps = planned.solved.iter().find(|solved| solved.quantity == Quantity::Time).map(|solved| solved.value as usize);
                match (chosen, steps) {
                    (Some(chosen), _) => tuned(arm, chosen),
                    (None, Some(steps)) => run_of(&arm.written, steps, 0),
                    (None, None) => arm.spec.clone(),
                }
            }
        };
        spec.train.seed = job.seed;
        Some(spec)
    }
}

/// The run with the settings of a trial, as long as the comparison's runs are.
fn tuned(arm: &Arm, trial: usize) -> RunSpec {
    let written = &arm.trials[trial].written;
    run_of(written, written.train.steps, 0)
}

/// The short run of an arm that measures its speed.
fn timed(arm: &Arm) -> Job {
    Job::new(&arm.name, TUNING_SEED, Stage::Time, timing_run(arm).id())
}

fn timing_run(arm: &Arm) -> RunSpec {
    run_of(&arm.written, TIMED_STEPS.min(arm.spec.train.steps), TUNING_SEED)
}
