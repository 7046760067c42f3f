//! What a reader must know before believing the numbers.

use super::{Record, paths, plan::Plan, runs::Runs};
use crate::train::Outcome;
use std::collections::BTreeSet;

/// Fewer seeds than this give intervals that hardly exclude anything.
const FEW_SEEDS: usize = 3;

/// Everything that makes the comparisons of these runs less than they seem, the gravest first.
pub(super) fn warnings(plan: &Plan, records: &[Record], runs: &Runs) -> Vec<String> {
    let finished: Vec<&Record> = runs.values().copied().filter(|record| record.result.outcome == Outcome::Finished).collect();
    let mut warnings = data_orders(plan, runs);
    warnings.extend(noises(plan, runs));
    warnings.extend(controls(plan, runs));
    let mut mixed = |what: &str, effect: &str, of: fn(&Record) -> String| {
        let found: BTreeSet<String> = finished.iter().map(|record| of(record)).collect();
        if found.len() > 1 {
            let list: Vec<String> = found.into_iter().collect();
            warnings.push(format!("runs on different {what} ({}): {effect}", list.join(", ")));
        }
    };
    mixed("devices", "neither losses nor speeds compare exactly", |record| kind(&record.result.device));
    mixed("operator implementations", "neither losses nor speeds compare exactly", |record| record.result.path.clone());
    // Where that is so for all, it need not be said arm by arm.
    let implementations: BTreeSet<&str> = finished.iter().map(|record| record.result.path.as_str()).collect();
    mixed("versions of ablate", "losses may differ for that reason", |record| record.result.version.clone());
    mixed("numbers of threads", "speeds do not compare", |record| record.result.threads.to_string());

    if implementations.len() < 2 {
        let of = |name: &str| finished.iter().find(|record| record.arm == name).map_or(&[][..], |record| &record.result.operators);
        warnings.extend(paths::mixed(plan, of));
    }

    let planned = plan.jobs(records);
    let seen: BTreeSet<_> = records.iter().map(Record::key).collect();
    let missing = planned.iter().filter(|job| !seen.contains(&job.key())).count();
    if missing > 0 {
        warnings.push(format!("{missing} of {} runs are missing: the results are preliminary", planned.len()));
    }
    warnings.extend(tuned(plan));
    if plan.seeds.len() < FEW_SEEDS {
        let seeds = if plan.seeds.len() == 1 { "1 seed".into() } else { format!("{} seeds", plan.seeds.len()) };
        warnings.push(format!("{seeds} only: with fewer than {FEW_SEEDS}, intervals are wide or missing"));
    }
    let diverged: Vec<&str> = plan.arms.iter().map(|arm| arm.name.as_str()).filter(|arm| lost(runs, arm)).collect();
    if !diverged.is_empty() {
        let effect = "their differences are those of the seeds that survived, which flatters an unstable arm";
        warnings.push(format!("some runs of {} diverged: {effect}", diverged.join(", ")));
    }
    warnings
}

/// A device without its index: those of one list are taken for equal.
fn kind(device: &str) -> String {
    let indexed = device.split_once(':').filter(|(_, index)| index.parse::<usize>().is_ok());
    indexed.map_or(device, |(kind, _)| kind).to_string()
}

fn lost(runs: &Runs, arm: &str) -> bool {
    runs.iter().any(|((name, _), record)| *name == arm && record.result.outcome == Outcome::Diverged)
}

/// A/A controls whose losses are not those of the same run under another name.
fn controls(plan: &Plan, runs: &Runs) -> Vec<String> {
    let value = |arm: &str, seed: u64| {
        let record = runs.get(&(arm, seed)).filter(|record| record.result.outcome == Outcome::Finished)?;
        record.result.metrics.get(&plan.metric).copied()
    };
    let differs = |arm: &str, reference: &str| {
        plan.seeds.iter().any(|seed| matches!((value(arm, *seed), value(reference, *seed)), (Some(a), Some(b)) if a != b))
    };
    let controls = plan.arms.iter().filter(|arm| arm.control).filter_map(|arm| Some((arm.name.as_str(), arm.reference.as_deref()?)));
    let warning =
        |(arm, reference)| format!("error: the A/A control {arm} differs from {reference}, the same run: runs are not repeatable here");
    controls.filter(|(arm, reference)| differs(arm, reference)).map(warning).collect()
}

/// Arms of a seed that consumed other batches, as far as both trained: no pairs at all.
fn data_orders(plan: &Plan, runs: &Runs) -> Vec<String> {
    let mut warnings = Vec::new();
    for seed in &plan.seeds {
        let mut groups: Vec<(&Record, Vec<&str>)> = Vec::new();
        for arm in &plan.arms {
            let found = runs.get(&(arm.name.as_str(), *seed)).copied();
            let Some(record) = found.filter(|record| record.result.outcome == Outcome::Finished) else { continue };
            match groups.iter_mut().find(|(other, _)| same_order(other, record)) {
                Some((_, arms)) => arms.push(&arm.name),
                None => groups.push((record, vec![&arm.name])),
            }
        }
        if groups.len() > 1 {
            let mut groups: Vec<String> = groups.into_iter().map(|(_, arms)| arms.join(", ")).collect();
            groups.sort();
            warnings.push(format!(
                "error: with seed {seed} the arms trained on different batches ({}): these are no pairs",
                groups.join(" | ")
            ));
        }
    }
    warnings
}

