//! Runs as processes of their own: what one run does to memory, threads or the process stays with it.

mod cause;
mod child;
pub mod interrupt;
mod lifeline;
mod local;
mod packing;
mod retries;
mod watchdog;

pub use cause::DISK_CODE;
pub use lifeline::Lifeline;
pub(super) use child::set_checkpoint_aside;
pub(super) use local::{Launch, Signal, default_jobs, local};
pub(super) use packing::expected;
pub(super) use retries::Retries;
