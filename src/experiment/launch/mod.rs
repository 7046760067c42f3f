//! Runs as processes of their own: what one run does to memory, threads or the process stays with it.

mod cause;
mod child;
mod folder;
pub mod interrupt;
mod lifeline;
mod local;
mod packing;
mod retries;
mod slurm;
mod watchdog;

pub use cause::DISK_CODE;
pub(super) use folder::parse_result;
pub use lifeline::Lifeline;
pub(super) use local::{Launch, Signal, default_jobs, local};
pub(super) use packing::expected;
pub(super) use retries::Retries;
pub use slurm::{SlurmOptions, Submitted, TaskEnd, task};
pub(super) use slurm::{Submission, retries as retries_of_batches, settle, waiting};

/// Where runs train.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Launcher {
    /// As children of this process.
    #[default]
    Local,
    /// As tasks of an array job of SLURM.
    Slurm(SlurmOptions),
}
