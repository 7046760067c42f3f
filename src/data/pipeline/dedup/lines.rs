//! CCNet's deduplication of lines (Wenzek et al. 2020, arXiv 1911.00359, section 3.1), as in `dedup.py` of
//! facebookresearch/cc_net at bda555bd1c.
//!
//! A line is compared by the first 8 bytes of the SHA-1 of what a normaliser makes of it. A line that occurs more than once
//! in the group goes everywhere, its first copy too: this is what the paper did, and LLaMA after it. In cc_net's code a line
//! that repeats within one document alone stays there once, since the hashes of a document are counted together; so here.
//! Where cc_net reads the hashes of a group into memory, they are sorted on disk here, so that a group can be everything there
//! is; its sharded mode, which misses hashes that occur once in each part, has no counterpart.

use super::{
    cuts::{self, Cuts, Keep, Occurrence},
    passes::Counter,
    sorted::Sorter,
    stage::{Judge, Scan, Stage, Summary},
    work::Work,
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::{Error, Result, options},
};
use sha1::{Digest, Sha1};

options! {
    /// Options of the deduplication of lines.
    LinesConfig {
        /// What stays of a line that two documents have: `none` (CCNet's paper and code, LLaMA) or `first`.
        keep: Keep = Keep::None,
        /// Shards that are compared with one another: so many at a time (CCNet: 50 of the 1600 of a dump, `hash_in_mem`);
        /// 0 is all, and the only value whose result does not depend on how the input is cut.
        group: u32 = 0,
        /// A document of fewer characters is dropped before lines are compared (CCNet: `min_len`).
        min_chars: usize = 300,
        /// A document that has fewer characters left is dropped (CCNet: no such rule).
        min_chars_after: usize = 0,
    }
}

/// Appends what a line is compared by to a string.
pub type Normalise = Box<dyn Fn(&str, &mut String) + Send + Sync>;

/// The deduplication of lines.
pub struct Lines {
    config: LinesConfig,
    normalise: Normalise,
}

impl Lines {
    /// Compares lines by what `normalise` makes of them. A document of nothing but dropped lines is dropped.
    pub fn new(config: LinesConfig, normalise: Normalise) -> Self {
        Self { config, normalise }
    }
}

/// The first 8 bytes of a SHA-1, as cc_net reads them: little-endian.
pub fn line_hash(normalised: &str) -> u64 {
    let hash = Sha1::digest(normalised.as_bytes());
    u64::from_le_bytes(hash[..8].try_into().expect("a hash has 20 bytes"))
}

/// Whether a text has fewer characters than that.
pub(super) fn shorter(text: &str, chars: usize) -> bool {
    // A character has 1 to 4 bytes.
    text.len() < chars || (text.len() / 4 < chars && text.chars().count() < chars)
}

impl Stage for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        let sorter = work.sorter(&format!("scan-{pass}-{shard}"), work.scan_memory())?;
        let path = work.scan_path(pass, shard);
        Ok(Box::new(LineScan { stage: self, sorter, counter: Counter::new(shard), line: String::new(), path }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        let rule = cuts::Rule { pass, keep: self.config.keep, once_alone: true, group: self.config.group, width: 1 };
        cuts::decide::<u64>(work, shards, &rule)
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(LineJudge { config: &self.config, cuts: Cuts::open(work, shard)? }))
    }
}

struct LineScan<'a> {
    stage: &'a Lines,
    sorter: Sorter<Occurrence<u64>>,
    counter: Counter,
    line: String,
    path: std::path::PathBuf,
}

impl Scan for LineScan<'_> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        if shorter(&document.text, self.stage.config.min_chars) {
            return Ok(());
        }
        for (number, line) in document.text.split('\n').enumerate() {
            let many = |_| Error::input(&document.id, "a document of more than four billion lines", "cut it into several");
            let number = u32::try_from(number).map_err(many)?;
            self.line.clear();
            (self.stage.normalise)(line, &mut self.line);
            self.sorter.push((line_hash(&self.line), place, number))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}

struct LineJudge<'a> {
    config: &'a LinesConfig,
    cuts: Cuts,
}

impl Judge for LineJudge<'_> {
    fn apply(&mut self, document: &mut Document, counts: &mut Counts) -> Result<Verdict> {
        let cuts = self.cuts.next()?;
        if shorter(&document.text, self.config.min_chars) {
            return Ok(Verdict::Drop("lines.short"));
        }
        if cuts.is_empty() {
            return Ok(after(document, self.config));
        }
        let mut kept = String::with_capacity(document.text.len());
        let (mut cuts, mut lines) = (cuts.iter().peekable(), 0);
        for (number, line) in document.text.split('\n').enumerate() {
            while cuts.peek().is_some_and(|cut| cut.end <= number) {
                cuts.next();
            }
            if cuts.peek().is_some_and(|cut| cut.contains(&number)) {
                counts.add("lines.repeated", line.len() + 1);
                continue;
            }
            if lines > 0 {
                kept.push('\n');
            }
            kept.push_str(line);
            lines += 1;
        }
        if lines == 0 {
            return Ok(Verdict::Drop("lines.none-left"));
        }
        document.text = kept;
        Ok(after(document, self.config))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.cuts.finish()
    }
}

fn after(document: &Document, config: &LinesConfig) -> Verdict {
    if shorter(&document.text, config.min_chars_after) { Verdict::Drop("lines.short-after") } else { Verdict::Keep }
}
