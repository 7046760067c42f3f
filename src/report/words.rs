//! The sentences of the report: what was found, what it rests on, what it does not cover.

use super::number;
use crate::experiment::{ArmSummary, Summary, Verdict};
use std::collections::BTreeSet;

/// Below this many training tokens per parameter an experiment is a pilot: a compute-optimal model sees about twenty
/// (Hoffmann et al. 2022, arXiv:2203.15556, table 3).
const PILOT: f64 = 20.0;

/// A verdict in words.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Base => "base",
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equivalent",
        Verdict::NoDifference => "no difference found",
        Verdict::Undecided => "undecided",
        Verdict::NotCompared => "not compared",
    }
}

/// A metric's key in words: `valid/bits_per_byte@2x` is `validation bits per byte at 2× the training context`.
pub fn metric(key: &str) -> String {
    let (name, context) = match key.split_once('@') {
        Some((name, context)) => (name, Some(context)),
        None => (key, None),
    };
    let mut words = name.replace('_', " ");
    for (prefix, meaning) in [("valid/", "validation "), ("train/", "training ")] {
        if let Some(rest) = words.strip_prefix(prefix) {
            words = format!("{meaning}{rest}");
        }
    }
    match context {
        Some(times) => format!("{words} at {} the training context", times.replace('x', "×")),
        None => words,
    }
}

/// Keys of the further metrics that any arm has, in order.
pub fn further_metrics(summary: &Summary) -> Vec<&str> {
    let keys: BTreeSet<&str> = summary.arms.iter().flat_map(|arm| arm.metrics.keys().map(String::as_str)).collect();
    keys.into_iter().filter(|key| *key != summary.metric).collect()
}

/// Decimals of the primary metric's means, and of its differences.
pub fn decimals(summary: &Summary) -> (usize, usize) {
    let means = number::decimals(summary.arms.iter().filter_map(|arm| arm.ci95).map(number::half));
    let deltas = number::decimals(summary.arms.iter().filter_map(|arm| arm.delta_ci95).map(number::half));
    (means, deltas)
}

/// The answer to the question, one sentence per element, generated from the verdicts.
pub fn answer(summary: &Summary) -> Vec<String> {
    let arms: Vec<&ArmSummary> = summary.arms.iter().filter(|arm| arm.verdict != Verdict::Base).collect();
    if arms.is_empty() {
        return vec!["There is nothing to compare: the experiment has no arm besides its base.".into()];
    }
    let of = |wanted: Verdict| -> Vec<&ArmSummary> { arms.iter().copied().filter(|arm| arm.verdict == wanted).collect() };
    let (better, worse, same, open) = (of(Verdict::Better), of(Verdict::Worse), of(Verdict::NoDifference), of(Verdict::Undecided));
    let references: BTreeSet<&str> = arms.iter().filter_map(|arm| arm.reference.as_deref()).collect();
    let against = match references.iter().next() {
        Some(one) if references.len() == 1 => format!("than {one}"),
        _ => "than the arm each is compared with".into(),
    };

    let mut counts = Vec::new();
    if !better.is_empty() {
        counts.push(format!("{} {} better {against}", better.len(), if better.len() == 1 { "is" } else { "are" }));
    }
    if !worse.is_empty() {
        let against = if better.is_empty() { format!(" {against}") } else { String::new() };
        counts.push(format!("{} {} worse{against}", worse.len(), if worse.len() == 1 { "is" } else { "are" }));
    }
    if !same.is_empty() {
        counts.push(format!("for {} no difference was found", same.len()));
    }
    if !open.is_empty() {
        counts.push(format!("{} {} undecided", open.len(), if open.len() == 1 { "is" } else { "are" }));
    }
    let mut sentences = vec![format!("Of {}, {}.", plural(arms.len(), "arm"), enumerate(&counts))];

    let decimals = decimals(summary).1;
    let in_ladder = references.len() > 1;
    for (label, group) in [("Better", &better), ("Worse", &worse), ("No difference found", &same), ("Undecided", &open)] {
        if !group.is_empty() {
            let items: Vec<String> = group.iter().map(|arm| item(arm, decimals, in_ladder)).collect();
            sentences.push(format!("{label}: {}.", items.join("; ")));
        }
    }
    let (diverged, failed) = lost(summary);
    if diverged + failed > 0 {
        sentences.push(format!(
            "{} diverged and {} failed; they are counted, and their pairs are missing from the differences.",
            plural(diverged, "run"),
            failed
        ));
    }
    if !summary.post_hoc.is_empty() {
        sentences.push("The plan was changed after it was frozen, so these results are post hoc.".into());
    }
    sentences
}

