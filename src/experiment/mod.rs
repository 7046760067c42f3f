//! A question in a file, its arms, the plan, the runs, the verdicts. No tensors.

mod record;
mod summary;

pub use record::Record;
pub use summary::{ArmSummary, Comparison, Difference, MetricSummary, Summary, Verdict};

/// The answer of the experiment in `folder`, from its plan and records alone.
///
/// # Errors
///
/// No experiment's folder; records that cannot be read.
pub fn summarise(folder: &std::path::Path) -> crate::settings::Result<Summary> {
    let _ = folder;
    todo!()
}