/// Whether two runs consumed the same batches, as far as the shorter one went: by the hash of all, or else at the last step
/// that both have marked.
fn same_order(one: &Record, other: &Record) -> bool {
    let (one, other) = (&one.result, &other.result);
    if one.steps == other.steps || one.data_marks.is_empty() || other.data_marks.is_empty() {
        return one.data_hash == other.data_hash;
    }
    one.data_marks.iter().rev().find_map(|(step, hash)| Some(hash == other.data_marks.get(step)?)).unwrap_or(true)
}

/// Arms whose tensors of equal name did not start from the noise of their reference's. A tensor of another shape has other
/// noise, so only what has the same noise in some seed must have it in all.
fn noises(plan: &Plan, runs: &Runs) -> Vec<String> {
    let mut warnings = Vec::new();
    for (arm, reference) in plan.comparisons() {
        let pairs = plan.seeds.iter().filter_map(|seed| Some((runs.get(&(arm.name.as_str(), *seed))?, runs.get(&(reference, *seed))?)));
        let shared: Vec<BTreeSet<&str>> = pairs
            .map(|(ours, theirs)| (&ours.result.noise, &theirs.result.noise))
            .filter(|(ours, theirs)| !ours.is_empty() && !theirs.is_empty())
            .map(|(ours, theirs)| {
                ours.iter().filter(|(path, hash)| theirs.get(*path) == Some(hash)).map(|(path, _)| path.as_str()).collect()
            })
            .collect();
        let all: BTreeSet<&str> = shared.iter().flatten().copied().collect();
        if let Some(lost) = all.iter().find(|path| shared.iter().any(|seed| !seed.contains(**path))) {
            warnings.push(format!("error: {lost} of {} did not start from the same noise as in {reference} in every pair", arm.name));
        }
        if shared.iter().any(BTreeSet::is_empty) && arm.paired_parameters.is_some_and(|share| share > 0.0) {
            warnings.push(format!("error: nothing of {} started from the noise of {reference}, though the plan says so", arm.name));
        }
    }
    warnings
}

/// What the reader of tuned arms must know.
fn tuned(plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    for tuning in plan.arms.iter().filter_map(|arm| arm.tuning.as_ref()) {
        warnings.extend(tuning.edges.iter().map(|edge| format!("{}: {edge}; a better one may lie beyond", tuning.arm)));
        let chosen = tuning.rungs.last().and_then(|rung| rung.trials.iter().find(|trial| Some(trial.trial) == tuning.chosen));
        if chosen.is_some_and(|trial| trial.mean.is_none()) {
            warnings.push(format!("every trial of {} diverged: its settings are the first that were tried", tuning.arm));
        }
    }
    if plan.retune.is_some() {
        warnings.push("the intervals are conditional on the tuned values: they do not cover the chance in choosing them".into());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            PlanFile,
            plan::tests::{plan, record},
            verdict::summary,
        },
        *,
    };

    use crate::ops::OperatorPath;

    /// What is done to the records of an experiment without fault.
    type Fault = fn(&mut Vec<Record>);

    fn warned(change: impl Fn(&mut Vec<Record>)) -> Vec<String> {
        let mut records = vec![];
        for seed in 0..3 {
            for arm in ["base", "a"] {
                records.push(record(arm, seed, Outcome::Finished, 2.0 + seed as f64));
            }
        }
        change(&mut records);
        summary(&PlanFile::update(None, plan(&["a"], 3), false), &records).warnings
    }

    #[test]
    fn each_cause_has_its_warning_and_only_it() {
        assert_eq!(warned(|_| ()), Vec::<String>::new());
        let cases: [(&str, Fault); 8] = [
            ("error: with seed 1", |records| records[3].result.data_hash = "other".into()),
            ("different devices (cuda, flex)", |records| records[3].result.device = "cuda:0".into()),
            ("different operator implementations", |records| records[3].result.path = "fused".into()),
            ("tokens/s of a cannot be compared with base: attention", |records| {
                for (index, record) in records.iter_mut().enumerate() {
                    let path = if index % 2 == 0 { "fused-flex" } else { "composed" };
                    let [operator, path, reason] = ["attention", path, "of a test"].map(String::from);
                    let row = OperatorPath { operator, variant: String::new(), dtype: "f32".into(), path, reason };
                    record.result.operators = vec![row];
                }
            }),
            ("different versions", |records| records[3].result.version = "1".into()),
            ("different numbers of threads", |records| records[3].result.threads = 1),
            ("1 of 6 runs are missing", |records| drop(records.remove(5))),
            ("some runs of a diverged", |records| records[5].result.outcome = Outcome::Diverged),
        ];
        for (expected, change) in cases {
            let warnings = warned(change);
            assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:?}");
        }
    }
    #[test]
    fn a_control_that_differs_is_an_error() {
        let mut plan = plan(&["aa"], 2);
        plan.arms[1].control = true;
        let mut records: Vec<Record> =
            ["base", "aa"].iter().flat_map(|arm| (0..2).map(|seed| record(arm, seed, Outcome::Finished, 2.0))).collect();
        let file = PlanFile::update(None, plan, false);
        let grave = |records: &[Record]| summary(&file, records).warnings.iter().filter(|warning| warning.starts_with("error")).count();
        assert_eq!(grave(&records), 0);
        records[3].result.metrics.insert("valid/bits_per_byte".into(), 2.0 + f64::EPSILON * 2.0);
        assert_eq!(grave(&records), 1);
    }
}
