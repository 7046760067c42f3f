//! Architecture ablations of language models, with answers one can defend.
//!
//! A TOML file names a question, a base model and the arms; the library proves that the arms differ only in what was
//! named, matches their parameters, trains them over paired seeds with `burn-train`, and reports which differences
//! are real.
//!
//! Rooms, from the ground up; a room imports only from rooms below it:
//!
//! | floor | room | holds |
//! |---|---|---|
//! | 7 | [`report`] | records to terminal tables, HTML, CSV |
//! | 6 | [`experiment`] | a question, its arms, the plan, the runs, the verdicts |
//! | 5 | [`train`] | one run, from a resolved specification to a record |
//! | 4 | [`eval`] | bits per byte, accuracy on synthetic tasks, generation, benchmarks |
//! | 3 | [`data`], [`hub`] | corpora, tokenizers, shards, order, batches; models in the layout of Hugging Face |
//! | 2 | [`model`] | the swappable modules and their accounting |
//! | 2 | [`doctor`] | every operator against its float64 reference, on any device |
//! | 1 | [`ops`], [`device`] | differentiable operators; choosing a device |
//! | 1 | [`parallel`] | what a layout over many devices takes |
//! | 0 | [`settings`], [`random`], [`pulse`], [`stats`] | layered configuration, keyed random numbers, signs of life, statistics |

pub mod data;
pub mod device;
pub mod doctor;
pub mod eval;
pub mod experiment;
mod files;
pub mod hub;
pub mod model;
pub mod ops;
pub mod parallel;
pub mod pulse;
pub mod random;
pub mod report;
pub mod settings;
pub mod stats;
pub mod train;

pub use settings::{Error, Result};
