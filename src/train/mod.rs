//! One run, from a resolved specification to its result. It does not know which arm it is.

mod adamw;
mod adopt;
mod batch;
pub mod bench;
pub mod calibration;
pub mod checkpoint;
mod clip;
mod interrupt;
mod memory;
mod metrics;
mod open;
pub mod optimizer;
mod probe;
mod publish;
mod renderer;
mod replica;
mod run;
mod spec;
mod step;
mod strategy;
mod team;

pub use adopt::{adopt, hand_on};
pub use batch::{Batch, Batches, Waited};
pub use clip::clip;
pub use interrupt::{interrupter, stop_when_preempted};
pub use metrics::write_losses;
pub use open::{Opened, Origin, open_model};
pub use probe::{History, LayerProbe, Probe, Spikes};
pub use publish::{COMPANIONS, Publishing, publish};
pub use run::{Beginning, load_model, load_spec, run, run_from, run_until, start_of, version, write_trace};
pub use spec::{
    ACCURACY, AdafactorConfig, AdamConfig, AdamWConfig, BITS_PER_BYTE, DecayRule, EvaluationConfig, EvaluationSpec, LOSS, LionConfig,
    MuonConfig, NON_NUMERICAL_KEYS, NUMERICS, OptimizerConfig, ProbeConfig, ProbeSpec, RunConfig, RunSpec, SEQUENCE_ACCURACY,
    ScheduleConfig, ScheduleSpec, SgdConfig, TrainConfig, TrainSpec, is_numerical,
};
pub use step::{Examination, Measurement};
pub use team::{Left, ParallelResult, follow};

use crate::ops::OperatorPath;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::collections::BTreeMap;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps done.
    Finished,
    /// The loss or a gradient was no finite number, or the loss ran away.
    Diverged,
    /// Stopped by the user; a checkpoint lets it continue.
    Interrupted,
    /// Anything else went wrong.
    Failed,
}

impl Outcome {
    /// Whether the run is done: trained again, it would end as it did.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Diverged)
    }
}

/// What a run leaves behind, beside its metrics and checkpoint. Written to `result.json` in the run's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Hash of everything numerical: [`RunSpec::id`].
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, unless it finished.
    pub reason: Option<String>,
    /// Optimizer steps done.
    pub steps: usize,
    /// Training tokens seen.
    pub tokens: u64,
    /// Last value of every evaluated metric, e.g. `valid/bits_per_byte`.
    pub metrics: BTreeMap<String, f64>,
    /// Median over the steps of the last attempt, without its first two.
    pub tokens_per_second: Option<f64>,
    /// Wall-clock seconds of training, evaluation included, all attempts.
    pub seconds: f64,
    /// Device.
    pub device: String,
    /// Which implementation of the operators ran.
    pub path: String,
    /// The same for each operator, and why; empty in results of versions that did not tell.
    #[serde(default)]
    pub operators: Vec<OperatorPath>,
    /// Worker threads.
    pub threads: usize,
    /// Version of `ablate` and, in a checkout, its commit.
    pub version: String,
    /// Rolling hash of every batch consumed: equal order, equal hash.
    pub data_hash: String,
    /// The rolling hash after 1, 2, 4, 8, … steps, so that runs of different lengths compare by what they have in common;
    /// empty in results of versions that did not keep it, as all that follows.
    #[serde(default, deserialize_with = "by_step")]
    pub data_marks: BTreeMap<usize, String>,
    /// Of every parameter that started from noise, by path, a short hash of its shape and that noise, before the scheme of
    /// initialisation scaled it: equal noise, equal hash.
    #[serde(default)]
    pub noise: BTreeMap<String, String>,
    /// Largest resident memory of the process, in bytes; none where the system does not tell.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
    /// Wall-clock seconds of the last attempt in which training waited for batches, with the device idle.
    #[serde(default)]
    pub waited_seconds: Option<f64>,
    /// What went otherwise than planned without changing a bit of the result, such as a checkpoint that was damaged.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How it lay on several devices, in the last attempt; none on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<ParallelResult>,
}

/// Values by step. In a record, which a result is a part of, serde hands on the names of JSON's fields as text only.
fn by_step<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<usize, String>, D::Error> {
    let by_name = BTreeMap::<String, String>::deserialize(deserializer)?;
    let step = |(name, value): (String, String)| match name.parse() {
        Ok(step) => Ok((step, value)),
        Err(_) => Err(D::Error::custom(format!("`{name}` is no number of steps"))),
    };
    by_name.into_iter().map(step).collect()
}

/// A sign of life from a running training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tick {
    /// Optimizer steps done.
    pub step: usize,
    /// Of how many.
    pub steps: usize,
    /// Training loss in nats.
    pub loss: f64,
    /// Recent tokens per second.
    pub tokens_per_second: f64,
}
