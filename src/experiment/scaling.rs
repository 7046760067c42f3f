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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            plan::tests::{plan, record},
            runs::runs,
        },
        *,
    };
    use crate::train::Outcome;

    /// Base and `a` at sizes beside the base's own.
    fn sizes(names: &[(&str, u64)]) -> Plan {
        let arms: Vec<String> = std::iter::once("a".to_string())
            .chain(names.iter().flat_map(|(size, _)| [format!("base.{size}"), format!("a.{size}")]))
            .collect();
        let mut plan = plan(&arms.iter().map(String::as_str).collect::<Vec<_>>(), 3);
        plan.design = Design::LadderOfSizes;
        for arm in &mut plan.arms {
            let (root, size) = arm.name.split_once('.').map_or((arm.name.as_str(), None), |(root, size)| (root, Some(size)));
            arm.non_embedding_parameters = size.map_or(1_000_000, |size| names.iter().find(|(name, _)| *name == size).unwrap().1);
            arm.size = size.map(String::from);
            if root == BASE && size.is_some() {
                (arm.role, arm.reference, arm.references) = (Role::BaseOfSize, None, vec![]);
            } else if let Some(size) = size {
                let reference = format!("{BASE}.{size}");
                (arm.reference, arm.references) = (Some(reference.clone()), vec![reference]);
            }
        }
        plan
    }

    /// The answer where losses follow a law: of the base 1.5 + 20 · N^-0.3, of the arm with a smaller or a larger factor.
    fn by_law(plan: &Plan, factor: f64) -> ScalingSummary {
        let mut records = Vec::new();
        for arm in &plan.arms {
            for seed in 0..3 {
                let factor = if arm.name.starts_with(BASE) { 20.0 } else { factor * (1.0 + 0.001 * seed as f64) };
                let loss = 1.5 + factor * (arm.non_embedding_parameters as f64).powf(-0.3);
                records.push(record(&arm.name, seed, Outcome::Finished, loss));
            }
        }
        scaling(plan, &runs(plan, &records)).unwrap()
    }

    #[test]
    fn laws_are_fitted_and_differences_followed_over_sizes() {
        let plan = sizes(&[("s", 100_000), ("l", 10_000_000), ("xl", 100_000_000)]);
        let found = by_law(&plan, 18.0);
        assert_eq!(found.curves.iter().map(|curve| curve.arm.as_str()).collect::<Vec<_>>(), ["base", "a"]);
        let points: Vec<(&str, u64)> = found.curves[1].points.iter().map(|(size, count, _)| (size.as_str(), *count)).collect();
        assert_eq!(points, [("s", 100_000), ("base", 1_000_000), ("l", 10_000_000), ("xl", 100_000_000)]);
        for curve in &found.curves {
            let fit = curve.fit.unwrap();
            assert!((fit.exponent - 0.3).abs() < 0.01 && (fit.floor.unwrap() - 1.5).abs() < 0.02 && fit.residual < 1e-3, "{fit:?}");
        }
        // 2 · N^-0.3 less than the base.
        let trend = &found.trends[0];
        assert!(trend.arm == "a" && trend.slope > 0.0 && trend.ends[0] < trend.ends[1], "{trend:?}");
        assert!(trend.text.starts_with("the difference to the base shrinks with size: +0.0"), "{}", trend.text);
        assert!(trend.text.ends_with("; exploratory"));
    }

    #[test]
    fn few_sizes_have_no_floor_and_fewer_no_fit() {
        let three = by_law(&sizes(&[("s", 100_000), ("l", 10_000_000)]), 22.0);
        assert!(three.curves.iter().all(|curve| curve.fit.is_some_and(|fit| fit.floor.is_none())), "{three:?}");
        let two = by_law(&sizes(&[("s", 100_000)]), 22.0);
        for curve in &two.curves {
            assert_eq!((curve.fit, curve.points.len()), (None, 2));
            assert!(curve.note.as_ref().unwrap().contains("3 different model sizes or more, and there are 2"), "{:?}", curve.note);
        }
        assert_eq!(two.trends.len(), 1, "two sizes still have a direction");
        assert_eq!(scaling(&plan(&["a"], 3), &Default::default()), None, "no ladder of sizes");
    }

    /// The base loses 0.2 with every doubling of its tokens; arms of its own budget have these losses.
    fn worth(budgets: &[(&str, u64)], arms: &[(&str, f64)], higher: bool) -> ComputeSummary {
        let names: Vec<&str> = arms.iter().map(|(name, _)| *name).chain(budgets.iter().map(|(name, _)| *name)).collect();
        let mut plan = plan(&names, 3);
        plan.lower_is_better = !higher;
        let mut records = Vec::new();
        for arm in &mut plan.arms {
            if let Some((_, tokens)) = budgets.iter().find(|(name, _)| *name == arm.name) {
                (arm.role, arm.tokens, arm.reference, arm.references) = (Role::BaseOfBudget, *tokens, None, vec![]);
            }
            let of_arm = arms.iter().find(|(name, _)| *name == arm.name).map(|(_, loss)| *loss);
            let loss = of_arm.unwrap_or_else(|| 3.0 - 0.2 * (arm.tokens as f64 / 50_000.0).log2());
            for seed in 0..3 {
                let loss = loss + 0.01 * seed as f64;
                records.push(record(&arm.name, seed, Outcome::Finished, if higher { 10.0 - loss } else { loss }));
            }
        }
        compute(&plan, &runs(&plan, &records)).unwrap()
    }

    #[test]
    fn compute_is_worth_what_the_base_needs_for_the_same_and_never_more_than_it_tried() {
        let budgets = [("base.long", 200_000), ("base.short", 12_500)];
        for higher in [false, true] {
            let found = worth(&budgets, &[("twice", 2.8), ("far", 2.5), ("poor", 3.5)], higher);
            let spent: Vec<f64> = found.base.iter().map(|(flops, _)| *flops).collect();
            assert_eq!(spent, [12_500.0, 50_000.0, 200_000.0].map(|tokens| 6000.0 * tokens), "ascending");
            let [twice, far, poor] = &found.arms[..] else { panic!("{found:?}") };
            assert!((twice.multiplier.unwrap() - 2.0).abs() < 1e-6 && twice.text.contains("worth 2.00 times"), "{twice:?}");
            let [low, high] = twice.ci95.unwrap();
            assert!((low - 2.0).abs() < 1e-6 && (high - 2.0).abs() < 1e-6);
            assert_eq!((far.multiplier, far.text.as_str()), (None, "worth more than 4.00 times; beyond the base's largest budget"));
            assert_eq!((poor.multiplier, poor.text.as_str()), (None, "worth less than 0.250 times; below the base's smallest budget"));
        }
        let two = worth(&budgets[..1], &[("twice", 2.8)], false);
        assert!(two.arms[0].text.contains("3 different budgets or more, and there are 2"), "{}", two.arms[0].text);
    }
}
