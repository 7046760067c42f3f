//! The whole model: embedding, blocks, final norm, head. It only composes.

use super::{Account, ModelSpec};
use burn::{
    module::{Module, Param},
    tensor::{Device, Int, Tensor},
};

/// A decoder-only Transformer.
#[derive(Module, Debug)]
pub struct Transformer {
    placeholder: Param<Tensor<1>>,
}

/// What a forward pass needs beside the tokens.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Set while training: addresses the dropout masks. None: evaluation, no dropout.
    pub noise: Option<Noise>,
}

/// The address of a step's random draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Seed of the run.
    pub seed: u64,
    /// Optimizer step, from 0.
    pub step: u64,
    /// Micro-batch within the step, from 0.
    pub micro: u64,
}

/// The loss of a batch, and what it is made of.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What is minimised, `[1]`: cross-entropy (smoothed if configured) plus z-loss.
    pub objective: Tensor<1>,
    /// Mean cross-entropy in nats, `[1]`, without smoothing and z-loss.
    pub nats: Tensor<1>,
}

impl ModelSpec {
    /// Builds the model with every parameter drawn from `seed` by its path.
    pub fn build(&self, seed: u64, device: &Device) -> Transformer {
        let _ = (seed, device);
        todo!()
    }

    /// The cost of each part, by name, in the order of the model: `embedding`, `position`, `layers.0.attention`, …
    ///
    /// `context` is the sequence length that attention is counted at.
    pub fn parts(&self, context: usize) -> Vec<(String, Account)> {
        let _ = context;
        todo!()
    }

    /// The cost of the whole: the sum of [`ModelSpec::parts`].
    pub fn account(&self, context: usize) -> Account {
        self.parts(context).into_iter().map(|(_, part)| part).sum()
    }

    /// Parameters without token embedding, learned positions and untied head.
    pub fn non_embedding_parameters(&self) -> u64 {
        todo!()
    }

    /// Paths and shapes of all parameters, in module order, without building any.
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        todo!()
    }

    /// The longest context the positions are defined for: the training context for learned positions, none elsewhere.
    pub fn context_limit(&self) -> Option<usize> {
        todo!()
    }
}

impl Transformer {
    /// Logits of every position.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, seq]`
    /// - output: `[batch, seq, vocab]`
    pub fn forward(&self, tokens: Tensor<2, Int>, pass: &Pass) -> Tensor<3> {
        let _ = (tokens, pass, &self.placeholder);
        todo!()
    }

    /// Mean training loss over all tokens of the batch.
    ///
    /// # Shapes
    ///
    /// - `tokens`, `targets`: `[batch, seq]`
    pub fn loss(&self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>, pass: &Pass) -> Loss {
        let _ = (tokens, targets, pass);
        todo!()
    }

    /// Cross-entropy of every token in nats, without smoothing, z-loss and dropout.
    ///
    /// # Shapes
    ///
    /// - `tokens`, `targets`: `[batch, seq]`
    /// - output: `[batch, seq]`
    pub fn token_losses(&self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>) -> Tensor<2> {
        let _ = (tokens, targets);
        todo!()
    }
}

/// The path of a parameter without the segments of enum variants, for visitors that track containers: `true` when a
/// container of this type adds no segment.
pub fn is_variant(container_type: &str) -> bool {
    container_type.starts_with("Enum:")
}
