//! How a stage that needs to know all documents is run: in passes over the shards, each of which can be started again.
//!
//! ```text
//! for each pass:  scan every shard (in parallel) ─► decide (once)
//! at the end:     judge every shard (in parallel)
//! ```
//!
//! Everything between is in files of the stage's [`Work`] folder: whole or not there, checked when they are read, and the
//! same bytes whatever the threads and the memory. A run that was killed goes on with the scans and decisions that are
//! missing; after [`Stage::judge`] has seen all shards the folder can be deleted.

use super::work::Work;
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::Result,
};
use std::collections::BTreeMap;

/// What a decision found, by name, in the words of the report: `lines`, `lines repeated`, `documents dropped`, …
pub type Summary = BTreeMap<String, u64>;

/// A stage that judges each document by all documents.
///
/// What it decides depends on the documents and their order only: not on threads or memory, and not on how the input is cut
/// into shards, unless an option says so.
pub trait Stage: Send + Sync {
    /// Name, for counts and messages.
    fn name(&self) -> &'static str;

    /// How often all documents are read before they are judged.
    fn passes(&self) -> u32 {
        1
    }

    /// Begins to read a shard.
    ///
    /// # Errors
    ///
    /// The folder cannot be written, or what an earlier pass decided is damaged or missing.
    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>>;

    /// Decides by what the scans of all shards wrote.
    ///
    /// # Errors
    ///
    /// A scan's file is missing or damaged (it is named), or the folder cannot be written.
    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary>;

    /// Begins to judge the documents of a shard.
    ///
    /// # Errors
    ///
    /// The decision is missing or damaged.
    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>>;
}

/// One shard that is read: all its documents in order.
pub trait Scan {
    /// The next document.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    fn add(&mut self, document: &Document) -> Result<()>;

    /// The shard ends; only now its file takes its name.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// One shard whose documents are judged: the same documents in the same order as they were scanned.
pub trait Judge {
    /// Judges the next document, and takes out of it what must go. A document that is dropped as a copy is told its keeper:
    /// `duplicate_of` in its meta, as `shard/number`.
    ///
    /// # Errors
    ///
    /// The decision cannot be read, or the document is not the one that was scanned.
    fn apply(&mut self, document: &mut Document, counts: &mut Counts) -> Result<Verdict>;

    /// The shard ends.
    ///
    /// # Errors
    ///
    /// It had fewer documents than when it was scanned.
    fn finish(self: Box<Self>) -> Result<()>;
}
