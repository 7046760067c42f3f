//! Differentiable operators: the interface behind which fused implementations come. Composed of Burn operations for
//! now, on every backend, with gradients by Burn's autodiff.
//!
//! Statistics (means, variances, softmax, losses) are computed in f32 whatever the input's element type. Random masks
//! and tables are made on the host, so that no result depends on a device's generator or its trigonometry.

mod activation;
mod attention;
mod count;
mod cross_entropy;
mod dropout;
mod embedding;
mod layer_norm;
mod linear;
mod rms_norm;
mod rotary;
mod square_norm;

pub use activation::{Activation, activate, gated, gelu, gelu_tanh, relu, relu2, sigmoid, silu};
pub use attention::{AttentionOptions, ScoreBias, attention, relative_bucket};
pub use count::count_flops;
pub use cross_entropy::{CrossEntropy, CrossEntropyOptions, cross_entropy};
pub use dropout::dropout;
pub use embedding::embedding;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use rms_norm::{RmsGain, rms_norm};
pub use rotary::{Rotation, rotary};
pub use square_norm::square_norm;

#[cfg(test)]
pub(crate) mod check;
