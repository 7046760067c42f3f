//! Kernels for GPUs, in CubeCL.

pub mod attention;
#[cfg(feature = "cuda")]
pub mod emit;

use super::operator::Kernels;
use burn::backend::fusion::custom::TensorSpec;
use burn_cubecl::CubeBackend;

/// Kernels that say what they give before they run.
pub trait Described: Kernels<CubeBackend> {
    /// Shapes and element types of what [`Kernels::forward`] gives.
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec>;
}
