//! The sentences of the report: what was found, what it rests on, what it does not cover.

mod answer;
mod compared;
mod limits;

pub use answer::answer;
pub use compared::{Compared, comparisons};
pub use limits::{limits, pilot, reading};

use super::number;
use crate::{
    experiment::{ArmSummary, Role, Summary, TrialSummary, TuningSummary, Verdict},
    settings::written,
};
use std::collections::BTreeSet;

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
    let deltas = number::decimals(comparisons(summary).iter().filter_map(|c| c.comparison.delta_ci95).map(number::half));
    (means, deltas)
}

/// The verdict of an arm; of one that is compared with nothing, what it is there for.
pub fn standing(arm: &ArmSummary) -> &'static str {
    match (arm.verdict, arm.role) {
        (Verdict::NotCompared, Role::Cell) => "cell",
        (Verdict::NotCompared, Role::BaseOfSize) => "base of its size",
        (Verdict::NotCompared, Role::BaseOfBudget) => "base, other budget",
        (other, _) => verdict(other),
    }
}

/// The trial whose values an arm uses; none while the tuning goes on.
pub fn chosen(tuning: &TuningSummary) -> Option<&TrialSummary> {
    let chosen = tuning.chosen?;
    tuning.rungs.iter().rev().flat_map(|rung| &rung.trials).find(|trial| trial.trial == chosen)
}

/// `optimizer.lr = 0.003` of each key.
pub fn settings(trial: &TrialSummary) -> Vec<String> {
    trial.settings.iter().map(|(key, value)| format!("{key} = {}", written(value))).collect()
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

/// The same of at most `most`, with how many more there are.
pub fn some(items: &[String], most: usize) -> String {
    if items.len() <= most {
        return enumerate(items);
    }
    format!("{} and {} more", items[..most].join(", "), items.len() - most)
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
        assert_eq!((some(&items, 3), some(&items, 2)), ("a, b and c".into(), "a, b and 1 more".into()));
        assert_eq!(plural(1, "run"), "1 run");
        assert_eq!(plural(0, "run"), "0 runs");
    }
}
