//! The training loop as written and as resolved.

use super::require;
use crate::{
    ops::{Activations, Precision},
    settings::Problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// What is kept of the forward pass for the backward pass; the rest is computed again there. Changes memory and time, and
    /// no bit of a result. `linear-outputs` and `selective` need the fused operators; composed operators then keep what they
    /// always keep, and the run's log says so.
    pub activations: Activations,
    /// The type of the operands of matrix products, in training and evaluation: `f32`, or `bf16` with sums in f32. Parameters,
    /// gradients, moments, the residual stream, norms, softmax and losses are f32. The CPU's kernels of attention and of the
    /// loss round what they are given, not what they make between their products (probabilities, gradients of scores and
    /// logits). On a CPU without AVX512-BF16 it shows what bf16 does to training, and is slower than f32.
    pub precision: Precision,
    /// Write a line of metrics every so many steps.
    pub log_every: usize,
    /// Write a checkpoint every so many steps, and at the end; by default only by the clock, at the end and when interrupted.
    pub checkpoint_every: Option<usize>,
    /// Write a checkpoint also when so many minutes have passed since the last one, so that what ends a run without asking
    /// costs no more than these; 0 switches this off.
    pub checkpoint_minutes: f64,
    /// Checkpoints to keep, the newest included. A run whose newest is damaged continues from the one before it, to the same
    /// end.
    pub keep_last: usize,
    /// Also keep the model of the best evaluation, by `valid/bits_per_byte` (of a synthetic task `valid/loss`), as
    /// `checkpoint-best/`.
    pub keep_best: bool,
}

/// The training loop needs no second form: nothing in it is derived.
pub type TrainSpec = TrainConfig;

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 1000,
            batch: 16,
            accumulation: 1,
            gradient_clip: 1.0,
            seed: 0,
            activations: Activations::All,
            precision: Precision::F32,
            log_every: 1,
            checkpoint_every: None,
            checkpoint_minutes: 10.0,
            keep_last: 1,
            keep_best: false,
        }
    }
}

impl TrainConfig {
    /// The broken rules of this section.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        let list = &mut problems;
        require(list, self.steps > 0, "train.steps", || "must be at least 1".into());
        require(list, self.batch > 0, "train.batch", || "must be at least 1".into());
        require(list, self.accumulation > 0, "train.accumulation", || "must be at least 1".into());
        require(list, self.accumulation == 0 || self.batch.is_multiple_of(self.accumulation), "train.accumulation", || {
            format!("{} must divide train.batch ({})", self.accumulation, self.batch)
        });
        require(list, self.gradient_clip >= 0.0 && self.gradient_clip.is_finite(), "train.gradient_clip", || {
            "must be 0 (off) or a positive number".into()
        });
        // TOML, which specifications are stored in, knows signed 64-bit integers only.
        require(list, i64::try_from(self.seed).is_ok(), "train.seed", || "must be less than 2^63".into());
        require(list, self.log_every > 0, "train.log_every", || "must be at least 1".into());
        require(list, self.checkpoint_every != Some(0), "train.checkpoint_every", || "must be at least 1".into());
        require(list, self.checkpoint_minutes >= 0.0 && self.checkpoint_minutes.is_finite(), "train.checkpoint_minutes", || {
            "must be 0 (off) or a positive number".into()
        });
        require(list, self.keep_last > 0, "train.keep_last", || "must be at least 1".into());
        problems
    }
}
