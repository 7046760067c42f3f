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

fn curve(plan: &Plan, runs: &Runs, name: &str, arms: &[&PlannedArm]) -> ScalingCurve {
    let mut points = Vec::new();
    let mut sizes = Vec::new();
    let mut losses: Vec<Vec<f64>> = Vec::new();
    for arm in arms {
        let found: Vec<f64> = plan.seeds.iter().filter_map(|seed| value(runs, &arm.name, *seed, &plan.metric)).collect();
        if let Some(mean) = stats::mean(&found) {
            points.push((size(arm), arm.non_embedding_parameters, mean.mean));
            sizes.push(arm.non_embedding_parameters as f64);
            losses.push(found);
        }
    }
    let fit = stats::scaling_fit(&sizes, &losses).map(|fit| ScalingFit {
        floor: fit.floor,
        factor: fit.factor,
        exponent: fit.exponent,
        exponent_ci95: fit.exponent_ci95,
    });
    ScalingCurve { arm: name.into(), points, fit }
}

/// The difference of each size by seed, against the logarithm of the size.
fn trend(plan: &Plan, runs: &Runs, name: &str, arms: &[&PlannedArm]) -> Option<ScalingTrend> {
    let mut points = Vec::new();
    for arm in arms {
        let reference = arm.reference.as_ref()?;
        let differences = Contrast::pair(&arm.name, reference).values(&plan.seeds, runs, &plan.metric);
        points.extend(differences.into_iter().map(|difference| (arm.non_embedding_parameters as f64, difference)));
    }
    let trend = stats::trend(&points)?;
    let change = match trend.verdict {
        stats::Change::Shrinks => "the difference to the base shrinks with size",
        stats::Change::Grows => "the difference to the base grows with size",
        stats::Change::Undecided => "these sizes do not tell whether the difference to the base changes with size",
    };
    let interval = trend.slope_ci95.map(|[low, high]| format!(", 95 % interval {} to {}", signed(low), signed(high))).unwrap_or_default();
    let text = format!("{change}: {} per doubling{interval}", signed(trend.slope * std::f64::consts::LN_2));
    Some(ScalingTrend { arm: name.into(), slope: trend.slope, slope_ci95: trend.slope_ci95, text })
}

/// What the compute of each arm is worth, where the base was run with other budgets.
pub(super) fn compute(plan: &Plan, runs: &Runs) -> Option<ComputeSummary> {
    if !plan.arms.iter().any(|arm| arm.role == Role::BaseOfBudget) {
        return None;
    }
    let cost = |arm: &PlannedArm| arm.flops_per_token * arm.tokens as f64;
    let by_seed = |arm: &PlannedArm| -> Vec<Option<f64>> { plan.seeds.iter().map(|seed| value(runs, &arm.name, *seed, &plan.metric)).collect() };
    let mut base: Vec<(f64, Vec<Option<f64>>)> = plan
        .arms
        .iter()
        .filter(|arm| matches!(arm.role, Role::Base | Role::BaseOfBudget))
        .map(|arm| (cost(arm), by_seed(arm)))
        .collect();
    base.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |values: &[Option<f64>]| stats::mean(&values.iter().flatten().copied().collect::<Vec<_>>()).map(|mean| mean.mean);
    let points = base.iter().filter_map(|(cost, values)| Some((*cost, mean(values)?))).collect();
    let arms = plan.arms.iter().filter(|arm| arm.role == Role::Compared && arm.size.is_none());
    let worth = |arm: &PlannedArm| {
        let found = stats::multiplier(&base, cost(arm), &by_seed(arm), plan.lower_is_better);
        let text = match &found {
            Ok(found) => {
                let interval = found.ci95.map(|[low, high]| format!(", 95 % interval {} to {}", short(low), short(high))).unwrap_or_default();
                format!("its compute is worth {} times as much of the base's{interval}", short(found.multiplier))
            }
            Err(why) => why.to_string(),
        };
        let found = found.ok();
        Multiplier { arm: arm.name.clone(), multiplier: found.map(|found| found.multiplier), ci95: found.and_then(|found| found.ci95), text }
    };
    Some(ComputeSummary { base: points, arms: arms.map(worth).collect() })
}
