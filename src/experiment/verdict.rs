//! From plan and records to the answer: means, paired comparisons, Holm's correction, words.

use super::{
    ArmSummary, Comparison, MetricSummary, PlanFile, Record, Summary, Verdict,
    plan::{Plan, PlannedArm},
    runs::{Runs, runs, value},
    warnings::warnings,
};
use crate::{
    stats::{self, detectable, holm, paired},
    train::Outcome,
};
use std::collections::BTreeMap;

/// What the records say about the plan.
pub fn summary(file: &PlanFile, records: &[Record]) -> Summary {
    let plan = &file.current;
    let runs = runs(plan, records);
    let mut comparisons = compare(plan, &runs);
    let arms = plan.arms.iter().map(|arm| summarise(plan, arm, &runs, comparisons.remove(arm.name.as_str()).unwrap_or_default())).collect();
    Summary {
        name: plan.name.clone(),
        question: plan.question.clone(),
        source: plan.source.clone(),
        expected: plan.expected.clone(),
        metric: plan.metric.clone(),
        lower_is_better: plan.lower_is_better,
        alpha: plan.alpha,
        seeds: plan.seeds.clone(),
        design: plan.design.to_string(),
        command: plan.command.clone(),
        arms,
        post_hoc: file.post_hoc(),
        warnings: warnings(plan, &runs),
        tokens_per_parameter: plan.tokens_per_parameter,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// Differences of two arms over the seeds that finished in both.
fn differences(plan: &Plan, runs: &Runs, arm: &str, reference: &str, metric: &str) -> Vec<f64> {
    let pair = |seed: &u64| Some(value(runs, arm, *seed, metric)? - value(runs, reference, *seed, metric)?);
    plan.seeds.iter().filter_map(pair).collect()
}

/// All comparisons by arm, corrected as one family.
fn compare<'a>(plan: &'a Plan, runs: &Runs) -> BTreeMap<&'a str, Vec<Comparison>> {
    let family: Vec<(&PlannedArm, &str)> = plan.comparisons().collect();
    let tests: Vec<_> =
        family.iter().map(|(arm, reference)| paired(&differences(plan, runs, &arm.name, reference, &plan.metric))).collect();
    let adjusted = holm(&tests.iter().map(|test| test.and_then(|test| test.p)).collect::<Vec<_>>());
    // The level that a comparison must pass on its own, whatever the others say: Holm's first step.
    let level = plan.alpha / family.len().max(1) as f64;
    let mut by_arm: BTreeMap<&str, Vec<Comparison>> = BTreeMap::new();
    for (((arm, reference), test), p_adjusted) in family.into_iter().zip(tests).zip(adjusted) {
        let verdict = match (test, p_adjusted) {
            (Some(test), Some(p)) if p <= plan.alpha => {
                if (test.delta < 0.0) == plan.lower_is_better {
                    Verdict::Better
                } else {
                    Verdict::Worse
                }
            }
            (Some(_), Some(_)) => Verdict::NoDifference,
            _ => Verdict::Undecided,
        };
        by_arm.entry(&arm.name).or_default().push(Comparison {
            reference: reference.into(),
            pairs: test.map_or(0, |test| test.pairs),
            delta: test.map(|test| test.delta),
            delta_ci95: test.and_then(|test| test.ci95),
            p: test.and_then(|test| test.p),
            p_adjusted,
            detectable: test.and_then(|test| detectable(test.deviation, test.pairs, level)),
            verdict,
        });
    }
    by_arm
}

