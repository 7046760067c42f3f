//! C4's deduplication of spans: "we discarded all but one of any three-sentence span occurring more than once in the data
//! set" (Raffel et al. 2020, arXiv 1910.10683, section 2.2), as `sentence_dedup.py` of huggingface/datatrove at a649de79c1
//! has it.
//!
//! Differences from that code: a document's own first copy is never cut by a copy that overlaps it, sentences are numbered
//! beyond 65,535, and a sentence ends at a line break or at `.`, `?` or `!` before white space, where that code uses a
//! statistical model. (TensorFlow Datasets' `c4_utils.py` compares single lines, in lower case, instead: that is
//! [`Lines`](super::lines::Lines) with `keep = "first"`.) Spans are compared by 64 bits of a hash: of n different
//! ones, about n²/2⁶⁵ are taken for a copy.

use super::{
    cuts::{self, Cuts, Keep, Occurrence},
    passes::Counter,
    sorted::Sorter,
    stage::{Judge, Scan, Stage, Summary},
    words,
    work::Work,
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::{Error, Result, options},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, ops::Range, path::PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// What a span is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpanUnit {
    /// Sentences.
    Sentences,
    /// Lines.
    Lines,
}

options! {
    /// Options of the deduplication of spans.
    SpansConfig {
        /// What a span is made of.
        unit: SpanUnit = SpanUnit::Sentences,
        /// Sentences or lines of a span.
        length: u32 = 3,
        /// What stays of a span that occurs more than once.
        keep: Keep = Keep::First,
        /// A document that lost a span and has fewer sentences (or lines) left is dropped (datatrove: 3).
        min_units: usize = 3,
        /// A document that lost a span and has fewer words left is dropped (datatrove: 50).
        min_words: usize = 50,
    }
}

/// The deduplication of spans.
pub struct Spans(SpansConfig);

impl Spans {
    /// Compares spans as the options say: letters without case and marks, no punctuation, numbers as 0. A span without a word
    /// is left alone.
    ///
    /// # Errors
    ///
    /// A span of no sentence.
    pub fn new(config: SpansConfig) -> Result<Self> {
        if config.length == 0 {
            return Err(Error::input("spans.length", "must be at least 1", "C4's is 3"));
        }
        Ok(Self(config))
    }
}

/// Calls back with the bytes of each sentence or line, white space behind it included.
pub(super) fn units(text: &str, unit: SpanUnit, mut each: impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let (next, ends) = match (bytes[at], unit) {
            (b'\n', _) => (at + 1, true),
            (b'.' | b'?' | b'!', SpanUnit::Sentences) => after_mark(text, at + 1),
            // The first bytes of 。 and of ！ and ？.
            (0xe3 | 0xef, SpanUnit::Sentences) if text[at..].starts_with(['。', '！', '？']) => (at + 3, true),
            _ => (at + 1, false),
        };
        at = next;
        if ends {
            at = text.len() - text[at..].trim_start().len();
            each(start..at);
            start = at;
        }
    }
    if start < text.len() {
        each(start..text.len());
    }
}

/// The place behind a mark and the closing quotes and the like that follow it, and whether a sentence ends there: before
/// white space.
fn after_mark(text: &str, at: usize) -> (usize, bool) {
    let closing = |char: char| matches!(char, '.' | '?' | '!' | '"' | '\'' | ')' | ']' | '”' | '’' | '»');
    let rest = text[at..].trim_start_matches(closing);
    (text.len() - rest.len(), rest.chars().next().is_none_or(char::is_whitespace))
}

impl Stage for Spans {
    fn name(&self) -> &'static str {
        "spans"
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        let sorter = work.sorter(&format!("scan-{pass}-{shard}"), work.scan_memory())?;
        Ok(Box::new(SpanScan {
            config: &self.0,
            sorter,
            counter: Counter::new(shard),
            scratch: words::Scratch::default(),
            path: work.scan_path(pass, shard),
        }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        cuts::decide::<u64>(work, shards, &cuts::Rule { pass, keep: self.0.keep, once_alone: false, group: 0, width: self.0.length })
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(SpanJudge { config: &self.0, cuts: Cuts::open(work, shard)? }))
    }
}

struct SpanScan<'a> {
    config: &'a SpansConfig,
    sorter: Sorter<Occurrence<u64>>,
    counter: Counter,
    scratch: words::Scratch,
    path: PathBuf,
}

impl Scan for SpanScan<'_> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        let length = self.config.length as usize;
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        let (mut number, mut wrong) = (0u32, None);
        units(&document.text, self.config.unit, |range| {
            if last.len() == length {
                // The oldest gives its memory to the newest.
                last.rotate_left(1);
            } else {
                last.push_back(vec![]);
            }
            let newest = last.back_mut().expect("a span has at least one unit");
            newest.clear();
            words::simplify(&mut self.scratch, &document.text[range], newest);
            if last.len() == length && last.iter().any(|unit| !unit.is_empty()) {
                let mut hash = Xxh3Default::new();
                last.iter().for_each(|unit| {
                    hash.update(unit);
                    hash.update(b" ");
                });
                if wrong.is_none() {
                    wrong = self.sorter.push((hash.digest(), place, number + 1 - self.config.length)).err();
                }
            }
            number = number.saturating_add(1);
        });
        wrong.map_or(Ok(()), Err)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}

struct SpanJudge<'a> {
    config: &'a SpansConfig,
    cuts: Cuts,
}

impl Judge for SpanJudge<'_> {
    fn apply(&mut self, document: &mut Document, counts: &mut Counts) -> Result<Verdict> {
        let cuts = self.cuts.next()?;
        if cuts.is_empty() {
            return Ok(Verdict::Keep);
        }
        let mut gone: Vec<Range<usize>> = vec![];
        let (mut number, mut kept, mut at) = (0, 0, 0);
        units(&document.text, self.config.unit, |range| {
            while cuts.get(at).is_some_and(|cut| cut.end <= number) {
                at += 1;
            }
            match gone.last_mut() {
                _ if !cuts.get(at).is_some_and(|cut| cut.contains(&number)) => kept += 1,
                Some(last) if last.end == range.start => last.end = range.end,
                _ => gone.push(range),
            }
            number += 1;
        });
        gone.iter().for_each(|range| counts.add("spans.repeated", range.len()));
        cuts::remove(&mut document.text, &gone);
        document.text.truncate(document.text.trim_end().len());
        if document.text.is_empty() {
            return Ok(Verdict::Drop("spans.none-left"));
        }
        if kept < self.config.min_units || document.text.split_whitespace().take(self.config.min_words).count() < self.config.min_words {
            return Ok(Verdict::Drop("spans.short"));
        }
        Ok(Verdict::Keep)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.cuts.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_one_expects() {
        let split = |text: &str, unit| {
            let mut out = vec![];
            units(text, unit, |range| out.push(text[range].to_string()));
            assert_eq!(out.concat(), text);
            out
        };
        assert_eq!(
            split("Is 3.5 more? \"Yes!\" she said... Good.\n\nNext line\nend", SpanUnit::Sentences),
            ["Is 3.5 more? ", "\"Yes!\" ", "she said... ", "Good.\n\n", "Next line\n", "end"]
        );
        assert_eq!(split("一。二！", SpanUnit::Sentences), ["一。", "二！"]);
        assert_eq!(split("A. B.\nC", SpanUnit::Lines), ["A. B.\n", "C"]);
        assert!(split("", SpanUnit::Sentences).is_empty());
    }
}
