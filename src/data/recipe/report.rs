//! What a build has done, in numbers that do not depend on the machine.

use super::tally::{Size, StepTally};
use crate::data::pipeline::Counts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of `report.json`.
pub const FORMAT: u32 = 1;

/// What a build has done; `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format.
    pub format: u32,
    /// Name of the recipe.
    pub name: String,
    /// SHA-256 of the recipe without paths, with the contents of the models, lists and tokenizers that it names.
    pub recipe: String,
    /// Version of this program.
    pub version: String,
    /// What was read, by source.
    pub sources: Vec<SourceReport>,
    /// What steps have done, in order.
    pub steps: Vec<StepReport>,
    /// What was written.
    pub written: Size,
    /// The same by source.
    pub by_source: BTreeMap<String, Size>,
    /// Files, in order.
    pub files: Vec<FileReport>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// Files.
    pub files: usize,
    /// Bytes of them, packed as they are.
    pub file_bytes: u64,
    /// Documents that were read.
    pub read: Size,
    /// Damage by kind.
    pub damage: Counts,
    /// The first of it.
    pub damaged: Vec<String>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Name of the source; empty of steps over all sources.
    pub source: String,
    /// Name of the step.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What came in.
    pub input: Size,
    /// What went on.
    pub output: Size,
    /// Documents that went on and were changed.
    pub changed: u64,
    /// Dropped documents by rule.
    pub dropped: Counts,
    /// What rules took out of texts, and other things they count.
    pub applied: Counts,
    /// What was decided over all documents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decided: BTreeMap<String, u64>,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub size: Size,
    /// Its SHA-256.
    pub sha256: String,
    /// Tokens, of token shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// How long a step took; `times.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// Name of the source; empty of steps over all sources.
    pub source: String,
    /// Name of the step.
    pub step: String,
    /// Whether this is about reading all documents before they are judged, on all threads; else seconds are those of a processor.
    pub looking: bool,
    /// Seconds.
    pub seconds: f64,
    /// MB of text that came in, per second.
    pub megabytes_per_second: f64,
}

impl StepReport {
    pub(super) fn new(source: &str, step: &super::config::Step, tally: &StepTally) -> Self {
        Self {
            source: source.into(),
            name: step.name().into(),
            kind: step.apply.kind().into(),
            input: tally.input,
            output: tally.output,
            changed: tally.changed,
            dropped: tally.dropped.clone(),
            applied: tally.applied.clone(),
            decided: BTreeMap::new(),
        }
    }
}

impl StepTime {
    pub(super) fn new(source: &str, step: &super::config::Step, tally: &StepTally) -> Self {
        let seconds = tally.nanoseconds as f64 * 1e-9;
        let speed = if seconds > 0.0 { tally.input.bytes as f64 / 1e6 / seconds } else { 0.0 };
        Self { source: source.into(), step: step.name().into(), looking: false, seconds, megabytes_per_second: speed }
    }

    /// Of reading `bytes` of text before any is judged.
    pub(super) fn looking(source: &str, step: &super::config::Step, seconds: f64, bytes: u64) -> Self {
        let speed = if seconds > 0.0 { bytes as f64 / 1e6 / seconds } else { 0.0 };
        Self { source: source.into(), step: step.name().into(), looking: true, seconds, megabytes_per_second: speed }
    }
}
