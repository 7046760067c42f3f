//! Seeds as written.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seeds as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Seeds {
    /// So many, from 0.
    Count(u64),
    /// These.
    List(Vec<u64>),
    /// As many as it takes: seeds are added one by one, from 0, until every comparison is decided.
    Sequential(SequentialSeeds),
}

/// As many seeds as it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequentialSeeds {
    /// Seeds before the first look.
    pub min: u64,
    /// Seeds after which it ends, decided or not.
    pub max: u64,
    /// When to stop before that.
    #[serde(default)]
    pub until: Until,
}

/// When sequential seeds stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Every comparison is settled: a difference found, or equivalence within `margin`.
    #[default]
    Decided,
}

impl Default for Seeds {
    fn default() -> Self {
        Self::Count(5)
    }
}

/// More seeds than anybody trains.
const MOST: u64 = 10_000;

impl Seeds {
    /// The seeds, in order; of sequential ones all that may be needed.
    pub fn list(&self) -> Vec<u64> {
        match self {
            Self::Count(count) => (0..*count).collect(),
            Self::List(seeds) => seeds.clone(),
            Self::Sequential(rule) => (0..rule.max).collect(),
        }
    }

    /// The rule of sequential seeds.
    pub fn rule(&self) -> Option<&SequentialSeeds> {
        match self {
            Self::Sequential(rule) => Some(rule),
            Self::Count(_) | Self::List(_) => None,
        }
    }

    /// The broken rules.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let one = |message: String, help: &str| vec![Problem::new("seeds", message).help(help)];
        match self {
            Self::Count(0) => one("zero seeds train nothing".into(), "use 3 or more; a verdict needs pairs of runs"),
            Self::Count(count) if *count > MOST => one("more than 10,000 seeds".into(), "write single seeds as a list"),
            Self::Count(_) => vec![],
            Self::List(list) if list.is_empty() => one("an empty list trains nothing".into(), "use 3 seeds or more"),
            Self::List(list) => {
                let mut problems = vec![];
                if let Some((_, twice)) = list.iter().enumerate().find(|(i, seed)| list[..*i].contains(seed)) {
                    problems.extend(one(format!("seed {twice} is listed twice"), "a seed is one pair; list it once"));
                }
                if list.iter().any(|seed| i64::try_from(*seed).is_err()) {
                    problems.extend(one("a seed is not less than 2^63".into(), "use smaller seeds"));
                }
                problems
            }
            Self::Sequential(SequentialSeeds { min, max, .. }) if *min < 3 || max <= min || *max > 100 => one(
                format!("from {min} to {max} seeds is no sequence of looks"),
                "min must be 3 or more, max more than min, and 100 at most",
            ),
            Self::Sequential(_) => vec![],
        }
    }
}
