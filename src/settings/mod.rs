//! Layered configuration: files that extend files, `--set` overrides, locations, errors, schema.
//!
//! The room knows no section: each room owns the configuration of what it builds and hands its type to
//! [`Document::parse`].
//!
//! ```text
//! file ─ extends ─► layers ─► Document ─ parse::<T>() ─► T
//!        --set, overlay ──────────┘  └─ locate(problems) ─► file:line: key = value: what is wrong
//! ```

mod check;
mod document;
mod error;
mod explain;
mod key;
mod load;
mod node;
mod options;
mod prose;
mod schema;
mod shape;
mod spelling;
mod tree;

pub use document::Document;
pub use error::{Error, Mistake, Problem, Result, said};
pub use explain::{explain, keys, near, sections};
pub use node::Origin;
pub(crate) use options::options;
pub use schema::schema;
pub use spelling::nearest;
pub(crate) use spelling::written;
pub(crate) use tree::flatten;
