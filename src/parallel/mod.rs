//! Devices of one run: what a layout of a model over a cluster takes of memory, links and time.
//!
//! ```text
//! Cluster ─┐
//! Work ────┼─► proposals ─► Cost { memory, sent, seconds }
//! Layout ──┘                          ▲
//!            backward ─ buckets ──────┘ (Timeline, which can be written as a trace)
//! ```
//!
//! Nothing here knows a model: [`Work`] is all that is said of one.

mod cluster;
mod cost;
mod layout;
mod search;
mod timeline;
mod work;

pub use cluster::{Cluster, DeviceKind};
pub use cost::{Cost, Memory, Seconds, Sent};
pub use layout::{Layout, Sharded};
pub use search::{Proposal, proposals};
pub use timeline::{Event, Lane, Timeline};
pub use work::{Part, Work};
