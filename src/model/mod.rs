//! The swappable modules of a decoder-only Transformer and their accounting.
//!
//! Each component is a folder: `mod.rs` holds the configuration and the Module enum, each variant has a file of its
//! own. Adding a variant is one new file and one arm in each of the two enums; the compiler names the rest.

pub mod account;
pub mod attention;
mod cache;
pub mod dropout;
pub mod embedding;
pub mod feed_forward;
pub mod head;
pub mod init;
pub mod linear;
mod mup;
pub mod norm;
mod operators;
mod parameters;
mod pass;
pub mod position;
mod probe;
pub mod readout;
mod recorded;
pub mod residual;
mod spec;
pub mod transformer;
mod weights;
mod work;

pub use account::{Account, Kept};
pub use cache::Cache;
pub use mup::MupConfig;
pub use parameters::{paired_share, parameters};
pub use pass::{Noise, Pass, document_starts};
pub use probe::Activity;
pub use recorded::{HandOut, Recorded};
pub use spec::{ModelConfig, ModelSpec};
pub use transformer::{Block, Loss, Transformer};
pub use weights::{Gradients, Weights};
