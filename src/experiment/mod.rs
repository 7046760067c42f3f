//! A question in a file, its arms, the plan, the runs, the verdicts. No tensors.

mod record;
mod summary;

pub use record::Record;
pub use summary::{ArmSummary, Comparison, Difference, MetricSummary, Summary, Verdict};