fn summarise(plan: &Plan, arm: &PlannedArm, runs: &Runs, comparisons: Vec<Comparison>) -> ArmSummary {
    let name = arm.name.as_str();
    let values: BTreeMap<u64, Option<f64>> = plan.seeds.iter().map(|seed| (*seed, value(runs, name, *seed, &plan.metric))).collect();
    let own: Vec<&Record> = plan.seeds.iter().filter_map(|seed| runs.get(&(name, *seed)).copied()).collect();
    let ended = |outcome| own.iter().filter(|record| record.result.outcome == outcome).count();
    let speeds: Vec<f64> = own
        .iter()
        .filter(|record| record.result.outcome == Outcome::Finished)
        .filter_map(|record| record.result.tokens_per_second.filter(|speed| speed.is_finite()))
        .collect();
    let mean = stats::mean(&values.values().flatten().copied().collect::<Vec<_>>());
    let first = comparisons.first();
    let (diverged, failed) = (ended(Outcome::Diverged), ended(Outcome::Failed));
    ArmSummary {
        name: name.into(),
        reference: arm.reference.clone(),
        parameters: arm.parameters,
        flops_per_token: arm.flops_per_token,
        seeds: ended(Outcome::Finished),
        mean: mean.map(|mean| mean.mean),
        ci95: mean.and_then(|mean| mean.ci95),
        delta: first.and_then(|test| test.delta),
        delta_ci95: first.and_then(|test| test.delta_ci95),
        p: first.and_then(|test| test.p),
        p_adjusted: first.and_then(|test| test.p_adjusted),
        verdict: first.map_or(Verdict::Base, |test| test.verdict),
        verdict_text: words(first, plan, diverged, failed),
        diverged,
        failed,
        tokens_per_second: stats::median(&speeds),
        comparisons,
        values,
        metrics: plan.metrics.iter().map(|metric| (metric.clone(), further(plan, arm, runs, metric))).collect(),
        differences: arm.differences.clone(),
        paired_parameters: arm.paired_parameters,
        folders: own.iter().map(|record| (record.seed, record.folder.clone())).collect(),
    }
}

fn further(plan: &Plan, arm: &PlannedArm, runs: &Runs, metric: &str) -> MetricSummary {
    let values: Vec<f64> = plan.seeds.iter().filter_map(|seed| value(runs, &arm.name, *seed, metric)).collect();
    let mean = stats::mean(&values);
    let test = arm.reference.as_ref().and_then(|reference| paired(&differences(plan, runs, &arm.name, reference, metric)));
    MetricSummary {
        mean: mean.map(|mean| mean.mean),
        ci95: mean.and_then(|mean| mean.ci95),
        delta: test.map(|test| test.delta),
        delta_ci95: test.and_then(|test| test.ci95),
    }
}

/// The verdict of an arm against its reference, in words.
fn words(comparison: Option<&Comparison>, plan: &Plan, diverged: usize, failed: usize) -> String {
    let seeds = plan.seeds.len();
    let lost: String = [(diverged, "diverged"), (failed, "failed")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("; {count} of {seeds} {} {how}", if seeds == 1 { "run" } else { "runs" }))
        .collect();
    let Some(test) = comparison else { return format!("the base{lost}") };
    let interval = test.delta_ci95.map(|[low, high]| format!(", 95 % interval {} to {}", signed(low), signed(high))).unwrap_or_default();
    let p = test
        .p_adjusted
        .map(|p| if p < 0.0001 { ", adjusted p < 0.0001".into() } else { format!(", adjusted p {}", short(p)) })
        .unwrap_or_default();
    let delta = test.delta.unwrap_or(0.0);
    let pairs = if test.pairs == 1 { "1 pair".into() } else { format!("{} pairs", test.pairs) };
    let text = match test.verdict {
        Verdict::Base => "the base".into(),
        Verdict::Better => format!("better than {} by {}{interval}{p}", test.reference, short(delta.abs())),
        Verdict::Worse => format!("worse than {} by {}{interval}{p}", test.reference, short(delta.abs())),
        Verdict::NoDifference if delta == 0.0 && test.delta_ci95 == Some([0.0, 0.0]) => {
            format!("no difference found: exactly 0 against {} in {pairs}", test.reference)
        }
        Verdict::NoDifference => {
            let seen =
                test.detectable.map(|size| format!("; {pairs} would have shown {} with 80 % probability", short(size))).unwrap_or_default();
            format!("no difference to {} found: {}{interval}{p}{seen}", test.reference, signed(delta))
        }
        Verdict::Undecided => format!("undecided: {pairs} of finished runs with {}, two are needed", test.reference),
    };
    text + &lost
}

