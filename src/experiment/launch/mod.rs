//! Runs as processes of their own: what one run does to memory, threads or the process stays with it.

mod child;
pub mod interrupt;
mod local;

pub(super) use local::{Launch, Signal, local};
