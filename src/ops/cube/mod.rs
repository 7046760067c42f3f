//! The operators as CubeCL kernels, for every GPU that CubeCL reaches: one portable variant of each, without tensor cores
//! or operations on planes and with little shared memory.
//!
//! CubeCL does not check bounds at a launch, so every kernel compares its position with the sizes that it is given. Sums
//! over many cubes go through partial sums that are added in a fixed order: no atomics, the same bits each time.

mod activation;
mod adamw;
mod add;
mod attention;
#[cfg(feature = "cuda")]
pub mod cublaslt;
mod embedding;
#[cfg(feature = "cuda")]
pub mod emit;
mod fusion;
mod gated_linear;
mod join;
mod linear;
mod loss;
mod norm;
mod reduce;
mod rotary;
mod round;
mod self_attention;
mod square_norm;
mod tensor;

#[cfg(test)]
mod tests;

use super::operator::Kernels;
use burn::backend::fusion::custom::TensorSpec;
use burn_cubecl::CubeBackend;

/// Kernels whose outputs are known before they run, so that Burn's fusion can queue them.
pub trait Described: Kernels<CubeBackend> {
    /// Shapes and element types of what [`Kernels::forward`] gives at least: its result, and where `tracked` what it saves.
    /// `inputs` describes the inputs, and behind them the indices if there are any.
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec>;

    /// The same of what [`Kernels::again`] gives. There are no `inputs` for operators that do without them.
    fn outputs_again(&self, inputs: &[TensorSpec], _saved: &[TensorSpec]) -> Vec<TensorSpec> {
        self.outputs(inputs, true)
    }

    /// Shapes and element types of the gradients of all inputs, given what was kept.
    fn gradients(&self, inputs: &[TensorSpec], _saved: &[TensorSpec], _gradient: &TensorSpec) -> Vec<TensorSpec> {
        inputs.to_vec()
    }
}
