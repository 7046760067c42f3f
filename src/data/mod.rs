//! Corpora, tokenizers, shards, order, batches. No tensors: the last step to the device is the training room's.
//!
//! [`DataConfig`] (as written) resolves to a [`DataSpec`] without reading archives or running a tokenizer;
//! [`Dataset::prepare`] turns that into token shards in the cache, once, and opens them. The instances of a [`synthetic`] task
//! are computed when they are read; nothing of them is stored.

mod batches;
mod cache;
pub mod corpus;
mod dataset;
mod fingerprint;
mod inspect;
mod instance;
mod laid;
mod mixture;
mod order;
mod packing;
pub mod pipeline;
mod prepare;
pub mod recipe;
mod shards;
mod spec;
pub mod synthetic;
mod tokenizer;

pub use batches::Batches;
pub use cache::cache_folder;
pub(crate) use cache::{hex, sha256};
pub(crate) use corpus::read_bytes;
pub use dataset::{Dataset, Epochs, Extent, Validation};
pub use inspect::{Held, Inspection, Licence, Named, Sample};
pub use instance::{Instance, Scored, Target};
pub use laid::Row;
pub use mixture::{MixtureConfig, SourceConfig, StageConfig};
pub use packing::{Packed, Packing};
pub use spec::{CorpusConfig, CratesPart, DataConfig, DataSpec, PATH_KEYS, TokenizerConfig};
pub use tokenizer::{
    ClassMeasure, Encoder, Inspection as TokenizerInspection, Measure, ModelType, Pattern, Shown, SourceMeasure, Tokenizer, Trainer,
    TrainerConfig, compare,
};

/// Told what a long preparation is doing: a phase, how far it is, and the whole.
pub type Progress<'a> = &'a dyn Fn(&str, u64, u64);
/// The phase in which another process makes what is needed.
const WAITING: &str = "waiting for another process";
