//! Which records count.

use super::{Record, plan::Plan};
use crate::train::Outcome;
use std::collections::BTreeMap;

/// The records that count: for every run of the plan, the last one of its arm, seed and hash.
pub(super) type Runs<'a> = BTreeMap<(&'a str, u64), &'a Record>;

/// The runs of a plan among records.
pub(super) fn runs<'a>(plan: &'a Plan, records: &'a [Record]) -> Runs<'a> {
    let ids: BTreeMap<(&str, u64), &str> =
        plan.arms.iter().flat_map(|arm| arm.runs.iter().map(|(seed, id)| ((arm.name.as_str(), *seed), id.as_str()))).collect();
    let compared = records.iter().filter(|record| record.stage.is_compare());
    // Of two records of one run the later one counts.
    compared
        .filter_map(|record| {
            let (key, id) = ids.get_key_value(&(record.arm.as_str(), record.seed))?;
            (*id == record.result.id).then_some((*key, record))
        })
        .collect()
}

/// A metric of a finished run.
pub(super) fn value(runs: &Runs, arm: &str, seed: u64, metric: &str) -> Option<f64> {
    let record = runs.get(&(arm, seed)).filter(|record| record.result.outcome == Outcome::Finished)?;
    record.result.metrics.get(metric).copied().filter(|value| value.is_finite())
}
