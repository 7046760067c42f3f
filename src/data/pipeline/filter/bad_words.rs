//! Word lists: documents with a word from one are dropped.

use super::check;
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::{Error, Result};
use regex::{Regex, RegexBuilder, escape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of memory for the automaton of a list. The published lists need a hundredth of it.
const AUTOMATON: usize = 256 << 20;

/// Which words drop a document. There is no list in this program: which words are bad, users decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BadWordsConfig {
    /// File with one word or phrase a line; lines that begin with `#` are comments.
    pub path: String,
    /// Finds words inside of others too: for languages that are written without spaces (ja, th, zh).
    pub anywhere: bool,
}

/// A list of words, found whatever their case where no letter, digit or `_` stands beside them: the rule of
/// datatrove's `C4BadWordsFilter` (v0.10.1). (The original code has `[^a-z]` for it, which needs a character on both sides and so
/// misses the first and last word of a line.) Documents are dropped as `bad_word`.
pub struct BadWords(Regex);

impl BadWords {
    /// Rules for a list.
    ///
    /// # Errors
    ///
    /// The list cannot be read, is empty or too long.
    pub fn new(config: &BadWordsConfig) -> Result<Self> {
        let words: Vec<_> = check::list(&config.path)?.iter().map(|word| escape(word)).collect();
        let words = words.join("|");
        let pattern = if config.anywhere { words } else { format!(r"(?:\W|^)(?:{words})(?:\W|$)") };
        let regex = RegexBuilder::new(&pattern).case_insensitive(true).size_limit(AUTOMATON).dfa_size_limit(AUTOMATON).build();
        regex.map(Self).map_err(|_| Error::input(&config.path, "the list is too long", "use several stages with shorter lists"))
    }

    /// The same for words that stand alone.
    pub(super) fn read(path: &str) -> Result<Self> {
        Self::new(&BadWordsConfig { path: path.into(), anywhere: false })
    }

    /// Whether one is in a text.
    pub fn find(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Rules for BadWords {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        if self.find(&document.text) { Verdict::Drop("bad_word") } else { Verdict::Keep }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(words: &str, anywhere: bool) -> BadWords {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        std::fs::write(&path, words).unwrap();
        BadWords::new(&BadWordsConfig { path: path.to_string_lossy().into(), anywhere }).unwrap()
    }

    #[test]
    fn whole_words_in_any_case_are_found() {
        let words = rules("# mild\ndarn\ntwo words\nc++\nnaïf\n", false);
        for bad in ["darn", "oh Darn!", "(DARN)", "say two words now", "I like c++.", "ein NAÏF"] {
            assert!(words.find(bad), "{bad}");
        }
        for good in ["darned", "re-darn_it", "two  words", "twowords", "c+", "naïfs", "éxdarn"] {
            assert!(!words.find(good), "{good}");
        }
    }

    #[test]
    fn a_shorter_entry_does_not_hide_a_longer_one() {
        let words = rules("tom\ntom cat\n", false);
        assert!(words.find("tom cats") && words.find("a tom cat") && !words.find("tomcat"));
    }

    #[test]
    fn without_spaces_words_are_found_anywhere() {
        assert!(rules("悪い", true).find("これは悪いです"));
        assert!(!rules("悪い", false).find("これは悪いです"));
    }

    #[test]
    fn documents_are_dropped() {
        let verdict = |text| rules("darn", false).apply(&mut Document::new("a", text), &mut Counts::default());
        assert_eq!(verdict("darn it"), Verdict::Drop("bad_word"));
        assert_eq!(verdict("fine"), Verdict::Keep);
    }
}
