//! Differentiable operators, each in two implementations: composed of Burn's operations, with gradients by Burn's
//! autodiff, on every device; and fused, with a backward written by hand ([`Path`]): kernels on slices for the CPU, and
//! CubeCL kernels for CUDA, Vulkan, Metal and DirectX.
//!
//! ```text
//! ops::f ─► composed, in the file of f
//!        └► fused::F ─ an Operator ─┬► flex::f, on slices
//!                                   └► cube::f, on a GPU
//! ```
//!
//! Statistics (means, variances, softmax, losses) are computed in f32 whatever the input's element type. Random masks
//! and tables are made on the host, so that no result depends on a device's generator or its trigonometry.

mod activation;
mod activations;
mod adamw;
mod add;
mod attention;
mod begun;
pub mod capability;
mod count;
mod cross_entropy;
#[cfg(feature = "cube")]
mod cube;
mod divided_cross_entropy;
mod dropout;
mod embedding;
mod flex;
mod fused;
mod gated_linear;
mod given;
mod join_heads;
mod layer_norm;
mod linear;
mod linear_cross_entropy;
mod memory;
mod neighbours;
mod operator;
mod path;
mod precision;
mod product;
mod profile;
pub mod reference;
mod relative_bucket;
mod rms_norm;
mod rotary;
mod rotation;
mod self_attention;
mod square_norm;
mod widened;

pub use activation::{activate, gated, gelu, gelu_tanh, relu, relu2, sigmoid, silu};
pub use activations::{Activations, keeping};
pub use adamw::{AdamWStep, adamw};
pub use add::add;
pub use attention::{AttentionOptions, ScoreBias, attention, attention_scores, visible};
pub use capability::{Backend, Capability, Implementation, Op, OperatorPath, cublaslt, path_of};
pub use count::{count_flops, count_kept, report_kept};
pub use cross_entropy::{CrossEntropy, CrossEntropyOptions, cross_entropy};
#[cfg(feature = "cuda")]
pub use cube::emit::{Emitted, cuda_sources};
pub(crate) use divided_cross_entropy::divided_cross_entropy;
pub use dropout::dropout;
pub use embedding::embedding;
pub use flex::{
    gated::Activation,
    peak::{Peak, peak},
    simd::{instructions, multiplies_bf16},
};
pub use gated_linear::gated_linear;
pub use join_heads::join_heads;
pub use layer_norm::{add_layer_norm, layer_norm};
pub use linear::linear;
pub use linear_cross_entropy::{MeanCrossEntropy, linear_cross_entropy, token_cross_entropy};
pub use neighbours::Neighbours;
pub(crate) use neighbours::{gather, part_of, scatter};
pub use path::{Path, choose, chosen, with};
pub(crate) use precision::wide;
pub use precision::{Precision, computing};
pub use profile::{Part, profile};
pub use relative_bucket::relative_bucket;
pub use rms_norm::{RmsGain, add_rms_norm, rms_norm};
pub use rotary::rotary;
pub use rotation::Rotation;
pub use self_attention::{Affine, self_attention};
pub use square_norm::square_norm;

#[cfg(test)]
pub(crate) mod check;
