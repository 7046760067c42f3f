//! What a forward pass is told beside its input.

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
