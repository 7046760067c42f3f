//! Layered configuration: files that extend files, `--set` overrides, locations, errors, schema.
//!
//! The room knows no section: each room owns the configuration of what it builds and hands its type to
//! [`Document::parse`].

mod error;

pub use error::{Error, Mistake, Problem, Result};
