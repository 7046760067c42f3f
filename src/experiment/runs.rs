//! Which records count.

use super::{Record, plan::Plan};
use crate::train::Outcome;
use std::collections::BTreeMap;

/// The records that count: for every run of the plan, the last one of its arm, seed and hash.
pub(super) type Runs<'a> = BTreeMap<(&'a str, u64), &'a Record>;

/// The runs of a plan among records.
pub(super) fn runs<'a>(plan: &'a Plan, records: &'a [Record]) -> Runs<'a> {
    let mut runs = Runs::new();
    for arm in &plan.arms {
        for (seed, id) in &arm.runs {
            let same = |record: &&Record| record.arm == arm.name && record.seed == *seed && record.result.id == *id;
            if let Some(record) = records.iter().rev().find(same) {
                runs.insert((&arm.name, *seed), record);
            }
        }
    }
    runs
}

/// A metric of a finished run.
pub(super) fn value(runs: &Runs, arm: &str, seed: u64, metric: &str) -> Option<f64> {
    let record = runs.get(&(arm, seed)).filter(|record| record.result.outcome == Outcome::Finished)?;
    record.result.metrics.get(metric).copied().filter(|value| value.is_finite())
}
