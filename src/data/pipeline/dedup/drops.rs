//! Which documents of a shard go, and in favour of which.

use super::{
    file::{Reader, Writer},
    passes::Counter,
    record::Place,
    sorted::Sorted,
    stage::Judge,
    work::Work,
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::Result,
};

/// A document of a shard and its keeper.
type Entry = (u32, Place);

/// Splits documents that go, in order of their places, into one file per shard. `documents` says how many a shard has.
pub(super) fn write(
    work: &Work,
    shards: u32,
    mut drops: impl FnMut() -> Result<Option<(Place, Place)>>,
    documents: impl Fn(u32) -> Result<u64>,
) -> Result<u64> {
    let mut next = drops()?;
    let mut dropped = 0;
    for shard in 0..shards {
        let mut writer = Writer::<Entry>::create(&work.shard_path("drop", shard), work.share(4))?;
        while let Some((place, keeper)) = next.filter(|(place, _)| place.shard == shard) {
            writer.push(&(place.document, keeper))?;
            dropped += 1;
            next = drops()?;
        }
        writer.finish(work.fingerprint(), documents(shard)?)?;
    }
    Ok(dropped)
}

/// The same of sorted pairs.
pub(super) fn write_sorted(
    work: &Work,
    shards: u32,
    mut drops: Sorted<(Place, Place)>,
    documents: impl Fn(u32) -> Result<u64>,
) -> Result<u64> {
    write(work, shards, || drops.next(), documents)
}

/// Drops the documents that a decision names.
pub(super) struct DropJudge {
    reader: Reader<Entry>,
    next: Option<Entry>,
    counter: Counter,
    rule: &'static str,
}

impl DropJudge {
    /// Opens the decision of a shard; `rule` is what the verdict says.
    pub(super) fn open(work: &Work, shard: u32, rule: &'static str) -> Result<Self> {
        let mut reader = Reader::open_checked(&work.shard_path("drop", shard), work.fingerprint(), work.scan_memory())?;
        let next = reader.next()?;
        Ok(Self { reader, next, counter: Counter::new(shard), rule })
    }
}

impl Judge for DropJudge {
    fn apply(&mut self, document: &mut Document, _counts: &mut Counts) -> Result<Verdict> {
        let place = self.counter.next()?;
        let Some((_, keeper)) = self.next.filter(|(document, _)| *document == place.document) else { return Ok(Verdict::Keep) };
        self.next = self.reader.next()?;
        document.meta.insert("duplicate_of".into(), keeper.to_string().into());
        Ok(Verdict::Drop(self.rule))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.counter.check(self.reader.header().documents)
    }
}
