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

use super::{
    file::Reader,
    record::{Place, Record},
    sorted::{Merge, Sorter},
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    files,
    settings::{Error, Result},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// Least memory that anything here works with, in bytes.
const LEAST: usize = 64 << 10;

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

/// Where a stage keeps its files, and what it may use.
#[derive(Clone, Debug)]
pub struct Work {
    folder: PathBuf,
    memory: usize,
    threads: usize,
    fingerprint: u64,
}

impl Work {
    /// A folder of one stage, made if it is not there.
    ///
    /// `memory` is what all threads together may take, in bytes: scans, sorting and merging, beside the document at hand; at
    /// least 64 KiB each. `fingerprint` is a hash of all that decides the results (recipe, inputs, the code of earlier
    /// stages): files of another one are refused.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn new(folder: &Path, memory: usize, threads: usize, fingerprint: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        Ok(Self { folder: folder.to_path_buf(), memory, threads: threads.max(1), fingerprint })
    }

    /// Whether a scan has been finished.
    pub fn scanned(&self, pass: u32, shard: u32) -> bool {
        self.scan_path(pass, shard).is_file()
    }

    /// What was decided after a pass, if it has been.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is none of [`Summary`].
    pub fn decided(&self, pass: u32) -> Result<Option<Summary>> {
        let path = self.decision_path(pass);
        let text = files::if_there(fs::read_to_string(&path)).map_err(Error::io("read", &path))?;
        let Some(text) = text else { return Ok(None) };
        let parse = |_| Error::input(path.display(), "the file is damaged", "delete it and start again: it is made anew");
        serde_json::from_str(&text).map(Some).map_err(parse)
    }

    fn decision_path(&self, pass: u32) -> PathBuf {
        self.folder.join(format!("decision-{pass}.json"))
    }

    /// A file or folder of the stage.
    pub(in crate::data) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// What a scan leaves; its presence says that the scan is done.
    pub(in crate::data) fn scan_path(&self, pass: u32, shard: u32) -> PathBuf {
        self.folder.join(format!("scan-{pass}-{shard:06}.run"))
    }

    /// What a decision leaves for a shard.
    pub(super) fn shard_path(&self, name: &str, shard: u32) -> PathBuf {
        self.folder.join(format!("{name}-{shard:06}.run"))
    }

    /// Hash of all that decides the results.
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Threads.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes for one of as many parts as work side by side.
    pub(super) fn share(&self, parts: usize) -> usize {
        (self.memory / parts.max(1)).max(LEAST)
    }

    /// Bytes for one scan or judge.
    pub(super) fn scan_memory(&self) -> usize {
        self.share(self.threads)
    }

    /// Sorts within a part of the memory.
    pub(super) fn sorter<R: Record>(&self, name: &str, memory: usize) -> Result<Sorter<R>> {
        Sorter::new(self.folder.join(format!("{name}.spill")), memory, self.fingerprint)
    }

    /// Merges what a pass left of some shards.
    pub(super) fn merge<R: Record>(&self, pass: u32, shards: std::ops::Range<u32>, memory: usize) -> Result<Merge<R>> {
        let name = format!("merge-{pass}-{}", shards.start);
        let paths: Vec<PathBuf> = shards.map(|shard| self.scan_path(pass, shard)).collect();
        Merge::open(&paths, &self.folder.join(name), memory, self.fingerprint)
    }

    /// Documents that a scan read.
    pub(super) fn documents<R: Record>(&self, pass: u32, shard: u32) -> Result<u64> {
        Ok(Reader::<R>::open(&self.scan_path(pass, shard), self.fingerprint, 0)?.header().documents)
    }
}

/// Reads shards: calls back with every document of the shard of that number, in order.
pub type ReadShard<'a> = dyn Fn(u32, &mut dyn FnMut(&Document) -> Result<()>) -> Result<()> + Sync + 'a;

/// Runs all passes of a stage up to its last decision; what is there already is not done again. What was decided is returned.
///
/// # Errors
///
/// Those of reading, and of [`Stage::scan`] and [`Stage::decide`].
pub fn run_passes(stage: &dyn Stage, work: &Work, shards: u32, read: &ReadShard) -> Result<Summary> {
    let mut all = Summary::new();
    for pass in 0..stage.passes() {
        let summary = match work.decided(pass)? {
            Some(summary) => summary,
            None => {
                parallel(work.threads, shards, &|shard| {
                    if work.scanned(pass, shard) {
                        return Ok(());
                    }
                    let mut scan = stage.scan(work, pass, shard)?;
                    read(shard, &mut |document| scan.add(document))?;
                    scan.finish()
                })?;
                let summary = stage.decide(work, pass, shards)?;
                let text = serde_json::to_string_pretty(&summary).expect("numbers by name are JSON");
                files::write(&work.decision_path(pass), text.as_bytes())?;
                summary
            }
        };
        all.extend(summary);
    }
    Ok(all)
}

/// Does `count` things on some threads; the error of the first of them in order is returned.
pub(super) fn parallel(threads: usize, count: u32, each: &(dyn Fn(u32) -> Result<()> + Sync)) -> Result<()> {
    if threads.min(count as usize) <= 1 {
        return (0..count).try_for_each(each);
    }
    let (next, failed, error) = (AtomicU32::new(0), AtomicBool::new(false), Mutex::new(None::<(u32, Error)>));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count as usize) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    if let Err(wrong) = each(number) {
                        failed.store(true, Ordering::Relaxed);
                        let mut first = error.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        if first.as_ref().is_none_or(|(place, _)| number < *place) {
                            *first = Some((number, wrong));
                        }
                    }
                }
            });
        }
    });
    match error.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The place of the next document of a shard.
#[derive(Debug)]
pub(super) struct Counter(Place);

impl Counter {
    /// Of a shard's first document.
    pub(super) fn new(shard: u32) -> Self {
        Self(Place { shard, document: 0 })
    }

    /// The place, and one document further.
    ///
    /// # Errors
    ///
    /// A shard has more than 2³² − 2 documents.
    pub(super) fn next(&mut self) -> Result<Place> {
        let place = self.0;
        let more = || Error::input(format!("shard {}", place.shard), "more than four billion documents", "cut the input into more files");
        self.0.document = place.document.checked_add(1).ok_or_else(more)?;
        Ok(place)
    }

    /// Documents so far.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.0.document)
    }

    /// Whether the shard had as many documents as when it was scanned.
    pub(super) fn check(&self, documents: u64) -> Result<()> {
        if self.count() == documents {
            return Ok(());
        }
        let message = format!("{} documents were judged, but {documents} were scanned", self.count());
        Err(Error::input(format!("shard {}", self.0.shard), message, "the input has changed: delete the working folder and start again"))
    }
}
