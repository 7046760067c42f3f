//! How to read the numbers, what they cover, and what they do not.

use super::{metric, number, plural};
use crate::experiment::Summary;

/// Below this many training tokens per parameter an experiment is a pilot: a compute-optimal model sees about twenty
/// (Hoffmann et al. 2022, arXiv:2203.15556, table 3).
const PILOT: f64 = 20.0;

/// How to read the differences: metric, direction, interval, correction.
pub fn reading(summary: &Summary) -> String {
    let direction = if summary.lower_is_better { "lower is better" } else { "higher is better" };
    let margin = summary.margin.filter(|margin| margin.is_finite());
    let margin = margin.map(|margin| {
        format!(
            " Equivalent: smaller than the margin of {margin}, by two one-sided tests; their p is told with that verdict, the tables' p \
             asks whether there is a difference at all."
        )
    });
    format!(
        "Differences are in {} ({direction}), arm minus reference on the same seed; ± is half the 95 % interval; verdicts use \
         p after Holm's correction over all comparisons at α = {}.{}",
        metric(&summary.metric),
        summary.alpha,
        margin.unwrap_or_default()
    )
}

/// What the intervals cover, what they take as given, and what they say nothing of; a paragraph each.
pub fn limits(summary: &Summary) -> Vec<String> {
    let mut limits = vec![coverage(summary)];
    if let Some([min, max]) = summary.sequential {
        limits.push(format!(
            "Seeds were added one at a time, from {min} up to {max}, until the comparisons were decided; p and intervals are those that \
             hold wherever one stops."
        ));
    }
    if !summary.tuning.is_empty() {
        limits.push(
            "Each arm was tuned with the same budget on seeds that are never compared. The intervals take the values that were chosen \
             as given: they do not cover what another search might have found."
                .into(),
        );
    }
    if summary.effects.iter().any(|effect| !effect.aliases.is_empty()) {
        limits.push("These cells cannot tell some effects apart; each is shown with those that it may be instead.".into());
    }
    limits
}

/// What the intervals cover, and what they do not.
pub fn coverage(summary: &Summary) -> String {
    let seeds = summary.seeds.len();
    let rest = "do not cover other corpora, model sizes, training lengths or recipes.";
    if seeds < 2 {
        return format!("One seed gives no interval: nothing here says how results vary between seeds. Results {rest}");
    }
    // Sequential intervals are wider than Student's, and have their own sentence.
    let kind = if summary.sequential.is_some() { "Intervals are over" } else { "Intervals are Student's t over" };
    format!(
        "{kind} {}: they cover what changes from seed to seed (initial weights and data order) with \
         everything else fixed. They {rest}",
        plural(seeds, "seed")
    )
}

/// The label of an experiment too short to speak for full training.
pub fn pilot(summary: &Summary) -> Option<String> {
    let ratio = summary.tokens_per_parameter;
    (ratio.is_finite() && ratio < PILOT).then(|| {
        format!(
            "Pilot: {} training {} per parameter. A compute-optimal model sees about 20 (Hoffmann et al. 2022); orders of arms \
             may change with more training.",
            number::short(ratio),
            if number::short(ratio) == "1" { "token" } else { "tokens" }
        )
    })
}
