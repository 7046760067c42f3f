//! Where the numbers come from: devices, versions, threads and time.

use super::number;
use crate::{
    experiment::{Record, Store, Summary},
    train::{Outcome, RunResult},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The last record of every run of the experiment's arms that is compared, by arm and seed.
pub struct Provenance {
    records: BTreeMap<(String, u64), Record>,
}

impl Provenance {
    /// Reads what is on record; without that there is nothing to tell.
    pub fn read(folder: &Path, summary: &Summary) -> Self {
        let records = Store::open(folder).and_then(|store| store.records()).unwrap_or_default();
        let arms: BTreeSet<&str> = summary.arms.iter().map(|arm| arm.name.as_str()).collect();
        let records = records
            .into_iter()
            .filter(|record| record.stage.is_compare() && arms.contains(record.arm.as_str()))
            .map(|record| ((record.arm.clone(), record.seed), record))
            .collect();
        Self { records }
    }

    /// How a run ended, in one word, and why; none if it has no record.
    pub fn ending(&self, arm: &str, seed: u64) -> Option<(&'static str, Option<&str>)> {
        let record = self.records.get(&(arm.to_string(), seed))?;
        let word = match record.result.outcome {
            Outcome::Finished => "finished",
            Outcome::Diverged => "diverged",
            Outcome::Interrupted => "interrupted",
            Outcome::Failed => "failed",
        };
        Some((word, record.result.reason.as_deref()))
    }

    /// Facts with their names, in the order in which they are shown.
    pub fn facts(&self, summary: &Summary) -> Vec<(&'static str, String)> {
        let mut facts = vec![("Summary by", format!("ablate {}", summary.version))];
        let results = || self.records.values().map(|record| &record.result);
        let mut add = |name, values: Vec<String>| {
            if let Some(text) = distinct(values) {
                facts.push((name, text));
            }
        };
        add("Trained by", results().map(|r| format!("ablate {}", r.version)).collect());
        add("Device", results().map(|r| r.device.clone()).collect());
        add("Operators", results().map(operators).collect());
        add("Threads", results().map(|r| r.threads.to_string()).collect());
        let finished = || results().filter(|r| r.outcome == Outcome::Finished);
        add("Steps per run", finished().map(|r| number::count(r.steps as u64)).collect());
        add("Training tokens per run", finished().map(|r| number::count(r.tokens)).collect());
        if !self.records.is_empty() {
            facts.push(("Runs", self.records.len().to_string()));
            facts.push(("Time of all runs", number::duration(results().map(|r| r.seconds).sum())));
            if let Some(last) = self.records.values().map(|record| record.ended.as_str()).max() {
                facts.push(("Last run ended", last.to_string()));
            }
        }
        facts.push(("Design", summary.design.clone()));
        facts.push(("Seeds", summary.seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
        facts.push(("α", summary.alpha.to_string()));
        facts
    }
}

/// The path of a run, and the operators that take another, with the reason.
fn operators(result: &RunResult) -> String {
    let others = result.operators.iter().filter(|row| row.path != result.path);
    let words = others.map(|row| format!("; {} {}: {}", row.operator, row.path, row.reason));
    std::iter::once(result.path.clone()).chain(words).collect()
}

/// The values that occur, with how often where they differ; none without values.
fn distinct(values: Vec<String>) -> Option<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    match counts.len() {
        0 => None,
        1 => counts.into_keys().next(),
        _ => Some(counts.iter().map(|(value, n)| format!("{value} ({})", super::words::plural(*n, "run"))).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_values_are_counted() {
        assert_eq!(distinct(vec![]), None);
        assert_eq!(distinct(vec!["flex".into(), "flex".into()]), Some("flex".into()));
        assert_eq!(distinct(vec!["flex".into(), "cuda:0".into(), "flex".into()]), Some("cuda:0 (1 run), flex (2 runs)".into()));
    }
}
