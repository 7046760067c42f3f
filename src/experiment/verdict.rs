//! From plan and records to the answer.

use super::{
    ArmSummary, Comparison, Cost, EffectSummary, MetricSummary, PlanFile, Record, Role, Summary, Verdict,
    compare::compare,
    contrast::Contrast,
    plan::{Plan, PlannedArm},
    published::published,
    runs::{Runs, runs, value},
    scaling,
    sensitivity::sensitivity,
    sentence,
    wanted::seeds,
    warnings::warnings,
};
use crate::{
    stats::{self, paired},
    train::Outcome,
};
use std::collections::BTreeMap;

/// What the records say about the plan.
pub fn summary(file: &PlanFile, records: &[Record]) -> Summary {
    let plan = &file.current;
    let runs = runs(plan, records);
    let mut compared = compare(plan, &runs).into_iter();
    let mut costs = costs(plan, records);
    let needed = seeds(plan, &runs);
    let arms: Vec<ArmSummary> = needed
        .iter()
        .map(|(arm, seeds)| {
            let comparisons = compared.by_ref().take(arm.references.len()).collect();
            summarise(plan, arm, *seeds, &runs, comparisons, costs.remove(arm.name.as_str()).unwrap_or_default())
        })
        .collect();
    let effects = plan.effects.iter().zip(compared).map(|(effect, comparison)| EffectSummary {
        name: effect.name.clone(),
        factors: effect.factors.clone(),
        levels: effect.levels.clone(),
        aliases: effect.aliases.clone(),
        text: effect_text(&effect.factors, &comparison, plan),
        comparison,
    });
    let most = needed.iter().map(|(_, count)| *count).max().unwrap_or(0);
    Summary {
        name: plan.name.clone(),
        question: plan.question.clone(),
        source: plan.source.clone(),
        expected: plan.expected.clone(),
        metric: plan.metric.clone(),
        lower_is_better: plan.lower_is_better,
        alpha: plan.alpha,
        margin: plan.margin,
        seeds: plan.seeds[..most].to_vec(),
        sequential: plan.sequential,
        design: plan.design.to_string(),
        matched: plan.matched_within(),
        command: plan.command.clone(),
        effects: effects.collect(),
        scaling: scaling::scaling(plan, &runs),
        compute: scaling::compute(plan, &runs),
        tuning: plan.arms.iter().filter_map(|arm| arm.tuning.clone()).collect(),
        left_out: plan.left_out.clone(),
        published: published(plan, &runs),
        factors: sensitivity(plan, &runs),
        arms,
        post_hoc: file.post_hoc(),
        warnings: warnings(plan, records, &runs),
        tokens_per_parameter: plan.tokens_per_parameter,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// A main effect compares with the base's level, an interaction with the sum of two effects.
fn effect_text(factors: &[String], comparison: &Comparison, plan: &Plan) -> String {
    let reference = if factors.len() == 1 { "the base's level" } else { "the sum of the single effects" };
    sentence::verdict(comparison, reference, plan.margin)
}

/// What the runs of each arm cost, all stages and attempts.
fn costs<'a>(plan: &'a Plan, records: &'a [Record]) -> BTreeMap<&'a str, Cost> {
    let mut costs: BTreeMap<&str, Cost> = BTreeMap::new();
    for record in records {
        let Some(arm) = plan.arm(&record.arm) else { continue };
        let cost = costs.entry(&arm.name).or_default();
        cost.runs += 1;
        cost.tuning_runs += usize::from(!record.stage.is_compare());
        cost.tokens += record.result.tokens;
        cost.flops += arm.flops_per_token * record.result.tokens as f64;
        cost.seconds += record.result.seconds;
        cost.peak_memory_bytes = cost.peak_memory_bytes.max(record.result.peak_memory_bytes);
    }
    costs
}

fn summarise(plan: &Plan, arm: &PlannedArm, seeds: usize, runs: &Runs, comparisons: Vec<Comparison>, cost: Cost) -> ArmSummary {
    let name = arm.name.as_str();
    let seeds = &plan.seeds[..seeds];
    let values: BTreeMap<u64, Option<f64>> = seeds.iter().map(|seed| (*seed, value(runs, name, *seed, &plan.metric))).collect();
    let own: Vec<&Record> = seeds.iter().filter_map(|seed| runs.get(&(name, *seed)).copied()).collect();
    let ended = |outcome| own.iter().filter(|record| record.result.outcome == outcome).count();
    let speeds: Vec<f64> = own
        .iter()
        .filter(|record| record.result.outcome == Outcome::Finished)
        .filter_map(|record| record.result.tokens_per_second.filter(|speed| speed.is_finite()))
        .collect();
    let mean = stats::mean(&values.values().flatten().copied().collect::<Vec<_>>());
    let (diverged, failed) = (ended(Outcome::Diverged), ended(Outcome::Failed));
    let first = comparisons.first();
    let none = if arm.role == Role::Base { Verdict::Base } else { Verdict::NotCompared };
    let text = match (first, arm.role) {
        (Some(first), _) => sentence::verdict(first, &first.reference, plan.margin),
        (None, Role::BaseOfSize) => format!("the base at size {}", arm.size.as_deref().unwrap_or_default()),
        (None, Role::BaseOfBudget) => "the base with another budget".into(),
        (None, Role::Cell) => "a cell of the design".into(),
        (None, Role::Base | Role::Compared) => "the base".into(),
    };
    ArmSummary {
        name: name.into(),
        reference: arm.reference.clone(),
        parameters: arm.parameters,
        flops_per_token: arm.flops_per_token,
        tokens: arm.tokens,
        role: arm.role,
        levels: arm.levels.clone(),
        cost,
        seeds: ended(Outcome::Finished),
        mean: mean.map(|mean| mean.mean),
        ci95: mean.and_then(|mean| mean.ci95),
        delta: first.and_then(|test| test.delta),
        delta_ci95: first.and_then(|test| test.delta_ci95),
        p: first.and_then(|test| test.p),
        p_adjusted: first.and_then(|test| test.p_adjusted),
        verdict: first.map_or(none, |test| test.verdict),
        verdict_text: text + &sentence::lost(seeds.len(), diverged, failed),
        diverged,
        failed,
        tokens_per_second: stats::median(&speeds),
        comparisons,
        values,
        metrics: plan.metrics.iter().map(|metric| (metric.clone(), further(plan, arm, runs, metric))).collect(),
        solved: arm.solved.clone(),
        differences: arm.differences.clone(),
        paired_parameters: arm.paired_parameters,
        folders: own.iter().map(|record| (record.seed, record.folder.clone())).collect(),
    }
}

fn further(plan: &Plan, arm: &PlannedArm, runs: &Runs, metric: &str) -> MetricSummary {
    let values: Vec<f64> = plan.seeds.iter().filter_map(|seed| value(runs, &arm.name, *seed, metric)).collect();
    let mean = stats::mean(&values);
    let pair = arm.reference.as_ref().map(|reference| Contrast::pair(&arm.name, reference));
    let test = pair.and_then(|pair| paired(&pair.values(&plan.seeds, runs, metric)));
    MetricSummary {
        mean: mean.map(|mean| mean.mean),
        ci95: mean.and_then(|mean| mean.ci95),
        delta: test.map(|test| test.delta),
        delta_ci95: test.and_then(|test| test.ci95),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Quantity, Solved,
            design::Effect,
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

    /// From the cells of a factorial design to contrasts, Holm's correction and words.
    #[test]
    fn effects_are_judged_as_one_family() {
        let mut factorial = plan(&["norm", "rope", "both"], 5);
        factorial.design = Design::Factorial;
        for arm in &mut factorial.arms[1..] {
            (arm.role, arm.reference, arm.references) = (Role::Cell, None, vec![]);
        }
        let effect = |factors: &[&str], weights: [f64; 4]| Effect {
            name: factors.join(" × "),
            factors: factors.iter().map(ToString::to_string).collect(),
            levels: vec!["on".into(); factors.len()],
            aliases: vec![],
            weights: ["base", "norm", "rope", "both"].map(String::from).into_iter().zip(weights).collect(),
        };
        factorial.effects = vec![
            effect(&["norm"], [-0.5, 0.5, -0.5, 0.5]),
            effect(&["rope"], [-0.5, -0.5, 0.5, 0.5]),
            effect(&["norm", "rope"], [1.0, -1.0, -1.0, 1.0]),
        ];
        let base = [2.0, 2.1, 2.2, 2.3, 2.4];
        let cell = |shift: f64, noise: [f64; 5]| -> Vec<f64> { base.iter().zip(noise).map(|(base, noise)| base + shift + noise).collect() };
        let norm = cell(-0.1, [0.001, -0.001, 0.002, 0.0, -0.002]);
        let rope = cell(0.05, [-0.001, 0.001, 0.0, 0.002, -0.002]);
        let both = cell(-0.05, [0.002, 0.0, -0.001, -0.001, 0.001]);
        let mut records = records(&[("base", &base), ("norm", &norm), ("rope", &rope), ("both", &both)]);
        let summary = answer(factorial.clone(), &records);
        let found = |of: fn(&Comparison) -> Option<f64>| summary.effects.iter().map(|effect| of(&effect.comparison)).collect::<Vec<_>>();
        let rounded: Vec<f64> = found(|test| test.delta).into_iter().map(|delta| (delta.unwrap() * 1e4).round()).collect();
        assert_eq!(rounded, [-999.0, 501.0, 2.0]);
        assert_eq!(found(|test| test.p_adjusted), stats::holm(&found(|test| test.p)));
        let verdicts: Vec<Verdict> = summary.effects.iter().map(|effect| effect.comparison.verdict).collect();
        assert_eq!(verdicts, [Verdict::Better, Verdict::Worse, Verdict::NoDifference]);
        let begins =
            ["better than the base's level by 0.0999,", "worse than the base's level by 0.0501,", "no difference to the sum of the"];
        for (effect, begin) in summary.effects.iter().zip(begins) {
            assert!(effect.text.starts_with(begin), "{}", effect.text);
            assert!(effect.comparison.would_change.is_some(), "{}: what would change it?", effect.name);
        }
        assert_eq!(
            summary.effects[0].comparison.would_change.as_deref().map(|text| text.starts_with("the differences would have to")),
            Some(true)
        );
        assert_eq!(summary.arms[1].verdict_text, "a cell of the design");
        // A cell that is lost with one seed leaves that seed without any effect.
        records.last_mut().unwrap().result.outcome = Diverged;
        assert!(answer(factorial, &records).effects.iter().all(|effect| effect.comparison.pairs == 4));
    }

    /// A test that was looked at on the way has the last look's level, and what it could have seen is said by that.
    #[test]
    fn sequential_seeds_could_have_seen_less() {
        let base = [2.0; 6];
        let arm = [2.01, 1.99, 2.02, 1.985, 2.0, 2.012];
        let records = records(&[("base", &base), ("a", &arm)]);
        let of = |sequential| answer(Plan { sequential, ..plan(&["a"], 6) }, &records).arms.remove(1).comparisons.remove(0);
        let (fixed, looking) = (of(None), of(Some([3, 6])));
        assert_eq!((looking.pairs, looking.verdict), (6, Verdict::NoDifference));
        let deviation = paired(&arm.map(|value| value - 2.0)).unwrap().deviation;
        let level = stats::Looks::new(3, 6, 0.05).unwrap().level(6).unwrap();
        assert_eq!(looking.detectable, stats::detectable(deviation, 6, level));
        assert!(looking.detectable > fixed.detectable && looking.pairs_needed > fixed.pairs_needed);
        let text = looking.would_change.unwrap();
        assert!(text.contains("fixed seeds would find it") && text.ends_with("this plan ends at 6"), "{text}");
    }

    #[test]
    fn what_was_matched_is_told_with_what_is_left() {
        let mut matched = plan(&["a", "b"], 2);
        matched.matched = vec!["parameters, by model.feed_forward.hidden".into(), "training FLOPs, by train.steps".into()];
        let solved = |quantity: Quantity, residual: f64| Solved {
            key: "key".into(),
            value: 1,
            quantity,
            achieved: 1.0 + residual,
            target: 1.0,
            residual,
        };
        matched.arms[1].solved = vec![solved(Quantity::Parameters, 0.004), solved(Quantity::Flops, 0.0)];
        matched.arms[2].solved = vec![solved(Quantity::Parameters, -0.139), solved(Quantity::Flops, 0.0)];
        let summary = answer(matched.clone(), &records(&[("base", &[2.0, 2.1])]));
        let told = ["parameters, by model.feed_forward.hidden, within 13.9 % (most: b -13.9 %)", "training FLOPs, by train.steps"];
        assert_eq!(summary.matched, told);
        assert_eq!(summary.arms[2].solved, matched.arms[2].solved);
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
}
