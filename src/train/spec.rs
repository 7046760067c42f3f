//! A run as written and as resolved.

use crate::{
    data::{DataConfig, DataSpec},
    model::{ModelConfig, ModelSpec},
    settings::Problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the numerics: raised whenever the same specification may give other bits.
pub const NUMERICS: u32 = 1;

/// A run as written: what a file under `configs/` holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The model.
    pub model: ModelConfig,
    /// The data.
    pub data: DataConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule.
    pub schedule: ScheduleConfig,
    /// The training loop.
    pub train: TrainConfig,
    /// The evaluation.
    pub evaluation: EvaluationConfig,
}

/// The training loop as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Optimizer steps.
    pub steps: usize,
    /// Sequences per optimizer step.
    pub batch: usize,
    /// Micro-batches that a step's batch is split into; must divide `batch`.
    pub accumulation: usize,
    /// Largest global gradient norm; larger gradients are scaled down to it. LLaMA: 1.0. 0 switches clipping off.
    pub gradient_clip: f64,
    /// Seed of initialisation, data order and dropout; an experiment sets it.
    pub seed: u64,
    /// Write a line of metrics every so many steps.
    pub log_every: usize,
    /// Write a checkpoint every so many steps, and at the end; only at the end (and when interrupted) by default.
    pub checkpoint_every: Option<usize>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self { steps: 1000, batch: 16, accumulation: 1, gradient_clip: 1.0, seed: 0, log_every: 1, checkpoint_every: None }
    }
}

/// Which parameters decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecayRule {
    /// All (lingua).
    All,
    /// Those with two dimensions, embeddings included (nanoGPT).
    Matrices,
    /// All but token and position embeddings (OLMo 2).
    NoEmbeddings,
}

/// The optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// AdamW (Loshchilov & Hutter 2017) with LLaMA's settings.
    Adamw(AdamWConfig),
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adamw(AdamWConfig::default())
    }
}

/// AdamW's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Peak learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment. Unpublished for LLaMA.
    pub eps: f64,
    /// Decoupled: each step takes lr · weight_decay of the parameter away.
    pub weight_decay: f64,
    /// Which parameters decay. Unpublished for LLaMA.
    pub decay: DecayRule,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { lr: 3e-4, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, decay: DecayRule::Matrices }
    }
}

/// The learning-rate schedule as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Linear warm-up, then a cosine to `floor` of the peak: LLaMA's.
    Cosine {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Final share of the peak.
        #[serde(default = "tenth")]
        floor: f64,
    },
    /// Linear warm-up, then the peak.
    Constant {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
    },
    /// Linear warm-up, the peak, then a straight line to `floor` of the peak over the last `decay` steps.
    Wsd {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Steps of decay.
        decay: usize,
        /// Final share of the peak.
        #[serde(default)]
        floor: f64,
    },
    /// Linear warm-up, then a straight line to `floor` of the peak.
    Linear {
        /// Steps of warm-up.
        #[serde(default)]
        warmup: usize,
        /// Final share of the peak.
        #[serde(default)]
        floor: f64,
    },
}

fn tenth() -> f64 {
    0.1
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Cosine { warmup: 0, floor: tenth() }
    }
}

/// The evaluation as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Evaluate every so many steps, and at the end; a tenth of the steps by default.
    pub every: Option<usize>,
    /// Sequences per forward pass.
    pub batch: usize,
    /// Also score the same target tokens with contexts of so many times the training context.
    pub context_multiples: Vec<usize>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { every: None, batch: 16, context_multiples: vec![] }
    }
}

/// A run as resolved: everything it needs and nothing else. Hashed, stored and run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The model.
    pub model: ModelSpec,
    /// The data.
    pub data: DataSpec,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule, warm-up and decay in steps.
    pub schedule: ScheduleSpec,
    /// The training loop.
    pub train: TrainSpec,
    /// The evaluation.
    pub evaluation: EvaluationSpec,
}

/// The schedule needs no second form: its steps are explicit once [`RunConfig::rescale`] has run.
pub type ScheduleSpec = ScheduleConfig;
/// The training loop needs no second form but for checkpoints.
pub type TrainSpec = TrainConfig;

/// The evaluation as resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Evaluate every so many steps, and at the end.
    pub every: usize,
    /// Sequences per forward pass.
    pub batch: usize,
    /// Contexts in multiples of the training context.
    pub context_multiples: Vec<usize>,
}

impl RunConfig {
    /// Sets the number of steps and rescales warm-up, decay and evaluation in proportion.
    pub fn rescale(&mut self, steps: usize) {
        let _ = steps;
        todo!()
    }

    /// Checks every rule and fills every size.
    ///
    /// # Errors
    ///
    /// All broken rules at once, by key.
    pub fn resolve(&self) -> Result<RunSpec, Vec<Problem>> {
        todo!()
    }
}

impl RunSpec {
    /// Hash (16 hexadecimal digits) of everything that can change a bit of the result: the specification without
    /// logging and checkpoint intervals, and [`NUMERICS`].
    pub fn id(&self) -> String {
        todo!()
    }

    /// Tokens of one optimizer step.
    pub fn tokens_per_step(&self) -> u64 {
        (self.train.batch * self.model.context) as u64
    }
}