/// Three significant digits, without exponents down to a millionth.
fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let decimals = (2 - x.abs().log10().floor() as i64).clamp(0, 8) as usize;
    format!("{x:.decimals$}")
}

fn signed(x: f64) -> String {
    if x > 0.0 { format!("+{}", short(x)) } else { short(x) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            plan::tests::{plan, record},
            spec::Design,
        },
        *,
    };
    use Outcome::{Diverged, Failed, Finished};

    /// Finished runs of arms with the given values by seed.
    fn records(values: &[(&str, &[f64])]) -> Vec<Record> {
        let runs = |(arm, values): &(&str, &[f64])| -> Vec<Record> {
            values.iter().enumerate().map(|(seed, value)| record(arm, seed as u64, Finished, *value)).collect()
        };
        values.iter().flat_map(runs).collect()
    }

    fn answer(plan: Plan, records: &[Record]) -> Summary {
        summary(&PlanFile::update(None, plan, false), records)
    }

    #[test]
    fn a_control_that_is_equal_in_every_pair() {
        let values = [2.1, 2.2, 2.3];
        let summary = answer(plan(&["aa"], 3), &records(&[("base", &values), ("aa", &values)]));
        let arm = &summary.arms[1];
        assert_eq!((arm.delta, arm.delta_ci95, arm.p, arm.p_adjusted), (Some(0.0), Some([0.0, 0.0]), Some(1.0), Some(1.0)));
        assert_eq!((arm.verdict, arm.seeds), (Verdict::NoDifference, 3));
        assert_eq!(arm.verdict_text, "no difference found: exactly 0 against base in 3 pairs");
        assert_eq!(summary.arms[0].verdict, Verdict::Base);
        assert_eq!(summary.warnings, Vec::<String>::new());
    }

    #[test]
    fn better_worse_and_no_difference() {
        let base = [2.0, 2.1, 2.2, 2.3, 2.4];
        let shifted = |by: [f64; 5]| -> Vec<f64> { base.iter().zip(by).map(|(value, by)| value + by).collect() };
        let (down, up) = (shifted([-0.1, -0.101, -0.099, -0.1, -0.102]), shifted([0.2, 0.21, 0.19, 0.2, 0.2]));
        let same = shifted([0.01, -0.01, 0.02, -0.015, 0.0]);
        let records = records(&[("base", &base), ("down", &down), ("up", &up), ("same", &same)]);
        let summary = answer(plan(&["down", "up", "same"], 5), &records);
        let verdicts: Vec<_> = summary.arms.iter().map(|arm| arm.verdict).collect();
        assert_eq!(verdicts, [Verdict::Base, Verdict::Better, Verdict::Worse, Verdict::NoDifference]);
        let same = &summary.arms[3];
        assert!(same.verdict_text.contains("would have shown"), "{}", same.verdict_text);
        assert!(same.comparisons[0].detectable.unwrap() > 0.02);
        // The mirror image of the metric mirrors the verdicts.
        let mut higher = plan(&["down", "up", "same"], 5);
        higher.lower_is_better = false;
        let verdicts: Vec<_> = answer(higher, &records).arms.iter().map(|arm| arm.verdict).collect();
        assert_eq!(verdicts, [Verdict::Base, Verdict::Worse, Verdict::Better, Verdict::NoDifference]);
    }

    /// A difference that passes alone fails in a family of many: the correction is over all declared comparisons.
    #[test]
    fn the_family_is_what_was_declared() {
        let base = [2.0, 2.0, 2.0, 2.0, 2.0];
        let arm = [2.01, 2.02, 2.005, 2.015, 2.002];
        let records = records(&[("base", &base), ("a", &arm)]);
        let alone = answer(plan(&["a"], 5), &records);
        let p = alone.arms[1].p.unwrap();
        assert!(p > 0.01 && p < 0.05, "{p}");
        assert_eq!((alone.arms[1].verdict, alone.arms[1].p_adjusted), (Verdict::Worse, Some(p)));
        let among = answer(plan(&["a", "b", "c", "d", "e"], 5), &records);
        assert_eq!((among.arms[1].verdict, among.arms[1].p_adjusted), (Verdict::NoDifference, Some(5.0 * p)));
        assert!(among.arms[1].comparisons[0].detectable > alone.arms[1].comparisons[0].detectable);
        assert_eq!(among.arms[2].verdict, Verdict::Undecided);
    }

    #[test]
    fn diverged_and_failed_runs_are_counted_and_leave_no_pair() {
        let mut records = records(&[("base", &[2.0, 2.1, 2.2, 2.3])]);
        records.push(record("a", 0, Finished, 1.5));
        records.push(record("a", 1, Diverged, 9.9));
        records.push(record("a", 2, Failed, 9.9));
        records.push(record("a", 3, Failed, 9.9));
        records.push(record("a", 3, Finished, 1.9));
        let arm = answer(plan(&["a"], 4), &records).arms.remove(1);
        assert_eq!((arm.seeds, arm.diverged, arm.failed, arm.comparisons[0].pairs), (2, 1, 1, 2));
        assert_eq!(arm.values, [(0, Some(1.5)), (1, None), (2, None), (3, Some(1.9))].into_iter().collect());
        assert!(arm.verdict_text.ends_with("; 1 of 4 runs diverged; 1 of 4 runs failed"), "{}", arm.verdict_text);
    }

    #[test]
    fn one_pair_decides_nothing() {
        let summary = answer(plan(&["a"], 1), &records(&[("base", &[2.0]), ("a", &[1.0])]));
        let arm = &summary.arms[1];
        assert_eq!((arm.verdict, arm.delta, arm.p, arm.ci95), (Verdict::Undecided, Some(-1.0), None, None));
        assert!(summary.warnings.iter().any(|warning| warning.contains("seed")), "{:?}", summary.warnings);
    }

    #[test]
    fn a_ladder_compares_with_the_rung_before_and_the_base() {
        let mut ladder = plan(&["a", "b"], 3);
        ladder.design = Design::Ladder;
        ladder.arms[2].reference = Some("a".into());
        ladder.arms[2].references = vec!["a".into(), "base".into()];
        let records = records(&[("base", &[2.0, 2.1, 2.2]), ("a", &[1.9, 2.0, 2.1]), ("b", &[1.7, 1.81, 1.92])]);
        let summary = answer(ladder, &records);
        let b = &summary.arms[2];
        let found: Vec<_> = b.comparisons.iter().map(|c| (c.reference.as_str(), (c.delta.unwrap() * 100.0).round())).collect();
        assert_eq!(found, [("a", -19.0), ("base", -29.0)]);
        assert_eq!((b.reference.as_deref(), b.delta), (Some("a"), b.comparisons[0].delta));
        // Three comparisons in the family.
        assert_eq!(summary.arms[1].comparisons[0].p_adjusted.map(|p| p >= summary.arms[1].p.unwrap()), Some(true));
    }

    #[test]
    fn further_metrics_may_be_undefined() {
        let metric = "valid/bits_per_byte@2x";
        let mut records = records(&[("base", &[2.0, 2.1]), ("a", &[2.0, 2.2])]);
        for (record, value) in records.iter_mut().zip([2.5, 2.7]) {
            record.result.metrics.insert(metric.into(), value);
        }
        let mut plan = plan(&["a"], 2);
        plan.metrics = vec![metric.into()];
        let summary = answer(plan, &records);
        assert_eq!(summary.arms[0].metrics[metric].mean, Some(2.6));
        let undefined = &summary.arms[1].metrics[metric];
        assert_eq!((undefined.mean, undefined.delta), (None, None));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.012345, 1.5, -0.00001234, 123.4, 0.0].map(short), ["0.0123", "1.50", "-0.0000123", "123", "0"]);
        assert_eq!([0.5, -0.5, 0.0].map(signed), ["+0.500", "-0.500", "0"]);
    }
}
