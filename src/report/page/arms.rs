//! The main table: what each arm is, what it reached, and what it changes.

use super::class;
use crate::{
    experiment::{ArmSummary, Summary, Verdict},
    report::{number, words},
};
use minijinja::{Value, context};

/// Which columns the main table has.
pub fn columns(summary: &Summary) -> Value {
    let tokens = |arm: &ArmSummary| arm.tokens;
    context! {
        deltas => summary.arms.iter().any(|arm| !arm.comparisons.is_empty()),
        tokens => summary.arms.windows(2).any(|pair| tokens(&pair[0]) != tokens(&pair[1])),
    }
}

/// Cells of the main table, and the list of differences.
pub fn rows(summary: &Summary) -> Vec<Value> {
    summary.arms.iter().map(|arm| row(summary, arm)).collect()
}

fn row(summary: &Summary, arm: &ArmSummary) -> Value {
    let (decimals, delta_decimals) = words::decimals(summary);
    let differences: Vec<Value> =
        arm.differences.iter().map(|d| context! { key => &d.key, base => &d.base, arm => &d.arm, origin => &d.origin }).collect();
    let compared = !arm.comparisons.is_empty();
    context! {
        name => &arm.name,
        is_base => arm.verdict == Verdict::Base,
        compared,
        reference => &arm.reference,
        parameters => number::count(arm.parameters),
        flops => number::short(arm.flops_per_token),
        tokens => number::short(arm.tokens as f64),
        mean => number::plus_minus(arm.mean, arm.ci95, decimals, false),
        finished => arm.seeds,
        planned => arm.values.len(),
        delta => number::plus_minus(arm.delta, arm.delta_ci95, delta_decimals, true),
        interval => number::interval(arm.delta_ci95, delta_decimals),
        p => number::p_value(arm.p),
        p_adjusted => number::p_value(arm.p_adjusted),
        speed => number::short(arm.tokens_per_second.unwrap_or(f64::NAN)),
        diverged => arm.diverged,
        failed => arm.failed,
        verdict => words::standing(arm),
        class => class(arm.verdict),
        text => &arm.verdict_text,
        would_change => arm.comparisons.first().and_then(|comparison| comparison.would_change.as_ref()),
        differences,
        solved => arm.solved.iter().map(|solved| {
            format!("{} = {}: {:+.2} % {}", solved.key, solved.value, 100.0 * solved.residual, solved.quantity)
        }).collect::<Vec<_>>(),
        paired => arm.paired_parameters.filter(|share| share.is_finite()).map(|share| format!("{:.1} %", share * 100.0)),
    }
}
