//! The example in every design: tuned with a margin, factorial, over sizes, over budgets, and with a thousand runs.

use super::example::{self, comparison, wobble};
use ablate::experiment::{
    ComputeSummary, EffectSummary, EquivalenceSummary, Multiplier, Role, Rung, ScalingCurve, ScalingFit, ScalingSummary, ScalingTrend,
    Summary, TrialSummary, TuningSummary, Verdict,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Feed-forwards with tuned learning rates, a margin and seeds that stop: one equivalent, one chosen on the edge.
pub fn tuned() -> Summary {
    let arms = [
        ("relu", 0.0, Verdict::Base),
        ("gelu", 0.0011, Verdict::Equivalent),
        ("swiglu", -0.0221, Verdict::Better),
        ("maxout", 0.0052, Verdict::NoDifference),
    ];
    let mut summary = example::summary(&arms, 6, false);
    summary.name = "feed-forward".into();
    summary.question = "Do gated feed-forwards beat ReLU at equal parameters, each at its own best learning rate?".into();
    summary.margin = Some(0.01);
    summary.sequential = Some([3, 8]);
    for arm in &mut summary.arms {
        for comparison in &mut arm.comparisons {
            let (delta, [low, high]) = (comparison.delta.unwrap(), comparison.delta_ci95.unwrap());
            let inner = (high - low) * 0.41;
            let p = if delta.abs() < 0.003 { 0.0004 } else { 0.31 };
            comparison.equivalence = Some(EquivalenceSummary { p, p_adjusted: p * 2.0, interval: [delta - inner, delta + inner] });
        }
        arm.cost.tuning_runs = 24;
        arm.cost.runs += 24;
    }
    let rates = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2];
    let decays = [0.0, 0.1, 0.3];
    let names: Vec<String> = summary.arms.iter().map(|arm| arm.name.clone()).collect();
    summary.tuning = names.iter().enumerate().map(|(index, name)| tuning(index, name, &rates, &decays)).collect();
    summary
}

fn tuning(index: usize, name: &str, rates: &[f64], decays: &[f64]) -> TuningSummary {
    let best = [-2.5f64, -2.4, -2.0, -1.4][index % 4];
    let trial = |at: usize, steps: usize| {
        let (rate, decay) = (rates[at / decays.len()], decays[at % decays.len()]);
        let level = 2.9 - 0.13 * (steps as f64 / 100.0).ln() - 0.02 * index as f64;
        let mean = level + 0.09 * (rate.log10() - best).powi(2) + 0.02 * (decay - 0.1) + 0.004 * wobble(at as u64 + 31 * index as u64);
        // The largest rate loses a seed with the base's feed-forward, and with it the mean.
        let lost = rate > 0.02 && index < 2;
        let values = BTreeMap::from([(1000, Some(mean - 0.004)), (1001, (!lost).then_some(mean + 0.004))]);
        let settings = BTreeMap::from([("optimizer.lr".to_string(), json!(rate)), ("optimizer.weight_decay".to_string(), json!(decay))]);
        TrialSummary { trial: at, settings, values, mean: (!lost).then_some(mean) }
    };
    let all: Vec<TrialSummary> = (0..rates.len() * decays.len()).map(|at| trial(at, 200)).collect();
    let rank = |trial: &TrialSummary| trial.mean.unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| rank(&all[*a]).total_cmp(&rank(&all[*b])));
    order.truncate(5);
    order.sort_unstable();
    let second: Vec<TrialSummary> = order.iter().map(|at| trial(*at, 800)).collect();
    let chosen = second.iter().min_by(|a, b| rank(a).total_cmp(&rank(b))).map(|trial| trial.trial);
    let rate = chosen.map(|at| rates[at / decays.len()]);
    let edges = if rate == Some(rates[4]) { vec!["optimizer.lr = 0.03 is the highest value tried".into()] } else { vec![] };
    TuningSummary { arm: name.into(), rungs: vec![Rung { steps: 200, trials: all }, Rung { steps: 800, trials: second }], chosen, edges }
}

