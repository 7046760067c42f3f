//! What a reader must know before believing the numbers.

use super::{
    BASE, Quantity, Record, paths,
    plan::{Plan, PlannedArm},
    runs::Runs,
    sentence::{percent, short, signed},
};
use crate::{stats, train::Outcome};
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
    warnings.extend(times(plan, runs));
    if plan.seeds.len() < FEW_SEEDS {
        let seeds = if plan.seeds.len() == 1 { "1 seed".into() } else { format!("{} seeds", plan.seeds.len()) };
        warnings.push(format!("{seeds} only: with fewer than {FEW_SEEDS}, intervals are wide or missing"));
    }
    for (outcome, how, flattered) in [
        (Outcome::Diverged, "diverged", "an unstable arm"),
        (Outcome::Failed, "failed", "an arm that fails for a cause of its own, as memory"),
    ] {
        let arms: Vec<&str> = plan.arms.iter().map(|arm| arm.name.as_str()).filter(|arm| lost(runs, arm, outcome)).collect();
        if !arms.is_empty() {
            let effect = format!("their differences are those of the seeds that survived, which flatters {flattered}");
            warnings.push(format!("some runs of {} {how}: {effect}", arms.join(", ")));
        }
    }
    warnings
}

/// A device without its index: those of one list are taken for equal.
fn kind(device: &str) -> String {
    let indexed = device.split_once(':').filter(|(_, index)| index.parse::<usize>().is_ok());
    indexed.map_or(device, |(kind, _)| kind).to_string()
}

fn lost(runs: &Runs, arm: &str, outcome: Outcome) -> bool {
    runs.iter().any(|((name, _), record)| *name == arm && record.result.outcome == outcome)
}

