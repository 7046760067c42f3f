//! Metrics besides the primary one, and the primary one run by run.

use crate::{
    experiment::{ArmSummary, Summary},
    report::{number, provenance::Provenance, words},
};
use minijinja::{Value, context};

/// Metrics besides the primary one: a column each, "undefined" where an arm has none.
pub fn further(summary: &Summary) -> Value {
    let metrics = words::further_metrics(summary);
    let of = |key: &str| -> Vec<_> { summary.arms.iter().filter_map(|arm| arm.metrics.get(key)).collect() };
    let digits: Vec<(usize, usize)> = metrics
        .iter()
        .map(|key| {
            let found = of(key);
            let means = number::decimals(found.iter().filter_map(|m| m.ci95).map(number::half));
            (means, number::decimals(found.iter().filter_map(|m| m.delta_ci95).map(number::half)))
        })
        .collect();
    let rows: Vec<Value> = summary
        .arms
        .iter()
        .map(|arm| {
            let cells: Vec<Value> = metrics
                .iter()
                .zip(&digits)
                .map(|(key, (decimals, delta_decimals))| match arm.metrics.get(*key) {
                    Some(m) if m.mean.is_some() => context! {
                        mean => number::plus_minus(m.mean, m.ci95, *decimals, false),
                        delta => m.delta.map(|_| number::plus_minus(m.delta, m.delta_ci95, *delta_decimals, true)),
                    },
                    _ if arm.seeds == 0 => context! { mean => number::NONE },
                    _ => context! { mean => "undefined" },
                })
                .collect();
            context! { arm => &arm.name, cells }
        })
        .collect();
    context! { metrics => metrics.iter().map(|key| words::metric(key)).collect::<Vec<_>>(), rows }
}

/// The primary metric of every run; where there is none, how the run ended.
pub fn by_seed(summary: &Summary, provenance: &Provenance) -> Vec<Value> {
    let (means, deltas) = words::decimals(summary);
    let row = |arm: &ArmSummary| {
        let cells: Vec<Value> = summary
            .seeds
            .iter()
            .map(|seed| match (arm.values.get(seed).copied().flatten(), provenance.ending(&arm.name, *seed)) {
                (Some(value), _) if value.is_finite() => context! { text => number::fixed(value, means.max(deltas)) },
                (_, Some((word, reason))) => context! { text => word, lost => true, reason },
                // Of sequential seeds, an arm that was decided early needs no more.
                (_, None) if !arm.values.contains_key(seed) => context! { text => number::NONE },
                (_, None) => context! { text => "no result", lost => true },
            })
            .collect();
        context! { arm => &arm.name, cells }
    };
    summary.arms.iter().map(row).collect()
}
