//! Checkpoints: folders that are whole or not there.
//!
//! In a run's folder, `checkpoint/` is the newest, `checkpoint-<step>/` are older ones that are kept, `checkpoint-best/` is
//! that of the best evaluation. Each holds `model.bpk`, `optimizer.bpk` (unless nothing is to be continued from it),
//! `state.json`, `tokenizer/` (where there is text), and, written last, `COMMIT` with the SHA-256 of every other file. A new one is written beside
//! the old one and takes its place by renaming; at any moment at least one committed folder exists.

mod folder;
mod kept;

pub use kept::{Recovered, Which, load, missing, recover, save, save_best, set_aside, tokenizer, tokenizer_folder};

use super::probe::History;
use crate::data::{Tokenizer, hex};
use burn::{optim::OptimizerRecord, store::ModuleRecord};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Version of the layout.
const FORMAT: u32 = 1;

/// Where a run stands, beside its model and optimizer. All random draws are keyed by step, so there is no generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of the checkpoint's layout.
    pub format: u32,
    /// [`super::RunSpec::id`] of the run.
    pub id: String,
    /// Optimizer steps done.
    pub step: usize,
    /// Rolling hash of the batches consumed.
    pub data_hash: String,
    /// The same after 1, 2, 4, 8, … steps.
    #[serde(default)]
    pub data_marks: BTreeMap<usize, String>,
    /// Wall-clock seconds of all attempts.
    pub seconds: f64,
    /// Loss of the first step.
    pub initial_loss: Option<f64>,
    /// Last value of every evaluated metric.
    pub metrics: BTreeMap<String, f64>,
    /// Score of the best evaluation that a checkpoint was kept of.
    #[serde(default)]
    pub best: Option<f64>,
    /// What probes know of the steps so far, in a run with probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<History>,
    /// What the result will have as its notes.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl State {
    /// A run that has not begun.
    pub fn new(id: &str) -> Self {
        Self {
            format: FORMAT,
            id: id.to_owned(),
            step: 0,
            data_hash: hex(&Sha256::digest(b"ablate-data-1")),
            data_marks: BTreeMap::new(),
            seconds: 0.0,
            initial_loss: None,
            metrics: BTreeMap::new(),
            best: None,
            probes: None,
            notes: vec![],
        }
    }
}

/// What goes into a checkpoint.
pub struct Contents<'a> {
    /// Parameters.
    pub model: ModuleRecord,
    /// State of the optimizer; none where nothing is to be continued.
    pub optimizer: Option<OptimizerRecord>,
    /// The run's tokenizer; none where there is no text.
    pub tokenizer: Option<&'a Tokenizer>,
    /// Progress.
    pub state: &'a State,
}

/// A checkpoint as read.
pub struct Saved {
    /// Parameters.
    pub model: ModuleRecord,
    /// State of the optimizer; none if the run is over.
    pub optimizer: Option<OptimizerRecord>,
    /// Progress.
    pub state: State,
}
