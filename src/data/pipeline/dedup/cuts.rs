//! Parts of documents that occur more than once: lines, runs of sentences, windows of bytes.
//!
//! ```text
//! scans     (key, place, unit) of every part, sorted
//! decision  merged: of equal keys all but the first, or all, become cuts (document, from, to), sorted, per shard
//! ```

use super::{
    file::{Reader, Writer},
    passes::{Counter, parallel},
    record::{Place, Record},
    sorted::Sorter,
    stage::Summary,
    work::Work,
};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Mutex;

/// What stays of parts that occur more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Nothing: every copy goes.
    None,
    /// The first copy, in the order of shards, documents and places in a document.
    First,
}

/// A part of a document: what it is compared by, whose it is, and the number of its first unit.
pub(super) type Occurrence<K> = (K, Place, u32);

/// Units from … to … of a document.
type Cut = (u32, u32, u32);

/// How occurrences become cuts.
pub(super) struct Rule {
    /// The pass whose scans hold the occurrences.
    pub pass: u32,
    /// What stays.
    pub keep: Keep,
    /// Where nothing stays: whether the first copy does if all are in one document.
    pub once_alone: bool,
    /// Shards that are compared with one another: so many at a time, all of them if 0.
    pub group: u32,
    /// Units of a part.
    pub width: u32,
}

/// Writes the cuts of all shards. The summary counts parts, distinct ones, and those that a copy was found of.
pub(super) fn decide<K: Record>(work: &Work, shards: u32, rule: &Rule) -> Result<Summary> {
    let size = if rule.group == 0 { shards } else { rule.group }.max(1);
    let groups = shards.div_ceil(size);
    let total = Mutex::new([0u64; 3]);
    let threads = work.threads().min(groups as usize);
    parallel(threads, groups, &|group| {
        let shards = group * size..(group.saturating_add(1)).saturating_mul(size).min(shards);
        let found = decide_group::<K>(work, shards, rule, work.share(threads))?;
        let mut total = total.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        total.iter_mut().zip(found).for_each(|(total, found)| *total += found);
        Ok(())
    })?;
    let total = total.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let names = ["parts", "parts that differ", "parts with a copy"];
    Ok(names.iter().zip(total).map(|(name, count)| (name.to_string(), count)).collect())
}

fn decide_group<K: Record>(work: &Work, shards: Range<u32>, rule: &Rule, memory: usize) -> Result<[u64; 3]> {
    let mut cuts: Sorter<(Place, u32, u32)> = work.sorter(&format!("cuts-{}", shards.start), memory / 2)?;
    let mut merge = work.merge::<Occurrence<K>>(rule.pass, shards.clone(), memory / 2)?;
    let (mut parts, mut differ, mut copied) = (0, 0, 0);
    // The first of equal parts, whether another one came, and whether one of another document.
    let mut first: Option<(Occurrence<K>, bool, bool)> = None;
    while let Some(part) = merge.next()? {
        parts += 1;
        match &mut first {
            Some(((key, place, unit), again, shared)) if *key == part.0 => {
                copied += 1 + u64::from(!*again);
                *again = true;
                if !*shared && (*place != part.1 || !rule.once_alone) {
                    *shared = true;
                    if rule.keep == Keep::None {
                        cuts.push((*place, *unit, unit.saturating_add(rule.width)))?;
                    }
                }
                // What overlaps the copy that stays loses only what is beyond it.
                let (from, to) = (part.2, part.2.saturating_add(rule.width));
                let kept = if rule.keep == Keep::First && *place == part.1 { unit.saturating_add(rule.width) } else { 0 };
                if from.max(kept) < to {
                    cuts.push((part.1, from.max(kept), to))?;
                }
            }
            _ => {
                differ += 1;
                first = Some((part, false, false));
            }
        }
    }
    drop(merge);
    let mut sorted = cuts.sorted()?;
    let mut next = sorted.next()?;
    for shard in shards {
        let mut writer = Writer::<Cut>::create(&work.shard_path("cut", shard), memory / 4)?;
        while let Some((place, from, mut to)) = next.filter(|(place, ..)| place.shard == shard) {
            // Cuts that touch are one.
            next = sorted.next()?;
            while let Some((_, _, further)) = next.filter(|(other, start, _)| *other == place && *start <= to) {
                to = to.max(further);
                next = sorted.next()?;
            }
            writer.push(&(place.document, from, to))?;
        }
        let documents = work.documents::<Occurrence<K>>(rule.pass, shard)?;
        writer.finish(work.fingerprint(), documents)?;
    }
    Ok([parts, differ, copied])
}

/// The cuts of a shard, document by document.
pub(super) struct Cuts {
    reader: Reader<Cut>,
    next: Option<Cut>,
    counter: Counter,
    ranges: Vec<Range<usize>>,
}

impl Cuts {
    /// Opens the decision of a shard.
    pub(super) fn open(work: &Work, shard: u32) -> Result<Self> {
        let mut reader = Reader::open_checked(&work.shard_path("cut", shard), work.fingerprint(), work.scan_memory())?;
        let next = reader.next()?;
        Ok(Self { reader, next, counter: Counter::new(shard), ranges: vec![] })
    }

    /// The units that the next document loses: ranges in order that do not touch.
    pub(super) fn next(&mut self) -> Result<&[Range<usize>]> {
        let place = self.counter.next()?;
        self.ranges.clear();
        while let Some((_, from, to)) = self.next.filter(|(document, ..)| *document == place.document) {
            self.ranges.push(from as usize..to as usize);
            self.next = self.reader.next()?;
        }
        Ok(&self.ranges)
    }

    /// The shard ends.
    pub(super) fn finish(self) -> Result<()> {
        self.counter.check(self.reader.header().documents)
    }
}

/// Takes byte ranges, in order, out of a text.
pub(super) fn remove(text: &mut String, ranges: &[Range<usize>]) {
    let mut kept = String::with_capacity(text.len() - ranges.iter().map(|range| range.len()).sum::<usize>());
    let mut start = 0;
    for range in ranges {
        kept.push_str(&text[start..range.start]);
        start = range.end;
    }
    kept.push_str(&text[start..]);
    *text = kept;
}