fn item(arm: &ArmSummary, decimals: usize, with_reference: bool) -> String {
    let against = match &arm.reference {
        Some(reference) if with_reference => format!(" against {reference}"),
        _ => String::new(),
    };
    let Some(delta) = arm.delta.filter(|delta| delta.is_finite()) else {
        return format!("{} (no pair of finished runs{against})", arm.name);
    };
    let size = if number::exact_zero(arm.delta, arm.delta_ci95) {
        "exactly 0 in every pair".into()
    } else {
        let half = arm.delta_ci95.map(number::half).filter(|half| half.is_finite());
        let half = half.map(|half| format!(" ± {}", number::fixed(half, decimals))).unwrap_or_default();
        format!("{}{half}", number::signed(delta, decimals))
    };
    let detectable = arm.comparisons.first().and_then(|c| c.detectable).filter(|d| d.is_finite() && *d > 0.0);
    let power = match (arm.verdict, detectable) {
        (Verdict::NoDifference, Some(d)) => format!(", smallest detectable {}", number::fixed(d, decimals)),
        _ => String::new(),
    };
    format!("{} ({size}{against}{power})", arm.name)
}

/// How to read the differences: metric, direction, interval, correction.
pub fn reading(summary: &Summary) -> String {
    let direction = if summary.lower_is_better { "lower is better" } else { "higher is better" };
    format!(
        "Differences are in {} ({direction}), arm minus reference on the same seed; ± is half the 95 % interval; verdicts use \
         p after Holm's correction over all comparisons at α = {}.",
        metric(&summary.metric),
        summary.alpha
    )
}

/// What the intervals cover, and what they do not.
pub fn coverage(summary: &Summary) -> String {
    let seeds = summary.seeds.len();
    let rest = "do not cover other corpora, model sizes, training lengths or recipes.";
    if seeds < 2 {
        return format!("One seed gives no interval: nothing here says how results vary between seeds. Results {rest}");
    }
    format!(
        "Intervals are Student's t over {}: they cover what changes from seed to seed (initial weights and data order) with \
         everything else fixed. They {rest}",
        plural(seeds, "seed")
    )
}

/// The label of an experiment too short to speak for full training.
pub fn pilot(summary: &Summary) -> Option<String> {
    let ratio = summary.tokens_per_parameter;
    (ratio.is_finite() && ratio < PILOT).then(|| {
        format!(
            "Pilot: {} training tokens per parameter. A compute-optimal model sees about 20 (Hoffmann et al. 2022); orders of arms \
             may change with more training.",
            number::short(ratio)
        )
    })
}

/// Runs that diverged and runs that failed, over all arms.
pub fn lost(summary: &Summary) -> (usize, usize) {
    summary.arms.iter().fold((0, 0), |(diverged, failed), arm| (diverged + arm.diverged, failed + arm.failed))
}

/// `1 arm`, `3 arms`.
pub fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub fn enumerate(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_names() {
        assert_eq!(metric("valid/bits_per_byte"), "validation bits per byte");
        assert_eq!(metric("valid/bits_per_byte@2x"), "validation bits per byte at 2× the training context");
        assert_eq!(metric("loss"), "loss");
    }

    #[test]
    fn lists_read_as_english() {
        let items: Vec<String> = ["a", "b", "c"].map(String::from).into();
        assert_eq!(enumerate(&items), "a, b and c");
        assert_eq!(enumerate(&items[..2]), "a and b");
        assert_eq!(enumerate(&items[..1]), "a");
        assert_eq!(plural(1, "run"), "1 run");
        assert_eq!(plural(0, "run"), "0 runs");
    }
}
