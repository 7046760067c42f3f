//! Text that occurs more than once, wherever it begins (Lee et al. 2022, arXiv 2107.06499, section 4.1, "ExactSubstr").
//!
//! Every run of `length` bytes that occurs at another place too is found, and no other: the result is that of a suffix array
//! over all text, which this needs no memory for. Two readings instead:
//!
//! ```text
//! scan 0    anchors: of every run of `length` bytes the least hash of the shorter runs in it (winnowing, Schleimer et al.
//!           2003): equal runs have equal anchors
//! decide 0  the anchors that occur more than once
//! scan 1    128-bit hashes of all runs of `length` bytes that hold one of those
//! decide 1  equal ones are copies, and become cuts
//! ```
//!
//! The second scan writes 28 bytes for every byte of text near a repeated anchor.

use super::{
    cuts::{self, Cuts, Keep, Occurrence},
    file::{Reader, Writer},
    lines::shorter,
    passes::Counter,
    record::Place,
    sorted::Sorter,
    stage::{Judge, Scan, Stage, Summary},
    work::Work,
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::{Error, Result, options},
};
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

options! {
    /// Options of the removal of repeated text.
    SubstringsConfig {
        /// Bytes that must be equal; at least 16. Lee et al. take 50 tokens, which are about 200 bytes of English.
        length: u32 = 200,
        /// What stays of text that occurs more than once. Lee et al. keep one copy; the code that they published removes all.
        keep: Keep = Keep::First,
        /// A document that lost text and has fewer characters left is dropped.
        min_chars: usize = 1,
    }
}

/// The removal of repeated text.
pub struct Substrings(SubstringsConfig);

impl Substrings {
    /// Compares text as the options say.
    ///
    /// # Errors
    ///
    /// A length of less than 16 bytes.
    pub fn new(config: SubstringsConfig) -> Result<Self> {
        if config.length < 16 {
            return Err(Error::input("substrings.length", "must be at least 16 bytes", "200 bytes are about 50 tokens of English"));
        }
        Ok(Self(config))
    }

    fn widths(&self) -> Widths {
        let length = self.0.length as usize;
        Widths { length, short: length / 2, window: length - length / 2 + 1 }
    }

    /// Positions of anchors that occur more than once, by shard.
    fn repeated(&self, work: &Work, shards: u32) -> Result<Summary> {
        let mut merge = work.merge::<Occurrence<u64>>(0, 0..shards, work.share(2))?;
        let mut repeated: Sorter<(Place, u32)> = work.sorter("repeated", work.share(2))?;
        let (mut first, mut anchors): (Option<(Occurrence<u64>, bool)>, _) = (None, 0u64);
        while let Some(next) = merge.next()? {
            anchors += 1;
            match &mut first {
                Some(((hash, place, at), again)) if *hash == next.0 => {
                    if !*again {
                        repeated.push((*place, *at))?;
                        *again = true;
                    }
                    repeated.push((next.1, next.2))?;
                }
                _ => first = Some((next, false)),
            }
        }
        drop(merge);
        let summary = [("anchors".into(), anchors), ("anchors repeated".into(), repeated.records())].into();
        let mut sorted = repeated.sorted()?;
        let mut next = sorted.next()?;
        for shard in 0..shards {
            let mut writer = Writer::create(&work.shard_path("anchor", shard), work.share(4))?;
            while let Some((place, at)) = next.filter(|(place, _)| place.shard == shard) {
                writer.push(&(place.document, at))?;
                next = sorted.next()?;
            }
            writer.finish(work.fingerprint(), work.documents::<Occurrence<u64>>(0, shard)?)?;
        }
        Ok(summary)
    }
}

/// 128 bits, in two halves, as those need no padding in memory.
type Hash = (u64, u64);

/// Bytes that must be equal, bytes of the shorter runs, and how many of those a run has.
#[derive(Clone, Copy)]
struct Widths {
    length: usize,
    short: usize,
    window: usize,
}

impl Stage for Substrings {
    fn name(&self) -> &'static str {
        "substrings"
    }

    fn passes(&self) -> u32 {
        2
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        let (widths, counter, path) = (self.widths(), Counter::new(shard), work.scan_path(pass, shard));
        let name = format!("scan-{pass}-{shard}");
        if pass == 0 {
            let sorter = work.sorter(&name, work.scan_memory())?;
            return Ok(Box::new(AnchorScan { widths, sorter, counter, path, hashes: vec![] }));
        }
        let sorter = work.sorter(&name, work.scan_memory())?;
        let mut anchors = Reader::open_checked(&work.shard_path("anchor", shard), work.fingerprint(), work.scan_memory() / 4)?;
        let next = anchors.next()?;
        Ok(Box::new(RunScan { widths, sorter, counter, path, anchors, next }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        if pass == 0 {
            return self.repeated(work, shards);
        }
        cuts::decide::<Hash>(work, shards, &cuts::Rule { pass, keep: self.0.keep, once_alone: false, group: 0, width: self.0.length })
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(SubstringJudge { config: &self.0, cuts: Cuts::open(work, shard)? }))
    }
}

