//! Loss against size and against compute.

use super::{
    ComputeSummary, Multiplier, Role, ScalingCurve, ScalingFit, ScalingSummary, ScalingTrend,
    contrast::Contrast,
    plan::{Plan, PlannedArm},
    runs::{Runs, value},
    sentence::{short, signed},
    spec::{BASE, Design},
};
use crate::stats;

/// Loss against size, where the design is a ladder of sizes.
pub(super) fn scaling(plan: &Plan, runs: &Runs) -> Option<ScalingSummary> {
    if plan.design != Design::LadderOfSizes {
        return None;
    }
    let ladders = ladders(plan);
    let curves = ladders.iter().map(|(name, arms)| curve(plan, runs, name, arms)).collect();
    let trends = ladders[1..].iter().filter_map(|(name, arms)| trend(plan, runs, name, arms)).collect();
    Some(ScalingSummary { curves, trends })
}

/// The base, then every arm, each at all its sizes, the smallest first.
fn ladders(plan: &Plan) -> Vec<(&str, Vec<&PlannedArm>)> {
    let roots = plan.arms.iter().filter(|arm| arm.size.is_none() && matches!(arm.role, Role::Base | Role::Compared));
    let ladder = |root: &'_ PlannedArm| {
        let at = |arm: &&PlannedArm| arm.size.as_ref().is_some_and(|size| arm.name == format!("{}.{size}", root.name));
        let mut arms: Vec<&PlannedArm> = plan.arms.iter().filter(|arm| arm.name == root.name || at(arm)).collect();
        arms.sort_by_key(|arm| arm.non_embedding_parameters);
        arms
    };
    roots.map(|root| (root.name.as_str(), ladder(root))).collect()
}

fn size(arm: &PlannedArm) -> String {
    arm.size.clone().unwrap_or_else(|| BASE.into())
}

/// The metric by seed, then by arm.
fn table(plan: &Plan, runs: &Runs, arms: &[&PlannedArm]) -> Vec<Vec<Option<f64>>> {
    plan.seeds.iter().map(|seed| arms.iter().map(|arm| value(runs, &arm.name, *seed, &plan.metric)).collect()).collect()
}

fn curve(plan: &Plan, runs: &Runs, name: &str, arms: &[&PlannedArm]) -> ScalingCurve {
    let losses = table(plan, runs, arms);
    let mut points = Vec::new();
    for (at, arm) in arms.iter().enumerate() {
        let found: Vec<f64> = losses.iter().filter_map(|row| row[at]).collect();
        points.extend(stats::mean(&found).map(|mean| (size(arm), arm.non_embedding_parameters, mean.mean)));
    }
    let sizes: Vec<f64> = arms.iter().map(|arm| arm.non_embedding_parameters as f64).collect();
    let fitted = stats::scaling(&sizes, &losses);
    let note = fitted.as_ref().err().map(ToString::to_string);
    let fit = fitted.ok().map(|fit| ScalingFit {
        floor: fit.law.floor,
        factor: fit.law.scale,
        exponent: fit.law.exponent,
        exponent_ci95: fit.exponent_ci95,
        floor_ci95: fit.floor_ci95,
        residual: fit.residual,
    });
    ScalingCurve { arm: name.into(), points, fit, note }
}

/// The difference to the base at each size, by seed, against the logarithm of the size.
fn trend(plan: &Plan, runs: &Runs, name: &str, arms: &[&PlannedArm]) -> Option<ScalingTrend> {
    let pairs: Vec<Contrast> = arms.iter().map(|arm| Some(Contrast::pair(&arm.name, arm.reference.as_ref()?))).collect::<Option<_>>()?;
    let row = |seed: &u64| pairs.iter().map(|pair| pair.value(*seed, runs, &plan.metric)).collect();
    let differences: Vec<Vec<Option<f64>>> = plan.seeds.iter().map(row).collect();
    let sizes: Vec<f64> = arms.iter().map(|arm| arm.non_embedding_parameters as f64).collect();
    let trend = stats::trend(&sizes, &differences, plan.alpha)?;
    let change = match trend.direction {
        stats::Direction::Shrinks => "the difference to the base shrinks with size",
        stats::Direction::Grows => "the difference to the base grows with size",
        stats::Direction::Reverses => "the difference to the base changes its sign with size",
        stats::Direction::Undecided => "these sizes do not tell whether the difference to the base changes with size",
    };
    let slope_ci95 = trend.slope.ci95;
    let interval = slope_ci95.map(|[low, high]| format!(", 95 % interval {} to {}", signed(low), signed(high))).unwrap_or_default();
    let text = format!("{change}: {} per tenfold size{interval}; exploratory", signed(trend.slope.delta));
    Some(ScalingTrend { arm: name.into(), slope: trend.slope.delta, slope_ci95, p: trend.slope.p, ends: trend.ends, text })
}

/// What the compute of each arm is worth, where the base was run with other budgets.
pub(super) fn compute(plan: &Plan, runs: &Runs) -> Option<ComputeSummary> {
    if !plan.arms.iter().any(|arm| arm.role == Role::BaseOfBudget) {
        return None;
    }
    let cost = |arm: &PlannedArm| arm.flops_per_token * arm.tokens as f64;
    let mut base: Vec<&PlannedArm> = plan.arms.iter().filter(|arm| matches!(arm.role, Role::Base | Role::BaseOfBudget)).collect();
    base.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    let budgets: Vec<f64> = base.iter().map(|arm| cost(arm)).collect();
    let losses = table(plan, runs, &base);
    let mean = |at: usize| stats::mean(&losses.iter().filter_map(|row| row[at]).collect::<Vec<_>>()).map(|mean| mean.mean);
    let points = budgets.iter().enumerate().filter_map(|(at, budget)| Some((*budget, mean(at)?))).collect();
    let worth = |arm: &PlannedArm| {
        // Seeds that finished everywhere; the curve is one of losses, whatever the metric's good direction.
        let sign = if plan.lower_is_better { 1.0 } else { -1.0 };
        let complete = plan.seeds.iter().zip(&losses).filter_map(|(seed, row)| {
            let row: Option<Vec<f64>> = row.iter().map(|loss| Some(sign * (*loss)?)).collect();
            Some((row?, sign * value(runs, &arm.name, *seed, &plan.metric)?))
        });
        let (curves, own): (Vec<Vec<f64>>, Vec<f64>) = complete.unzip();
        let found = stats::multipliers(&budgets, &curves, cost(arm), &own);
        let (multiplier, text) = match &found {
            Ok(found) => match found.of_means {
                stats::Multiplier::Times(times) => {
                    let interval = found.ci95.map(|[low, high]| format!(", 95 % interval {} to {}", short(low), short(high)));
                    (
                        Some(times),
                        format!("its compute is worth {} times as much of the base's{}", short(times), interval.unwrap_or_default()),
                    )
                }
                stats::Multiplier::Above(bound) => {
                    (None, format!("worth more than {} times; beyond the base's largest budget", short(bound)))
                }
                stats::Multiplier::Below(bound) => {
                    (None, format!("worth less than {} times; below the base's smallest budget", short(bound)))
                }
            },
            Err(why) => (None, why.to_string()),
        };
        Multiplier { arm: arm.name.clone(), multiplier, ci95: found.ok().and_then(|found| found.ci95), text }
    };
    let arms = plan.arms.iter().filter(|arm| arm.role == Role::Compared && arm.size.is_none()).map(worth).collect();
    Some(ComputeSummary { base: points, arms })
}
