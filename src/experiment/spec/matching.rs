//! What is made equal between the arms, as written.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is made equal between the arms: a size of the model, a number of steps, or one of each.
///
/// ```toml
/// [match]
/// parameters = "model.feed_forward.hidden"   # every arm has the base's parameters,
/// flops      = "train.steps"                 # and trains with the base's FLOPs
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    /// The size that is solved so that every arm has the base's number of parameters: `model.feed_forward.hidden`,
    /// `model.width`, `model.layers`, or `model.attention.heads` where `model.attention.head_dim` is written (otherwise more
    /// heads are smaller ones, and nothing changes).
    pub parameters: Option<String>,
    /// The size that is solved so that every arm takes the base's training FLOPs per token.
    pub flops_per_token: Option<String>,
    /// `train.steps`: solved so that every arm takes the base's training FLOPs in all. Its schedule is rescaled, so that
    /// every arm ends with a finished one.
    pub flops: Option<String>,
    /// `train.steps`: solved so that every arm takes the base's wall-clock time, by a short measured run of each arm.
    pub time: Option<String>,
    /// Which parameters count, where parameters are matched.
    #[serde(default)]
    pub count: Count,
    /// Solved sizes are multiples of this.
    #[serde(default = "one")]
    pub multiple_of: u64,
    /// Largest relative mismatch; an arm that cannot come as close is refused.
    #[serde(default = "half_a_percent")]
    pub tolerance: f64,
}

fn one() -> u64 {
    1
}

fn half_a_percent() -> f64 {
    0.005
}

/// Which parameters count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// All.
    #[default]
    Total,
    /// All but token embedding, learned positions and untied head.
    NonEmbedding,
}

/// The key of the number of steps: the only one that can match FLOPs in all, or time.
pub const STEPS: &str = "train.steps";

impl MatchConfig {
    /// The size of the model that is solved, with the key of the file that names it.
    pub fn size(&self) -> Option<(&'static str, &str)> {
        let parameters = self.parameters.as_deref().map(|size| ("match.parameters", size));
        parameters.or(self.flops_per_token.as_deref().map(|size| ("match.flops_per_token", size)))
    }

    /// Whether the number of steps is solved.
    pub fn solves_steps(&self) -> bool {
        self.flops.is_some() || self.time.is_some()
    }

    /// The broken rules.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: &str, message: &str, help: &str| problems.push(Problem::new(key, message).help(help));
        if self.size().is_none() && !self.solves_steps() {
            add(
                "match",
                "matches nothing",
                "write parameters, flops_per_token, flops or time, e.g. parameters = \"model.feed_forward.hidden\"",
            );
        }
        if self.parameters.is_some() && self.flops_per_token.is_some() {
            add("match", "one size cannot match both parameters and flops_per_token", "match one of them; `flops` may be matched besides");
        }
        if self.flops.is_some() && self.time.is_some() {
            add("match", "one number of steps cannot match both flops and time", "match one of them");
        }
        if let Some((key, size)) = self.size()
            && !size.starts_with("model.")
        {
            add(key, "is no size of the model", "for example \"model.feed_forward.hidden\"");
        }
        for (key, value) in [("match.flops", &self.flops), ("match.time", &self.time)] {
            if value.as_deref().is_some_and(|value| value != STEPS) {
                add(key, "cannot be solved for this key", "write \"train.steps\": tokens are what is adjusted");
            }
        }
        if self.multiple_of == 0 {
            add("match.multiple_of", "must be at least 1", "64 suits tensor cores; 1 matches best");
        }
        if !(0.0..=0.5).contains(&self.tolerance) {
            add("match.tolerance", "must lie between 0 and 0.5", "0.005 is half a percent");
        }
        problems
    }
}
