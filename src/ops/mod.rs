//! Differentiable operators, each in two implementations: composed of Burn's operations, with gradients by Burn's
//! autodiff, on every device; and fused, one kernel with a backward written by hand, on the CPU ([`Path`]).
//!
//! ```text
//! ops::f ─► composed, in the file of f
//!        └► fused::F ─ an Operator ─► flex::f, on slices
//! ```
//!
//! Statistics (means, variances, softmax, losses) are computed in f32 whatever the input's element type. Random masks
//! and tables are made on the host, so that no result depends on a device's generator or its trigonometry.

mod activation;
mod adamw;
mod attention;
mod count;
mod cross_entropy;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod cube;
mod dropout;
mod embedding;
mod flex;
mod fused;
mod gated_linear;
mod layer_norm;
mod linear;
mod linear_cross_entropy;
mod operator;
mod path;
mod relative_bucket;
mod rms_norm;
mod rotary;
mod rotation;
mod self_attention;
mod square_norm;

pub use activation::{activate, gated, gelu, gelu_tanh, relu, relu2, sigmoid, silu};
pub use adamw::{AdamWStep, adamw};
pub use attention::{AttentionOptions, ScoreBias, attention};
pub use count::count_flops;
pub use cross_entropy::{CrossEntropy, CrossEntropyOptions, cross_entropy};
#[cfg(feature = "cuda")]
pub use cube::emit::{Emitted, cuda_sources};
pub use dropout::dropout;
pub use embedding::embedding;
pub use flex::gated::Activation;
pub use gated_linear::gated_linear;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use linear_cross_entropy::{MeanCrossEntropy, linear_cross_entropy, token_cross_entropy};
pub use path::{Path, choose, chosen, with};
pub use relative_bucket::relative_bucket;
pub use rms_norm::{RmsGain, rms_norm};
pub use rotary::rotary;
pub use rotation::Rotation;
pub use self_attention::{Affine, self_attention};
pub use square_norm::square_norm;

#[cfg(test)]
pub(crate) mod check;
