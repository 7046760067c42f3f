//! Devices of one run: how they send each other numbers, and what a layout of a model over a cluster takes of memory, links and
//! time.
//!
//! ```text
//! gradients ─► Buckets ─► Sender (a thread) ─► Group ─► other ranks
//! ```
//!
//! ```text
//! Cluster ─┐
//! Work ────┼─► proposals ─► Cost { memory, sent, seconds }
//! Layout ──┘                          ▲
//!            backward ─ buckets ──────┘ (Timeline, which can be written as a trace)
//! ```
//!
//! Nothing here knows a model: [`Work`] is all that is said of one.

mod buckets;
mod cluster;
mod config;
mod cost;
pub mod group;
mod layout;
mod search;
mod sender;
mod timeline;
mod work;

pub use buckets::{Bucket, Buckets, Place};
pub use cluster::{Cluster, DeviceKind};
pub use config::{LinkConfig, ParallelConfig};
pub use cost::{Cost, Memory, Seconds, Sent};
pub use layout::{Layout, Sharded, indivisible};
pub use search::{Proposal, proposals};
pub use sender::{Operation, Sender};
pub use timeline::{Event, Lane, Timeline};
pub use work::{Part, Work};
