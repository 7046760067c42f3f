//! Each arm's own best settings, as written.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The first seed of tuning: far from those of comparisons, which must not have chosen what they judge.
pub const TUNING_SEED: u64 = 1_000_000_000;

/// Every arm, the base included, gets its own best of these values, found on separate seeds with the same budget.
///
/// ```toml
/// [retune]
/// values = { "optimizer.lr" = [3e-4, 1e-3, 3e-3] }
/// rungs  = [150, 600]      # steps: all values with complete schedules of 150 steps, the better half with 600
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetuneConfig {
    /// Values to try, by key; of several keys all combinations.
    pub values: BTreeMap<String, Vec<serde_json::Value>>,
    /// Tuning seeds per trial.
    #[serde(default = "one")]
    pub seeds: u64,
    /// Steps of each round of trials, ascending; each is a complete schedule, since a truncated one favours what starts fast.
    /// One round with the steps of the comparison if empty.
    #[serde(default)]
    pub rungs: Vec<usize>,
    /// Share of the trials that go on to the next rung, rounded up.
    #[serde(default = "half")]
    pub keep: f64,
}

fn one() -> u64 {
    1
}

fn half() -> f64 {
    0.5
}

impl RetuneConfig {
    /// Seeds of the trials.
    pub fn seeds(&self) -> Vec<u64> {
        (TUNING_SEED..TUNING_SEED + self.seeds).collect()
    }

    /// Trials of each rung, the first one's given.
    pub fn survivors(&self, trials: usize, rung: usize) -> usize {
        (0..rung).fold(trials, |left, _| ((left as f64 * self.keep).ceil() as usize).clamp(1, left.max(1)))
    }

    /// The broken rules.
    pub(super) fn problems(&self, seeds: &[u64]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: &str, message: String, help: &str| problems.push(Problem::new(key, message).help(help));
        if self.values.is_empty() {
            add("retune.values", "tries nothing".into(), "for example values = { \"optimizer.lr\" = [3e-4, 1e-3, 3e-3] }");
        }
        for (key, values) in &self.values {
            if key == super::STEPS {
                add(
                    "retune.values",
                    format!("`{key}` is the budget, not a setting"),
                    "arms are compared at equal tokens; see [match] and `budgets`",
                );
            }
            if values.len() < 2 {
                add(
                    "retune.values",
                    format!("`{key}` has fewer than two values"),
                    "three or more show whether the best lies inside the range",
                );
            }
            if let Some((_, twice)) = values.iter().enumerate().find(|(i, value)| values[..*i].contains(value)) {
                add("retune.values", format!("`{key}` has {twice} twice"), "list every value once");
            }
        }
        if self.values.values().map(Vec::len).try_fold(1usize, usize::checked_mul).is_none_or(|all| all > 1000) {
            add("retune.values", "more than 1,000 trials per arm".into(), "try fewer values");
        }
        if self.seeds == 0 || self.seeds > 1000 {
            add("retune.seeds", "must be 1 to 1,000".into(), "2 or 3 steady the choice");
        }
        if self.rungs.contains(&0) || self.rungs.windows(2).any(|pair| pair[0] >= pair[1]) {
            add("retune.rungs", "must ascend from 1 step or more".into(), "for example rungs = [150, 600]");
        }
        if !(self.keep > 0.0 && self.keep < 1.0) {
            add("retune.keep", "must lie between 0 and 1".into(), "0.5 keeps the better half");
        }
        if seeds.iter().any(|seed| *seed >= TUNING_SEED) {
            add("seeds", format!("seeds from {TUNING_SEED} on are those of tuning"), "use smaller seeds");
        }
        problems
    }
}
