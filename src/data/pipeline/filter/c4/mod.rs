//! The heuristics of C4 (Raffel et al. 2020, JMLR 21, section 2.2), in both published variants, and the paragraph rule of mC4.

mod config;
mod phrases;

pub use config::{C4Config, C4ParagraphsConfig, C4Preset};

use super::{
    BadWords, Sentences,
    text::{characters, lines, split, strip},
};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::Result;
use phrases::{Phrases, Told};
use std::borrow::Cow;

/// C4's rules for lines and pages.
///
/// Lines that go are counted as `long_word`, `no_end_mark`, `few_words`, `javascript`, `policy`, marks as `citation`; pages are
/// dropped as `lorem_ipsum`, `curly_bracket`, `bad_word`, `few_sentences`.
pub struct C4 {
    min_words: usize,
    citations_count: bool,
    min_sentences: usize,
    end_marks: Vec<char>,
    max_word_length: usize,
    sentences: Sentences,
    citations: bool,
    phrases: Phrases,
    bad_words: Option<BadWords>,
}

/// What becomes of a line.
enum Judged<'a> {
    Keep(Cow<'a, str>),
    Remove(&'static str),
    Page(&'static str),
}

impl C4 {
    /// Rules with these thresholds.
    ///
    /// # Errors
    ///
    /// The list of bad words cannot be read.
    pub fn new(config: &C4Config) -> Result<Self> {
        let bad_words = (!config.bad_words.is_empty()).then(|| BadWords::read(&config.bad_words)).transpose()?;
        Ok(Self {
            min_words: config.min_words(),
            citations_count: config.citations_count(),
            min_sentences: config.min_sentences(),
            end_marks: config.end_marks(),
            max_word_length: config.max_word_length,
            sentences: config.sentences,
            citations: config.citations,
            phrases: Phrases::new(config),
            bad_words,
        })
    }

    fn judge<'a>(&self, line: &'a str, suspect: bool, counts: &mut Counts) -> Judged<'a> {
        // A word of so many characters has as many bytes at least.
        if line.len() > self.max_word_length && split(line).any(|word| characters(word) > self.max_word_length) {
            return Judged::Remove("long_word");
        }
        let cleaned = if self.citations { phrases::without_citations(line) } else { Cow::Borrowed(line) };
        if !self.end_marks.is_empty() && (!cleaned.ends_with(&self.end_marks[..]) || cleaned.ends_with("...")) {
            return Judged::Remove("no_end_mark");
        }
        let counted = if self.citations_count { line } else { &cleaned };
        if split(counted).take(self.min_words).count() < self.min_words {
            return Judged::Remove("few_words");
        }
        let changed = matches!(cleaned, Cow::Owned(_));
        if suspect || changed {
            match self.phrases.judge(&cleaned) {
                Told::Nothing => {}
                Told::Line(rule) => return Judged::Remove(rule),
                Told::Page(rule) => return Judged::Page(rule),
            }
        }
        if self.bad_words.as_ref().is_some_and(|words| words.find(&cleaned)) {
            return Judged::Page("bad_word");
        }
        if changed {
            counts.add("citation", line.len() - cleaned.len());
        }
        Judged::Keep(cleaned)
    }
}

impl Rules for C4 {
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        // Most pages have none of the phrases: then no line is searched for them.
        let suspect = self.phrases.any(&document.text);
        let mut kept = String::with_capacity(document.text.len());
        let (mut sentences, mut removed) = (0, Counts::default());
        for line in lines(&document.text) {
            let stripped = strip(line);
            match self.judge(stripped, suspect, &mut removed) {
                Judged::Page(rule) => return Verdict::Drop(rule),
                // An empty line has no end mark; that is not worth counting.
                Judged::Remove(_) if stripped.is_empty() => {}
                Judged::Remove(rule) => removed.add(rule, line.len()),
                Judged::Keep(line) => {
                    if sentences < self.min_sentences {
                        sentences += self.sentences.count(&line, self.min_sentences - sentences);
                    }
                    if !kept.is_empty() {
                        kept.push('\n');
                    }
                    kept.push_str(&line);
                }
            }
        }
        if sentences < self.min_sentences {
            return Verdict::Drop("few_sentences");
        }
        counts.merge(&removed);
        let length = strip(&kept).len();
        if length < kept.len() {
            kept = strip(&kept).to_string();
        }
        document.text = kept;
        Verdict::Keep
    }
}

/// mC4's rule; pages are dropped as `few_paragraphs`.
pub struct C4Paragraphs(C4ParagraphsConfig);

impl C4Paragraphs {
    /// The rule with these thresholds.
    ///
    /// # Errors
    ///
    /// No paragraph is asked for.
    pub fn new(config: &C4ParagraphsConfig) -> Result<Self> {
        config.check()?;
        Ok(Self(config.clone()))
    }
}

impl Rules for C4Paragraphs {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let long = |line: &&str| line.len() >= self.0.min_length && characters(line) >= self.0.min_length;
        let found = document.text.split('\n').filter(long).take(self.0.min_paragraphs).count();
        if found < self.0.min_paragraphs { Verdict::Drop("few_paragraphs") } else { Verdict::Keep }
    }
}

#[cfg(test)]
mod tests;
