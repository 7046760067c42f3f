//! What the answer cost.

use crate::{
    experiment::{Cost, Summary},
    report::number,
};
use minijinja::{Value, context};

/// A row per arm, and all of them together; nothing where nothing is recorded.
pub fn section(summary: &Summary) -> Value {
    let total = total(summary);
    if total.runs == 0 {
        return context! {};
    }
    context! {
        rows => summary.arms.iter().map(|arm| row(&arm.name, &arm.cost)).collect::<Vec<_>>(),
        total => row("All", &total),
        tuning => total.tuning_runs > 0,
    }
}

/// What all arms cost together.
pub fn total(summary: &Summary) -> Cost {
    summary.arms.iter().map(|arm| arm.cost).fold(Cost::default(), add)
}

/// The larger memory, the sum of all else.
fn add(a: Cost, b: Cost) -> Cost {
    Cost {
        runs: a.runs + b.runs,
        tuning_runs: a.tuning_runs + b.tuning_runs,
        tokens: a.tokens + b.tokens,
        flops: a.flops + b.flops,
        seconds: a.seconds + b.seconds,
        peak_memory_bytes: a.peak_memory_bytes.max(b.peak_memory_bytes),
    }
}

fn row(name: &str, cost: &Cost) -> Value {
    context! {
        name,
        runs => cost.runs,
        tuning_runs => cost.tuning_runs,
        tokens => number::short(cost.tokens as f64),
        flops => number::short(cost.flops),
        time => number::duration(cost.seconds),
        memory => cost.peak_memory_bytes.map(number::bytes).unwrap_or_else(|| number::NONE.into()),
    }
}