/// Arms that are matched by time and whose runs took another time than their reference's after all.
fn times(plan: &Plan, runs: &Runs) -> Vec<String> {
    let Some(tolerance) = plan.tolerance else { return vec![] };
    let seconds = |arm: &str| {
        let finished = |(_, record): &(&(&str, u64), &&Record)| record.arm == arm && record.result.outcome == Outcome::Finished;
        stats::median(&runs.iter().filter(finished).map(|(_, record)| record.result.seconds).collect::<Vec<_>>())
    };
    let warning = |arm: &PlannedArm| {
        let reference = arm.reference.as_deref().unwrap_or(BASE);
        let (ours, theirs) = (seconds(&arm.name)?, seconds(reference)?);
        let residual = ours / theirs - 1.0;
        (residual.abs() > tolerance).then(|| {
            format!(
                "time is matched, and yet runs of {} took {} s and those of {reference} {} s (medians; {} %, tolerance {})",
                arm.name,
                short(ours),
                short(theirs),
                signed(100.0 * residual),
                percent(tolerance)
            )
        })
    };
    let timed = plan.arms.iter().filter(|arm| arm.solved.iter().any(|solved| solved.quantity == Quantity::Time));
    timed.filter_map(warning).collect()
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

/// What of the data an arm has otherwise than the base.
fn own_data(arm: &PlannedArm) -> Vec<(&str, Option<&str>)> {
    let data = arm.differences.iter().filter(|change| change.key.starts_with("data."));
    data.map(|change| (change.key.as_str(), change.arm.as_deref())).collect()
}

/// Arms of a seed that consumed other batches of the same data, as far as both trained: no pairs at all. Where data is what arms
/// differ in, seeds pair the rest.
fn data_orders(plan: &Plan, runs: &Runs) -> Vec<String> {
    let mut warnings = Vec::new();
    let others: Vec<&str> = plan.arms.iter().filter(|arm| !own_data(arm).is_empty()).map(|arm| arm.name.as_str()).collect();
    if !others.is_empty() {
        let arms = others.join(", ");
        warnings.push(format!("arms with data of their own ({arms}): runs of a seed share initial parameters, but not batches"));
    }
    for seed in &plan.seeds {
        for data in plan.arms.iter().map(own_data).collect::<BTreeSet<_>>() {
            warnings.extend(parted(plan, runs, *seed, &data));
        }
    }
    warnings
}

/// Arms of a seed with the same data that consumed other batches.
fn parted(plan: &Plan, runs: &Runs, seed: u64, data: &[(&str, Option<&str>)]) -> Option<String> {
    let mut groups: Vec<(&Record, Vec<&str>)> = Vec::new();
    for arm in plan.arms.iter().filter(|arm| own_data(arm) == data) {
        let found = runs.get(&(arm.name.as_str(), seed)).copied();
        let Some(record) = found.filter(|record| record.result.outcome == Outcome::Finished) else { continue };
        match groups.iter_mut().find(|(other, _)| same_order(other, record)) {
            Some((_, arms)) => arms.push(&arm.name),
            None => groups.push((record, vec![&arm.name])),
        }
    }
    if groups.len() < 2 {
        return None;
    }
    let mut groups: Vec<String> = groups.into_iter().map(|(_, arms)| arms.join(", ")).collect();
    groups.sort();
    Some(format!("error: with seed {seed} the arms trained on different batches ({}): these are no pairs", groups.join(" | ")))
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

/// Arms whose tensors of equal name and shape did not start from the noise of their reference's.
fn noises(plan: &Plan, runs: &Runs) -> Vec<String> {
    plan.comparisons().filter_map(|(arm, reference)| noise(plan, runs, arm, reference)).collect()
}

fn noise(plan: &Plan, runs: &Runs, arm: &PlannedArm, reference: &str) -> Option<String> {
    let reshaped = arm.reshaped.as_ref()?.get(reference);
    let (mut equal, mut other, mut strangers) = (BTreeSet::new(), BTreeSet::new(), false);
    for seed in &plan.seeds {
        let (Some(ours), Some(theirs)) = (runs.get(&(arm.name.as_str(), *seed)), runs.get(&(reference, *seed))) else { continue };
        let (ours, theirs) = (&ours.result.noise, &theirs.result.noise);
        let common: Vec<_> = ours.iter().filter_map(|(path, hash)| Some((path, theirs.get(path)? == hash))).collect();
        strangers |= common.is_empty() && !ours.is_empty() && !theirs.is_empty();
        for (path, same) in common {
            if !reshaped.is_some_and(|reshaped| reshaped.contains(path)) {
                if same { &mut equal } else { &mut other }.insert(path.as_str());
            }
        }
    }
    let nothing = equal.is_empty() && (!other.is_empty() || strangers && arm.paired_parameters.is_some_and(|share| share > 0.0));
    if nothing {
        return Some(format!("error: nothing of {} started from the noise of {reference}, though the plan says so", arm.name));
    }
    let first = other.first()?;
    let more = if other.len() > 1 { format!(" and {} more", other.len() - 1) } else { String::new() };
    Some(format!("error: {first}{more} of {} did not start from the same noise as in {reference} in every pair", arm.name))
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
            PlanFile, Rung, TrialSummary, TuningSummary,
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
        let cases: [(&str, Fault); 9] = [
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
            ("some runs of a failed: their differences are those of the seeds that survived", |records| {
                records[5].result.outcome = Outcome::Failed;
            }),
        ];
        for (expected, change) in cases {
            let warnings = warned(change);
            assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:?}");
        }
    }

    /// A plan of `a` over three seeds and its runs, all alike, after a change.
    fn warned_of(change: impl Fn(&mut Plan, &mut Vec<Record>)) -> Vec<String> {
        let mut plan = plan(&["a"], 3);
        let mut records = vec![];
        for seed in 0..3 {
            for arm in ["base", "a"] {
                let mut record = record(arm, seed, Outcome::Finished, 2.0 + seed as f64);
                record.result.noise = ["head", "key", "query"].map(|path| (path.to_string(), format!("{path}-{seed}"))).into();
                records.push(record);
            }
        }
        change(&mut plan, &mut records);
        summary(&PlanFile::update(None, plan, false), &records).warnings
    }

    /// Gives tensors of `a` noise of its own, with every seed.
    fn reroll(records: &mut [Record], paths: &[&str]) {
        for record in records.iter_mut().filter(|record| record.arm == "a") {
            record.result.noise.extend(paths.iter().map(|path| (path.to_string(), "own".to_string())));
        }
    }

    /// Every tensor of equal name and shape has the noise of the reference's, in every pair; one of another shape has its own.
    #[test]
    fn noise_is_compared_tensor_by_tensor() {
        assert_eq!(warned_of(|_, _| ()), Vec::<String>::new());
        let of_query = "error: query of a did not start from the same noise as in base in every pair";
        assert_eq!(warned_of(|_, records| drop(records[3].result.noise.insert("query".into(), "own".into()))), [of_query], "in a pair");
        assert_eq!(warned_of(|_, records| reroll(records, &["query"])), [of_query], "in all pairs");
        let of_both = "error: key and 1 more of a did not start from the same noise as in base in every pair";
        assert_eq!(warned_of(|_, records| reroll(records, &["key", "query"])), [of_both]);
        let nothing = "error: nothing of a started from the noise of base, though the plan says so";
        assert_eq!(warned_of(|_, records| reroll(records, &["head", "key", "query"])), [nothing]);
        let renamed = |_: &mut Plan, records: &mut Vec<Record>| {
            for record in records.iter_mut().filter(|record| record.arm == "a") {
                record.result.noise = [("other".to_string(), "own".to_string())].into();
            }
        };
        assert_eq!(warned_of(renamed), [nothing]);
        let reshaped = |plan: &mut Plan, records: &mut Vec<Record>| {
            plan.arms[1].reshaped = Some([("base".to_string(), ["query".to_string()].into())].into());
            reroll(records, &["query"]);
        };
        assert_eq!(warned_of(reshaped), Vec::<String>::new());
    }

    /// Data is what an arm may differ in: its batches are other ones, and those of the others still have to agree.
    #[test]
    fn arms_with_data_of_their_own_have_other_batches() {
        let own = |plan: &mut Plan, records: &mut Vec<Record>| {
            let change =
                crate::experiment::Difference { key: "data.corpus.path".into(), base: None, arm: Some("x".into()), origin: "named".into() };
            plan.arms[1].differences.push(change);
            for record in records.iter_mut().filter(|record| record.arm == plan.arms[1].name) {
                record.result.data_hash = format!("own-{}", record.seed);
            }
        };
        assert_eq!(warned_of(own), ["arms with data of their own (a): runs of a seed share initial parameters, but not batches"]);
    }

    /// Arms of other lengths are compared at the last step that both have marked.
    #[test]
    fn batches_of_arms_of_different_length_are_compared_as_far_as_both_went() {
        let longer = |own: &'static str| {
            warned_of(|_, records| {
                for record in records.iter_mut() {
                    let mut marks = [(4, "four"), (8, "eight")].map(|(step, hash)| (step, format!("{hash}-{}", record.seed)));
                    if record.arm == "a" {
                        (record.result.steps, record.result.data_hash) = (20, format!("longer-{}", record.seed));
                        marks[1].1 = format!("{own}-{}", record.seed);
                        record.result.data_marks.insert(16, "sixteen".into());
                    }
                    record.result.data_marks.extend(marks);
                }
            })
        };
        assert_eq!(longer("eight"), Vec::<String>::new());
        let parted = longer("other");
        assert_eq!(parted.len(), 3, "{parted:?}");
        assert!(parted[0].starts_with("error: with seed 0 the arms trained on different batches (a | base)"), "{parted:?}");
        // Without marks nothing but the whole can be compared.
        let unmarked = warned_of(|_, records| {
            let record = records.iter_mut().find(|record| record.arm == "a").unwrap();
            (record.result.steps, record.result.data_hash) = (20, "longer".into());
        });
        assert!(unmarked.len() == 1 && unmarked[0].starts_with("error: with seed 0"), "{unmarked:?}");
    }

    /// What short runs promised of the time is held against what the runs took.
    #[test]
    fn a_matched_time_that_was_missed_is_told() {
        let took = |seconds: f64| {
            warned_of(|plan, records| {
                plan.tolerance = Some(0.05);
                let solved = serde_json::json!({
                    "key": "train.steps", "value": 12, "quantity": "time", "achieved": 10.1, "target": 10.0, "residual": 0.01
                });
                plan.arms[1].solved = vec![serde_json::from_value(solved).unwrap()];
                for record in records.iter_mut() {
                    record.result.seconds = if record.arm == "a" { seconds } else { 10.0 };
                }
                // A run that waited for the disk is not the median.
                records[1].result.seconds *= 3.0;
            })
        };
        assert_eq!(took(10.4), Vec::<String>::new());
        assert_eq!(
            took(8.0),
            ["time is matched, and yet runs of a took 8.00 s and those of base 10.0 s (medians; -20.0 %, tolerance 5 %)"]
        );
    }

    #[test]
    fn what_tuning_did_not_find_is_told() {
        let tuned = |mean: Option<f64>, edges: &[&str]| {
            warned_of(|plan, _| {
                let trial = TrialSummary { trial: 0, settings: Default::default(), values: Default::default(), mean };
                let edges = edges.iter().map(ToString::to_string).collect();
                plan.arms[1].tuning =
                    Some(TuningSummary { arm: "a".into(), rungs: vec![Rung { steps: 10, trials: vec![trial] }], chosen: Some(0), edges });
            })
        };
        assert_eq!(tuned(Some(2.0), &[]), Vec::<String>::new());
        assert_eq!(
            tuned(Some(2.0), &["lr = 1 is the highest value tried"]),
            ["a: lr = 1 is the highest value tried; a better one may lie beyond"]
        );
        assert_eq!(tuned(None, &[]), ["every trial of a diverged: its settings are the first that were tried"]);
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
