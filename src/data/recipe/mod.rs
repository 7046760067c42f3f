//! Recipes: which sources become clean documents by which steps, and how that is done.

mod ablated;
mod buckets;
mod build;
mod config;
mod corpus;
mod done;
mod evaluations;
mod key;
mod output;
mod papers;
mod plan;
mod report;
mod segment;
mod shard;
mod step;
mod tally;
mod train;

pub use ablated::{Ablated, StepOptions, of_step};
pub use build::{REJECTED, TIMES};
pub use config::{Allowed, OnDamage, OutputConfig, OutputPacking, Recipe, SourceConfig, Step};
pub(super) use corpus::read;
pub(super) use plan::of_file;
pub use plan::{Options, Plan, REPORT, work_folder};
pub use report::{FileReport, Report, SourceReport, StepReport, StepTime};
pub use step::{ContaminationStep, PerplexityStep, StepConfig};
pub use tally::{Rejected, Size};
pub use train::{NgramReport, texts_of, texts_while, train_language, train_ngram, train_quality};

#[cfg(test)]
mod tests;