/// Two norms and three positions, in all combinations.
pub fn factorial() -> Summary {
    let cells = [
        ("base", None, None),
        ("norm-rms", Some("rms"), None),
        ("position-rope", None, Some("rope")),
        ("norm-rms.position-rope", Some("rms"), Some("rope")),
        ("position-alibi", None, Some("alibi")),
        ("norm-rms.position-alibi", Some("rms"), Some("alibi")),
    ];
    let effect = |norm: Option<&str>, position: Option<&str>| {
        let single = norm.map_or(0.0, |_| -0.004)
            + match position {
                Some("rope") => -0.05,
                Some(_) => -0.031,
                None => 0.0,
            };
        single + if norm.is_some() && position == Some("rope") { 0.012 } else { 0.0 }
    };
    let arms: Vec<example::Arm> = cells
        .iter()
        .map(|(name, norm, position)| (*name, effect(*norm, *position), if *name == "base" { Verdict::Base } else { Verdict::NotCompared }))
        .collect();
    let mut summary = example::summary(&arms, 5, false);
    summary.name = "norm-position".into();
    summary.question = "Does what a norm is worth depend on the positions?".into();
    summary.design = "factorial".into();
    for (arm, (_, norm, position)) in summary.arms.iter_mut().zip(cells).skip(1) {
        arm.role = Role::Cell;
        (arm.verdict, arm.reference, arm.comparisons, arm.verdict_text) =
            (Verdict::NotCompared, None, vec![], "a cell of the design".into());
        (arm.delta, arm.delta_ci95, arm.p, arm.p_adjusted) = (None, None, None, None);
        let level = |factor: &str, level: Option<&str>| level.map(|level| (factor.to_string(), Value::from(level)));
        arm.levels = [level("norm", norm), level("position", position)].into_iter().flatten().collect();
    }
    let made = |parts: &[(&str, &str)], delta: f64, verdict, text: &str| EffectSummary {
        name: parts.iter().map(|(factor, level)| format!("{factor}: {level}")).collect::<Vec<_>>().join(" × "),
        factors: parts.iter().map(|(factor, _)| factor.to_string()).collect(),
        levels: parts.iter().map(|(_, level)| level.to_string()).collect(),
        aliases: vec![],
        comparison: comparison("base", delta, 0.0023, 5, verdict),
        text: text.into(),
    };
    summary.effects = vec![
        made(&[("norm", "rms")], 0.0, Verdict::NoDifference, "no difference to the base's level found: 0"),
        made(&[("position", "rope")], -0.044, Verdict::Better, "better than the base's level by 0.0440"),
        made(&[("position", "alibi")], -0.031, Verdict::Better, "better than the base's level by 0.0310"),
        made(&[("norm", "rms"), ("position", "rope")], 0.012, Verdict::Worse, "worse than the sum of the single effects by 0.0120"),
        made(&[("norm", "rms"), ("position", "alibi")], 0.0, Verdict::NoDifference, "no difference to the sum of the single effects found"),
    ];
    summary
}

/// Two arms at three sizes each; one has no fit.
pub fn sizes() -> Summary {
    let names = ["base", "rope", "base.s", "rope.s", "base.l", "rope.l"];
    let level = [2.31, 2.27, 2.45, 2.43, 2.19, 2.14];
    let arms: Vec<example::Arm> = names
        .iter()
        .zip(level)
        .map(|(name, level)| {
            let verdict = match *name {
                "base" => Verdict::Base,
                name if name.starts_with("base") => Verdict::NotCompared,
                _ => Verdict::Better,
            };
            (*name, level - 2.31, verdict)
        })
        .collect();
    let mut summary = example::summary(&arms, 4, false);
    summary.name = "positions-by-size".into();
    summary.design = "ladder-of-sizes".into();
    for (index, arm) in summary.arms.iter_mut().enumerate() {
        arm.parameters = [1_800_000, 1_800_000, 600_000, 600_000, 5_400_000, 5_400_000][index];
        if arm.name.starts_with("base.") {
            arm.role = Role::BaseOfSize;
            (arm.reference, arm.delta, arm.delta_ci95, arm.p, arm.p_adjusted) = (None, None, None, None, None);
            arm.comparisons.clear();
        } else if arm.reference.is_some() {
            let reference = arm.name.replace("rope", "base");
            let delta = [0.0, -0.04, 0.0, -0.02, 0.0, -0.05][index];
            arm.comparisons = vec![comparison(&reference, delta, 0.004, 4, Verdict::Better)];
            (arm.reference, arm.delta, arm.delta_ci95) = (Some(reference), Some(delta), arm.comparisons[0].delta_ci95);
        }
    }
    let points = |levels: [f64; 3]| -> Vec<(String, u64, f64)> {
        ["s", "base", "l"]
            .iter()
            .zip([450_000u64, 1_400_000, 4_600_000])
            .zip(levels)
            .map(|((name, n), level)| (name.to_string(), n, level))
            .collect()
    };
    let fit = ScalingFit {
        floor: Some(1.62),
        factor: 8.34,
        exponent: 0.177,
        exponent_ci95: Some([0.151, 0.203]),
        floor_ci95: None,
        residual: 0.0083,
    };
    let text = "the difference to the base grows with size: -0.0300 per tenfold size, 95 % interval -0.0400 to -0.0200; exploratory";
    summary.scaling = Some(ScalingSummary {
        curves: vec![
            ScalingCurve { arm: "base".into(), points: points([2.45, 2.31, 2.19]), fit: Some(fit), note: None },
            ScalingCurve {
                arm: "rope".into(),
                points: points([2.43, 2.27, 2.14]),
                fit: None,
                note: Some("three sizes cannot tell a floor".into()),
            },
        ],
        trends: vec![ScalingTrend {
            arm: "rope".into(),
            slope: -0.03,
            slope_ci95: Some([-0.04, -0.02]),
            p: Some(0.001),
            ends: [-0.02, -0.05],
            text: text.into(),
        }],
    });
    summary
}

