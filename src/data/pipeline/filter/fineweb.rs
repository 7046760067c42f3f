//! FineWeb's own rules (Penedo et al. 2024, arXiv 2406.17557, section 3.6), as datatrove has them
//! (`pipeline/filters/fineweb_quality_filter.py`, v0.10.1).

use super::{
    Words, check,
    check::share,
    class::TERMINAL,
    ngrams::repeated,
    text::{characters, strip},
};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Thresholds over the lines of a document that are not empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FineWebConfig {
    /// What counts as a word.
    pub words: Words,
    /// Share of lines that end with an end mark of any script, at least; 0.12.
    pub min_line_ends: f64,
    /// Keeps documents in which no line does.
    pub allow_no_line_ends: bool,
    /// Share of short lines, at most; 0.67.
    pub max_short_lines: f64,
    /// Characters of a short line, at most; 30.
    pub short_line: usize,
    /// Share of characters in lines that equal an earlier one, at most; 0.01.
    pub max_duplicate_characters: f64,
    /// Line breaks by words, at most; 0.3.
    pub max_line_breaks: f64,
}

impl Default for FineWebConfig {
    fn default() -> Self {
        Self {
            words: Words::default(),
            min_line_ends: 0.12,
            allow_no_line_ends: false,
            max_short_lines: 0.67,
            short_line: 30,
            max_duplicate_characters: 0.01,
            max_line_breaks: 0.3,
        }
    }
}

/// FineWeb's rules. Documents are dropped as `empty`, `few_line_ends`, `short_lines`, `duplicate_characters`, `line_breaks`.
pub struct FineWeb(FineWebConfig);

impl FineWeb {
    /// Rules with these thresholds.
    ///
    /// # Errors
    ///
    /// A threshold is negative or no number.
    pub fn new(config: &FineWebConfig) -> Result<Self> {
        for value in [config.min_line_ends, config.max_short_lines, config.max_duplicate_characters, config.max_line_breaks] {
            check::threshold("fineweb", value)?;
        }
        Ok(Self(config.clone()))
    }

    /// The first rule that a text breaks.
    fn broken(&self, text: &str) -> Option<&'static str> {
        let config = &self.0;
        let lines = || text.split('\n').filter(|line| !strip(line).is_empty());
        let [mut all, mut ends, mut short] = [0; 3];
        for line in lines() {
            all += 1;
            ends += usize::from(line.ends_with(|c| TERMINAL.has(c)));
            short += usize::from(line.len() <= config.short_line || characters(line) <= config.short_line);
        }
        if all == 0 {
            return Some("empty");
        }
        if share(ends, all) < config.min_line_ends && !(ends == 0 && config.allow_no_line_ends) {
            return Some("few_line_ends");
        }
        if share(short, all) > config.max_short_lines {
            return Some("short_lines");
        }
        let breaks = text.bytes().filter(|&byte| byte == b'\n').count();
        if share(repeated(lines()).characters, characters(text) - breaks) > config.max_duplicate_characters {
            return Some("duplicate_characters");
        }
        let mut words = 0u32;
        config.words.each(text, |_| words += 1);
        (breaks as f64 / f64::from(words) > config.max_line_breaks).then_some("line_breaks")
    }
}

impl Rules for FineWeb {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        self.broken(&document.text).map_or(Verdict::Keep, Verdict::Drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Option<&'static str> {
        FineWeb::new(&FineWebConfig::default()).unwrap().broken(text)
    }

    #[test]
    fn each_rule_has_its_threshold() {
        let line = |i: usize| format!("This is a line of more than thirty characters, number {i}.\n");
        let text: String = (0..9).map(line).collect();
        assert_eq!(broken(&text), None);
        assert_eq!(broken("\n \n"), Some("empty"));
        assert_eq!(broken(&text.replace('.', "")), Some("few_line_ends"));
        assert_eq!(broken(&text.replace('.', "。")), None);
        let short: String = (0..30).map(|i| format!("Short, {i}.\n")).collect();
        assert_eq!(broken(&format!("{text}{short}")), Some("short_lines"));
        assert_eq!(broken(&format!("{text}{}", line(3))), Some("duplicate_characters"));
        assert_eq!(broken(&text.replace('\n', "\n\n\n\n\n")), Some("line_breaks"));
    }

    #[test]
    fn a_document_without_any_end_may_stay() {
        let config = FineWebConfig { allow_no_line_ends: true, ..Default::default() };
        let text = "This line has no end mark at all but many words in it";
        assert_eq!(FineWeb::new(&config).unwrap().broken(text), None);
        assert_eq!(broken(text), Some("few_line_ends"));
    }
}
