//! The keys of C4's rules.

use crate::data::pipeline::filter::{Sentences, check};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of the two published settings holds for keys that are not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum C4Preset {
    /// The original code and the journal version: five words a line, three sentences, end marks `. ? ! "`
    /// (tensorflow/datasets `text/c4_utils.py` at 0560e686; Raffel et al. 2020, JMLR 21, section 2.2).
    #[default]
    #[serde(rename = "c4-jmlr")]
    Jmlr,
    /// datatrove's: three words a line, five sentences, `'` ends a line too
    /// (huggingface/datatrove `pipeline/filters/c4_filters.py`, v0.10.1; the early text on arXiv, 1910.10683v1).
    #[serde(rename = "c4-datatrove")]
    Datatrove,
}

/// Rules of C4. Lines are judged one by one; what is left of a page is kept if it has enough sentences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct C4Config {
    /// Published setting that holds for what is not given here.
    pub preset: C4Preset,
    /// Words between white space that a line needs; 5 (`c4-jmlr`), 3 (`c4-datatrove`).
    pub min_words: Option<usize>,
    /// Whether citation marks count as words; no (`c4-jmlr`), yes (`c4-datatrove`).
    pub citations_count: Option<bool>,
    /// Sentences that a page needs; 3 (`c4-jmlr`), 5 (`c4-datatrove`); 0 for none.
    pub min_sentences: Option<usize>,
    /// Characters one of which must end a line (`...` does not); `.?!"`, for `c4-datatrove` with `'`; empty for any end.
    pub end_marks: Option<String>,
    /// Characters of a word, at most; lines with a longer one go. 1000 in both.
    pub max_word_length: usize,
    /// How sentences are counted.
    pub sentences: Sentences,
    /// Removes the citation marks of Wikipedia: `[12]`, `[edit]`, `[citation needed]`.
    pub citations: bool,
    /// Removes lines with "javascript".
    pub javascript: bool,
    /// Removes lines with "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies".
    pub policies: bool,
    /// Drops pages with "lorem ipsum" in a line that is not removed.
    pub lorem_ipsum: bool,
    /// Drops pages with `{` in a line that is not removed.
    pub curly_brackets: bool,
    /// File of bad words, one a line: pages with one in a line that is not removed are dropped. Empty for none.
    pub bad_words: String,
}

impl Default for C4Config {
    fn default() -> Self {
        Self {
            preset: C4Preset::default(),
            min_words: None,
            citations_count: None,
            min_sentences: None,
            end_marks: None,
            max_word_length: 1000,
            sentences: Sentences::default(),
            citations: true,
            javascript: true,
            policies: true,
            lorem_ipsum: true,
            curly_brackets: true,
            bad_words: String::new(),
        }
    }
}

impl C4Config {
    /// A published setting.
    pub fn preset(preset: C4Preset) -> Self {
        Self { preset, ..Self::default() }
    }

    fn datatrove(&self) -> bool {
        self.preset == C4Preset::Datatrove
    }

    pub(super) fn min_words(&self) -> usize {
        self.min_words.unwrap_or(if self.datatrove() { 3 } else { 5 })
    }

    pub(super) fn citations_count(&self) -> bool {
        self.citations_count.unwrap_or(self.datatrove())
    }

    pub(super) fn min_sentences(&self) -> usize {
        self.min_sentences.unwrap_or(if self.datatrove() { 5 } else { 3 })
    }

    pub(super) fn end_marks(&self) -> Vec<char> {
        let preset = if self.datatrove() { ".?!\"'" } else { ".?!\"" };
        self.end_marks.as_deref().unwrap_or(preset).chars().collect()
    }
}

/// The rule of mC4 that a page has so many long lines (Xue et al. 2021, arXiv 2010.11934, section 3.1: three of 200 characters).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct C4ParagraphsConfig {
    /// Lines that a page needs.
    pub min_paragraphs: usize,
    /// Characters that make a line one of these.
    pub min_length: usize,
}

impl Default for C4ParagraphsConfig {
    fn default() -> Self {
        Self { min_paragraphs: 3, min_length: 200 }
    }
}

impl C4ParagraphsConfig {
    pub(super) fn check(&self) -> Result<()> {
        check::range("c4_paragraphs.min_paragraphs", 1.0, self.min_paragraphs as f64)
    }
}
