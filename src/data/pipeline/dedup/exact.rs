//! Documents that are the same, byte for byte: LLaMA's deduplication of GitHub "at the file level, with exact matches"
//! (section 2.1).
//!
//! Compared by 128 bits of a SHA-256, so that nobody can make two texts collide; by chance it happens among 10¹² documents
//! once in 10¹⁴ times.

use super::{
    drops::{self, DropJudge},
    passes::Counter,
    record::Place,
    sorted::Sorter,
    stage::{Judge, Scan, Stage, Summary},
    work::Work,
};
use crate::{
    data::pipeline::Document,
    settings::{Result, options},
};
use sha2::{Digest, Sha256};

options! {
    /// Options of the deduplication of whole documents.
    ExactConfig {
        /// Compare a string of the meta instead of the text, such as `digest` of a WET record; documents that lack it stay.
        key: Option<String> = None,
        /// Ignore white space at both ends.
        trim: bool = false,
    }
}

type Occurrence = (u128, Place);

/// The deduplication of whole documents: the first copy stays.
pub struct Exact(ExactConfig);

impl Exact {
    /// Compares texts, or what the options name.
    pub fn new(config: ExactConfig) -> Self {
        Self(config)
    }

    fn hash(&self, document: &Document) -> Option<u128> {
        let text = match &self.0.key {
            Some(key) => document.meta(key)?,
            None => &document.text,
        };
        let hash = Sha256::digest(if self.0.trim { text.trim() } else { text });
        Some(u128::from_le_bytes(hash[..16].try_into().expect("a hash has 32 bytes")))
    }
}

impl Stage for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        let sorter = work.sorter(&format!("scan-{pass}-{shard}"), work.scan_memory())?;
        Ok(Box::new(ExactScan { stage: self, sorter, counter: Counter::new(shard), path: work.scan_path(pass, shard) }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        let mut merge = work.merge::<Occurrence>(pass, 0..shards, work.share(2))?;
        let mut drops: Sorter<(Place, Place)> = work.sorter("drops", work.share(2))?;
        let (mut documents, mut first) = (0, None::<Occurrence>);
        while let Some(next) = merge.next()? {
            documents += 1;
            match first {
                Some((hash, keeper)) if hash == next.0 => drops.push((next.1, keeper))?,
                _ => first = Some(next),
            }
        }
        drop(merge);
        let dropped = drops::write_sorted(work, shards, drops.sorted()?, |shard| work.documents::<Occurrence>(pass, shard))?;
        Ok([("documents".into(), documents), ("documents dropped".into(), dropped)].into())
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(DropJudge::open(work, shard, "exact.copy")?))
    }
}

struct ExactScan<'a> {
    stage: &'a Exact,
    sorter: Sorter<Occurrence>,
    counter: Counter,
    path: std::path::PathBuf,
}

impl Scan for ExactScan<'_> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        match self.stage.hash(document) {
            Some(hash) => self.sorter.push((hash, place)),
            None => Ok(()),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}
