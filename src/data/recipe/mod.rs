//! Recipes: which sources become clean documents by which steps, and how that is done.

mod buckets;
mod build;
mod config;
mod evaluations;
mod output;
mod report;
mod segment;
mod shard;
mod step;
mod tally;

pub use build::{Options, Plan, REJECTED, REPORT, TIMES, work_folder};
pub use config::{Allowed, OnDamage, OutputConfig, OutputPacking, Recipe, SourceConfig, Step};
pub use report::{FileReport, Report, SourceReport, StepReport, StepTime};
pub use step::{ContaminationStep, PerplexityStep, StepConfig};
pub use tally::{Rejected, Size};

#[cfg(test)]
mod tests;