fn fits(document: &Document) -> Result<()> {
    let message = "a document of more than 4 GiB";
    u32::try_from(document.text.len()).map(drop).map_err(|_| Error::input(&document.id, message, "cut it into several"))
}

struct AnchorScan {
    widths: Widths,
    sorter: Sorter<Occurrence<u64>>,
    counter: Counter,
    path: PathBuf,
    /// The last hashes of short runs, by position modulo the window.
    hashes: Vec<u64>,
}

/// Spreads a byte over 64 bits.
fn spread(byte: u8) -> u64 {
    mix(u64::from(byte) + 1)
}

/// The finaliser of SplitMix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

impl AnchorScan {
    /// Hashes every short run, and pushes the least of each window of them.
    fn anchors(&mut self, bytes: &[u8], place: Place) -> Result<()> {
        let Widths { length, short, window } = self.widths;
        if bytes.len() < length {
            return Ok(());
        }
        let first = BASE.wrapping_pow(short as u32);
        self.hashes.clear();
        self.hashes.resize(window, 0);
        let table: [u64; 256] = std::array::from_fn(|byte| spread(byte as u8));
        let mut hash = bytes[..short].iter().fold(0u64, |hash, byte| hash.wrapping_mul(BASE).wrapping_add(table[*byte as usize]));
        let (mut least, mut pushed) = ((u64::MAX, 0), None);
        for at in 0..=bytes.len() - short {
            if at > 0 {
                let (gone, come) = (table[bytes[at - 1] as usize], table[bytes[at + short - 1] as usize]);
                hash = hash.wrapping_mul(BASE).wrapping_add(come).wrapping_sub(gone.wrapping_mul(first));
            }
            let value = mix(hash);
            self.hashes[at % window] = value;
            if value <= least.0 {
                least = (value, at);
            } else if least.1 + window <= at {
                // It has left: the last of the least ones that are still there.
                least = (at + 1 - window..=at)
                    .map(|at| (self.hashes[at % window], at))
                    .min_by_key(|(value, at)| (*value, usize::MAX - at))
                    .expect("a window is not empty");
            }
            if at + 1 >= window && pushed != Some(least.1) {
                pushed = Some(least.1);
                self.sorter.push((least.0, place, least.1 as u32))?;
            }
        }
        Ok(())
    }
}

impl Scan for AnchorScan {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        fits(document)?;
        self.anchors(document.text.as_bytes(), place)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}

struct RunScan {
    widths: Widths,
    sorter: Sorter<Occurrence<Hash>>,
    counter: Counter,
    path: PathBuf,
    anchors: Reader<(u32, u32)>,
    next: Option<(u32, u32)>,
}

impl Scan for RunScan {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        fits(document)?;
        let (bytes, Widths { length, window, .. }) = (document.text.as_bytes(), self.widths);
        let mut from = 0;
        while let Some((_, anchor)) = self.next.filter(|(number, _)| *number == place.document) {
            // The runs that hold the short run at the anchor.
            let start = from.max((anchor as usize + 1).saturating_sub(window));
            let end = (anchor as usize + 1).min((bytes.len() + 1).saturating_sub(length));
            for at in start..end {
                let hash = xxh3_128(&bytes[at..at + length]);
                self.sorter.push(((hash as u64, (hash >> 64) as u64), place, at as u32))?;
            }
            from = end.max(from);
            self.next = self.anchors.next()?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}

struct SubstringJudge<'a> {
    config: &'a SubstringsConfig,
    cuts: Cuts,
}

impl Judge for SubstringJudge<'_> {
    fn apply(&mut self, document: &mut Document, counts: &mut Counts) -> Result<Verdict> {
        let cuts = self.cuts.next()?;
        if cuts.is_empty() {
            return Ok(Verdict::Keep);
        }
        let text = &document.text;
        let boundary = |mut at: usize, step: isize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at = at.saturating_add_signed(step);
            }
            at
        };
        // A character that only half belongs to a copy stays.
        let cuts = cuts.iter().map(|cut| boundary(cut.start, 1)..boundary(cut.end, -1)).filter(|cut| !cut.is_empty());
        let cuts: Vec<_> = cuts.collect();
        cuts.iter().for_each(|cut| counts.add("substrings.repeated", cut.len()));
        cuts::remove(&mut document.text, &cuts);
        let left = !document.text.trim().is_empty() && !shorter(&document.text, self.config.min_chars);
        Ok(if left { Verdict::Keep } else { Verdict::Drop("substrings.short") })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.cuts.finish()
    }
}
