//! Gopher's rules against repetition (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, table A1), as datatrove reads them
//! (`pipeline/filters/gopher_repetition_filter.py`, v0.10.1).

use super::{
    Words, check,
    check::share,
    ngrams::{Runs, repeated},
    text::{characters, strip},
};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shares of a document that may be repetition, at most. 1 or more is no bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GopherRepetitionConfig {
    /// What counts as a word in runs of words.
    pub words: Words,
    /// Lines that equal an earlier one, of all lines; 0.30.
    pub duplicate_lines: f64,
    /// Paragraphs that equal an earlier one, of all paragraphs; 0.30.
    pub duplicate_paragraphs: f64,
    /// Characters in lines that equal an earlier one; 0.20.
    pub duplicate_line_characters: f64,
    /// Characters in paragraphs that equal an earlier one; 0.20.
    pub duplicate_paragraph_characters: f64,
    /// Characters in the most frequent run of two words; 0.20.
    pub top_2_gram: f64,
    /// The same of three words; 0.18.
    pub top_3_gram: f64,
    /// The same of four words; 0.16.
    pub top_4_gram: f64,
    /// Characters in runs of five words that are there before, none counted twice; 0.15.
    pub duplicate_5_grams: f64,
    /// The same of six words; 0.14.
    pub duplicate_6_grams: f64,
    /// The same of seven words; 0.13.
    pub duplicate_7_grams: f64,
    /// The same of eight words; 0.12.
    pub duplicate_8_grams: f64,
    /// The same of nine words; 0.11.
    pub duplicate_9_grams: f64,
    /// The same of ten words; 0.10.
    pub duplicate_10_grams: f64,
}

impl Default for GopherRepetitionConfig {
    fn default() -> Self {
        Self {
            words: Words::default(),
            duplicate_lines: 0.30,
            duplicate_paragraphs: 0.30,
            duplicate_line_characters: 0.20,
            duplicate_paragraph_characters: 0.20,
            top_2_gram: 0.20,
            top_3_gram: 0.18,
            top_4_gram: 0.16,
            duplicate_5_grams: 0.15,
            duplicate_6_grams: 0.14,
            duplicate_7_grams: 0.13,
            duplicate_8_grams: 0.12,
            duplicate_9_grams: 0.11,
            duplicate_10_grams: 0.10,
        }
    }
}

/// Gopher's rules against repetition. Documents are dropped by the name of the threshold that they pass, those without text as
/// `empty`.
pub struct GopherRepetition {
    config: GopherRepetitionConfig,
    top: [(&'static str, f64); 3],
    duplicate: [(&'static str, f64); 6],
}

impl GopherRepetition {
    /// Rules with these thresholds.
    ///
    /// # Errors
    ///
    /// A threshold is negative or no number.
    pub fn new(config: &GopherRepetitionConfig) -> Result<Self> {
        let c = config.clone();
        let top = [("top_2_gram", c.top_2_gram), ("top_3_gram", c.top_3_gram), ("top_4_gram", c.top_4_gram)];
        let duplicate = [
            ("duplicate_5_grams", c.duplicate_5_grams),
            ("duplicate_6_grams", c.duplicate_6_grams),
            ("duplicate_7_grams", c.duplicate_7_grams),
            ("duplicate_8_grams", c.duplicate_8_grams),
            ("duplicate_9_grams", c.duplicate_9_grams),
            ("duplicate_10_grams", c.duplicate_10_grams),
        ];
        let pieces = [c.duplicate_lines, c.duplicate_paragraphs, c.duplicate_line_characters, c.duplicate_paragraph_characters];
        for value in pieces.into_iter().chain(top.iter().chain(&duplicate).map(|&(_, value)| value)) {
            check::threshold("gopher_repetition", value)?;
        }
        Ok(Self { config: c, top, duplicate })
    }

    /// The first rule that a text breaks.
    fn broken(&self, text: &str) -> Option<&'static str> {
        if text.is_empty() {
            return Some("empty");
        }
        let (config, length) = (&self.config, characters(text));
        let found = repeated(paragraphs(strip(text)));
        if share(found.repeated, found.pieces) > config.duplicate_paragraphs {
            return Some("duplicate_paragraphs");
        }
        if share(found.characters, length) > config.duplicate_paragraph_characters {
            return Some("duplicate_paragraph_characters");
        }
        let found = repeated(runs_of_breaks(text, 1));
        if share(found.repeated, found.pieces) > config.duplicate_lines {
            return Some("duplicate_lines");
        }
        if share(found.characters, length) > config.duplicate_line_characters {
            return Some("duplicate_line_characters");
        }
        let mut runs = Runs::default();
        config.words.each(text, |word| runs.push(word));
        runs.longer();
        for (rule, most) in self.top {
            if runs.longer().is_some_and(|top| share(top.times * top.characters, length) > most) {
                return Some(rule);
            }
        }
        for (rule, most) in self.duplicate {
            runs.longer();
            if share(runs.repeated(), length) > most {
                return Some(rule);
            }
        }
        None
    }
}

/// What stands between two line breaks or more.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    runs_of_breaks(text, 2)
}

/// What stands between so many line breaks or more: `re.split("\n{least,}", text)`.
fn runs_of_breaks(text: &str, least: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut from = 0;
        while let Some(found) = text[from..].find('\n') {
            let start = from + found;
            let breaks = text.as_bytes()[start..].iter().take_while(|&&byte| byte == b'\n').count();
            if breaks >= least {
                rest = Some(&text[start + breaks..]);
                return Some(&text[..start]);
            }
            from = start + breaks;
        }
        rest = None;
        Some(text)
    })
}

impl Rules for GopherRepetition {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        self.broken(&document.text).map_or(Verdict::Keep, Verdict::Drop)
    }
}

#[cfg(test)]
mod tests;
