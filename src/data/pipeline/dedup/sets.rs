//! Sets of hashes of some documents, on disk, to be compared exactly.
//!
//! Two files per shard: all hashes one after another, and where those of a document are.

use super::{
    file::{Table, Writer},
    record::Place,
    work::Work,
};
use crate::settings::{Error, Result};
use std::collections::{HashMap, HashSet};

/// Shards whose files are open at the same time.
const OPEN: usize = 32;

/// A document, the first of its hashes, and how many there are.
type Entry = (u32, u64, u64);

/// Writes the sets of a shard.
pub(super) struct SetWriter {
    hashes: Writer<u64>,
    index: Writer<Entry>,
    fingerprint: u64,
}

impl SetWriter {
    /// Starts the files of a shard; that of the index says that the scan is done.
    pub(super) fn create(work: &Work, pass: u32, shard: u32) -> Result<Self> {
        let hashes = Writer::create(&work.shard_path("sets", shard), work.scan_memory() / 2)?;
        let index = Writer::create(&work.scan_path(pass, shard), 0)?;
        Ok(Self { hashes, index, fingerprint: work.fingerprint() })
    }

    /// Adds the set of the next document; `hashes` is sorted, and each is there once.
    pub(super) fn add(&mut self, document: u32, hashes: &[u64]) -> Result<()> {
        self.index.push(&(document, self.hashes.records(), hashes.len() as u64))?;
        hashes.iter().try_for_each(|hash| self.hashes.push(hash))
    }

    /// Both files take their names.
    pub(super) fn finish(self, documents: u64) -> Result<()> {
        self.hashes.finish(self.fingerprint, documents)?;
        self.index.finish(self.fingerprint, documents)
    }
}

/// Reads sets by place.
pub(super) struct SetReader<'a> {
    work: &'a Work,
    pass: u32,
    open: HashMap<u32, (Table<Entry>, Table<u64>)>,
    checked: HashSet<u32>,
    entry: Vec<Entry>,
}

impl<'a> SetReader<'a> {
    /// Reads what a pass wrote.
    pub(super) fn new(work: &'a Work, pass: u32) -> Self {
        Self { work, pass, open: HashMap::new(), checked: HashSet::new(), entry: vec![] }
    }

    /// Reads the set of a document into `out`.
    ///
    /// # Errors
    ///
    /// The files are damaged, or have no such document.
    pub(super) fn read(&mut self, place: Place, out: &mut Vec<u64>) -> Result<()> {
        let Place { shard, document } = place;
        if !self.open.contains_key(&shard) {
            if self.open.len() >= OPEN {
                self.open.clear();
            }
            let first = self.checked.insert(shard);
            let (index, hashes) = (self.work.scan_path(self.pass, shard), self.work.shard_path("sets", shard));
            let fingerprint = self.work.fingerprint();
            self.open.insert(shard, (Table::open(&index, fingerprint, first)?, Table::open(&hashes, fingerprint, first)?));
        }
        let (index, hashes) = self.open.get_mut(&shard).expect("it has just been opened");
        let (mut low, mut high) = (0, index.len());
        while low < high {
            let middle = low + (high - low) / 2;
            index.read(middle, 1, &mut self.entry)?;
            let (found, start, count) = self.entry[0];
            match found.cmp(&document) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return hashes.read(start, usize::try_from(count).unwrap_or(usize::MAX), out),
            }
        }
        let message = format!("no hashes of document {document}");
        Err(Error::input(self.work.scan_path(self.pass, shard).display(), message, "the input has changed: delete the working folder"))
    }
}

/// How many hashes two sorted sets share.
pub(super) fn shared(a: &[u64], b: &[u64]) -> usize {
    let (mut at, mut other, mut count) = (0, 0, 0);
    while at < a.len() && other < b.len() {
        let (x, y) = (a[at], b[other]);
        count += usize::from(x == y);
        at += usize::from(x <= y);
        other += usize::from(y <= x);
    }
    count
}
