//! Each arm's own best settings, from the trials on record: a pure function of both.

use super::{
    Job, Record, Rung, Stage, TrialSummary, TuningSummary,
    arms::{Arm, run_of},
    spec::RetuneConfig,
};
use crate::train::{Outcome, RunConfig};
use serde_json::Value;

/// How far the tuning of an arm is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tuning {
    /// Everything tried so far.
    pub summary: TuningSummary,
    /// The trials of all rungs so far, done or not.
    pub jobs: Vec<Job>,
}

/// What tuning needs to know beside the arm.
pub(super) struct Rules<'a> {
    pub retune: &'a RetuneConfig,
    /// Steps of each rung, after `--steps`.
    pub rungs: &'a [usize],
    pub metric: &'a str,
    pub lower_is_better: bool,
}

/// The tuning of an arm so far.
pub(super) fn tuning(arm: &Arm, rules: &Rules, records: &[Record]) -> Tuning {
    let mut alive: Vec<usize> = (0..arm.trials.len()).collect();
    let mut summary = TuningSummary { arm: arm.name.clone(), rungs: vec![], chosen: None, edges: vec![] };
    let mut jobs = Vec::new();
    for (rung, steps) in rules.rungs.iter().enumerate() {
        let mut done = true;
        let mut trials = Vec::new();
        for trial in &alive {
            let written = &arm.trials[*trial].written;
            let mut summary =
                TrialSummary { trial: *trial, settings: arm.trials[*trial].settings.clone(), values: Default::default(), mean: None };
            for seed in rules.retune.seeds() {
                let job = job(arm, written, rung, *trial, *steps, seed);
                let ended = |record: &&Record| record.result.outcome.is_final();
                let record = records.iter().rev().filter(|record| record.of(&job)).find(ended);
                done &= record.is_some();
                summary.values.insert(seed, record.and_then(|record| value(record, rules.metric)));
                jobs.push(job);
            }
            let values: Option<Vec<f64>> = summary.values.values().copied().collect();
            summary.mean = values.map(|values| values.iter().sum::<f64>() / values.len() as f64);
            trials.push(summary);
        }
        let mut order: Vec<(usize, Option<f64>)> = trials.iter().map(|trial| (trial.trial, trial.mean)).collect();
        summary.rungs.push(Rung { steps: *steps, trials });
        if !done {
            return Tuning { summary, jobs };
        }
        // A trial that diverged with any seed is behind all that did not.
        let rank = |mean: Option<f64>| mean.map_or(f64::INFINITY, |mean| if rules.lower_is_better { mean } else { -mean });
        order.sort_by(|a, b| rank(a.1).total_cmp(&rank(b.1)).then(a.0.cmp(&b.0)));
        order.truncate(rules.retune.survivors(arm.trials.len(), rung + 1));
        alive = order.into_iter().map(|(trial, _)| trial).collect();
        if rung + 1 == rules.rungs.len() {
            summary.chosen = alive.first().copied();
        }
        alive.sort_unstable();
    }
    // Where every trial diverged, nothing was found, and on no edge.
    let last = summary.rungs.last().map_or(&[][..], |rung| &rung.trials);
    let found = last.iter().any(|trial| Some(trial.trial) == summary.chosen && trial.mean.is_some());
    summary.edges = summary.chosen.filter(|_| found).map_or(vec![], |chosen| edges(arm, rules.retune, chosen));
    Tuning { summary, jobs }
}

fn job(arm: &Arm, written: &RunConfig, rung: usize, trial: usize, steps: usize, seed: u64) -> Job {
    Job::new(&arm.name, seed, Stage::Tune { rung, trial }, run_of(written, steps, seed).id())
}

fn value(record: &Record, metric: &str) -> Option<f64> {
    let finished = record.result.outcome == Outcome::Finished;
    record.result.metrics.get(metric).copied().filter(|value| finished && value.is_finite())
}

/// Numbers whose chosen value is the smallest or the largest of those tried: a better one may lie outside.
fn edges(arm: &Arm, retune: &RetuneConfig, chosen: usize) -> Vec<String> {
    let at_edge = |(key, value): (&String, &Value)| {
        let tried: Vec<f64> = retune.values.get(key)?.iter().map(Value::as_f64).collect::<Option<_>>()?;
        let value = value.as_f64()?;
        let lowest = tried.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = tried.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let end = if value == lowest {
            "lowest"
        } else if value == highest {
            "highest"
        } else {
            return None;
        };
        Some(format!("{key} = {value} is the {end} value tried"))
    };
    arm.trials[chosen].settings.iter().filter_map(at_edge).collect()
}
