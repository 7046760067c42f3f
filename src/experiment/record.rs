//! One line of `records.jsonl`: a run that ended.

use super::Stage;
use crate::train::RunResult;
use serde::{Deserialize, Serialize};

/// A run that finished, diverged or failed, with its place in the experiment. Appended, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Arm.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// What the run was for.
    #[serde(default, skip_serializing_if = "Stage::is_compare")]
    pub stage: Stage,
    /// Folder of the run, relative to the experiment's.
    pub folder: String,
    /// What the run left behind.
    #[serde(flatten)]
    pub result: RunResult,
    /// When it ended, UTC, RFC 3339.
    pub ended: String,
}