/// An arm beside the base at four budgets.
pub fn budgets() -> Summary {
    let arms = [
        ("base", 0.0, Verdict::Base),
        ("rope", -0.05, Verdict::Better),
        ("relu", 0.4, Verdict::Worse),
        ("base.300", 0.21, Verdict::NotCompared),
        ("base.1200", -0.14, Verdict::NotCompared),
        ("base.2400", -0.23, Verdict::NotCompared),
    ];
    let mut summary = example::summary(&arms, 4, false);
    summary.name = "compute".into();
    for (arm, tokens) in summary.arms.iter_mut().skip(3).zip([4_096_000, 16_384_000, 32_768_000]) {
        arm.role = Role::BaseOfBudget;
        (arm.tokens, arm.reference, arm.verdict) = (tokens, None, Verdict::NotCompared);
        arm.comparisons.clear();
        (arm.delta, arm.delta_ci95, arm.p, arm.p_adjusted) = (None, None, None, None);
    }
    let flops = |index: usize| summary.arms[index].flops_per_token * summary.arms[index].tokens as f64;
    let base = [3, 0, 4, 5].map(|index| (flops(index), summary.arms[index].mean.unwrap()));
    summary.compute = Some(ComputeSummary {
        base: base.into(),
        arms: vec![
            Multiplier {
                arm: "rope".into(),
                multiplier: Some(1.29),
                ci95: Some([1.2, 1.4]),
                text: "its compute is worth 1.29 times as much of the base's, 95 % interval 1.20 to 1.40".into(),
            },
            Multiplier {
                arm: "relu".into(),
                multiplier: None,
                ci95: None,
                text: "worth less than 0.500 times; below the base's smallest budget".into(),
            },
        ],
    });
    summary.left_out = vec!["theta-1e5: params = 21,000,000 breaks `params <= 20e6`".into(), "theta-1e4 is the same run as base".into()];
    summary
}

/// Many arms, each with five seeds.
pub fn many(arms: usize) -> Summary {
    let names: Vec<String> = (0..arms).map(|i| format!("random-{i:03}")).collect();
    let verdict = |effect: f64| match effect {
        e if e < -0.005 => Verdict::Better,
        e if e > 0.005 => Verdict::Worse,
        _ => Verdict::NoDifference,
    };
    let arm = |(i, name): (usize, &'_ String)| -> (String, f64, Verdict) {
        let effect = 0.05 * wobble(i as u64);
        (name.clone(), effect, if i == 0 { Verdict::Base } else { verdict(effect) })
    };
    let owned: Vec<(String, f64, Verdict)> = names.iter().enumerate().map(arm).collect();
    let arms: Vec<example::Arm> = owned.iter().map(|(name, effect, verdict)| (name.as_str(), *effect, *verdict)).collect();
    let mut summary = example::summary(&arms, 5, false);
    (summary.name, summary.design) = ("search".into(), "random".into());
    summary
}
