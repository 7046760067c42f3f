//! The names of what runs report.

use super::RunSpec;
use crate::train::probe;

/// What every evaluation of text scores, and what the best checkpoint is best by.
pub const BITS_PER_BYTE: &str = "valid/bits_per_byte";

/// Of a synthetic task, the share of targets whose most likely token is the right one.
pub const ACCURACY: &str = "valid/accuracy";

/// Of a synthetic task, the share of instances whose targets are all right.
pub const SEQUENCE_ACCURACY: &str = "valid/sequence_accuracy";

/// Of a synthetic task, the mean cross-entropy of the targets in nats; what the best checkpoint is best by.
pub const LOSS: &str = "valid/loss";

impl RunSpec {
    /// Names of all metrics that an evaluation can give: those of the training context, and the same for each of the context
    /// multiples.
    pub fn evaluated(&self) -> Vec<String> {
        let names: &[&str] = match (self.data.is_synthetic(), self.data.has_text()) {
            (true, _) => &[ACCURACY, SEQUENCE_ACCURACY, LOSS],
            (_, true) => &[BITS_PER_BYTE],
            (false, false) => &[],
        };
        let plain = names.iter().map(|name| name.to_string());
        let multiples = self.evaluation.context_multiples.iter();
        plain.chain(multiples.flat_map(|multiple| names.iter().map(move |name| format!("{name}@{multiple}x")))).collect()
    }

    /// Names of all metrics that a run of this specification can report in its result: those of evaluations, and with
    /// `probe.every` those of probes. One is absent from a result where it is undefined.
    pub fn metrics(&self) -> Vec<String> {
        let probes = if self.probe.every > 0 { probe::metric_names() } else { vec![] };
        self.evaluated().into_iter().chain(probes).collect()
    }

    /// The metric whose smallest value makes the best checkpoint.
    pub fn best_by(&self) -> &'static str {
        if self.data.is_synthetic() { LOSS } else { BITS_PER_BYTE }
    }
}
