//! The folder of a stage, and its budget.

use super::{file::Reader, merge::Merge, record::Record, sorted::Sorter, stage::Summary};
use crate::{
    files,
    settings::{Error, Result},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Least memory that anything here works with, in bytes.
const LEAST: usize = 64 << 10;

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

    /// What a decision found.
    pub(super) fn decision_path(&self, pass: u32) -> PathBuf {
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
