//! The names of what runs report.

use super::{EvaluationSpec, RunSpec};
use crate::train::probe;

/// What every evaluation scores, and what the best checkpoint is best by.
pub const BITS_PER_BYTE: &str = "valid/bits_per_byte";

impl EvaluationSpec {
    /// Names of all metrics that an evaluation can give.
    pub fn metrics(&self) -> Vec<String> {
        let multiples = self.context_multiples.iter().map(|multiple| format!("{BITS_PER_BYTE}@{multiple}x"));
        std::iter::once(BITS_PER_BYTE.into()).chain(multiples).collect()
    }
}

impl RunSpec {
    /// Names of all metrics that a run of this specification can report in its result: those of evaluations, and with
    /// `probe.every` those of probes. One is absent from a result where it is undefined.
    pub fn metrics(&self) -> Vec<String> {
        let probes = if self.probe.every > 0 { probe::metric_names() } else { vec![] };
        self.evaluation.metrics().into_iter().chain(probes).collect()
    }
}
