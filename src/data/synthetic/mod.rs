//! Synthetic tasks: instances that are computed, not read. There is no text and no tokenizer; a task has a vocabulary of its
//! own, and an instance is a pure function of (task, seed, part, number): no files, and any instance in constant time.
//!
//! One file per task. Each cites its source; its defaults are the source's settings.
//!
//! An instance is a row of as many tokens as the context has, and the targets that count: what is to be said at which
//! position. Everything else has no target and no share in the loss.

mod addition;
mod compression;
mod copying;
mod draw;
mod dyck;
mod fuzzy_recall;
mod in_context_recall;
mod induction;
mod inspect;
mod memorization;
mod mqar;
mod noisy_recall;
mod selective_copying;
mod source;
mod task;

pub use super::instance::{Instance, Scored, Target};
pub use addition::AdditionConfig;
pub use compression::CompressionConfig;
pub use copying::CopyingConfig;
pub use dyck::DyckConfig;
pub use fuzzy_recall::FuzzyRecallConfig;
pub use in_context_recall::InContextRecallConfig;
pub use induction::InductionConfig;
pub use inspect::{Inspection, Sample};
pub use memorization::MemorizationConfig;
pub use mqar::MqarConfig;
pub use noisy_recall::NoisyRecallConfig;
pub use selective_copying::SelectiveCopyingConfig;
pub use source::{Synthetic, SyntheticConfig};
pub use task::{TaskConfig, VERSION};
