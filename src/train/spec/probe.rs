//! Probes as written and as resolved.

use super::require;
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Probes: now and then a look inside the model on a batch of validation text that is the same at every step and, for the
/// same text and context, in every arm. They change no bit of training. Lines of `probes.jsonl` hold what they saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Probe every so many steps, before the first and after the last; 0: never.
    pub every: usize,
    /// Sequences of the batch.
    pub batch: usize,
}

/// Probes need no second form: nothing in them is derived.
pub type ProbeSpec = ProbeConfig;

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { every: 0, batch: 4 }
    }
}

impl ProbeConfig {
    /// The broken rules of this section.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        require(&mut problems, self.batch > 0, "probe.batch", || "must be at least 1".into());
        problems
    }

    /// Whether to probe when `done` of `steps` steps are done.
    pub fn is_due(&self, done: usize, steps: usize) -> bool {
        self.every > 0 && (done.is_multiple_of(self.every) || done == steps)
    }
}
