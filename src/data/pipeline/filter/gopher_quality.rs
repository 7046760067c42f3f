//! Gopher's rules for quality (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1), as datatrove reads them
//! (`pipeline/filters/gopher_quality_filter.py`, v0.10.1).

use super::{
    Words, check,
    check::share,
    class::{Class, LETTER},
    text::{is_space, lines},
};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Thresholds of quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GopherQualityConfig {
    /// What counts as a word. With `spacy` every mark of punctuation is one, which `min_alphabetic_words` feels.
    pub words: Words,
    /// Words that are more than punctuation, at least; 50.
    pub min_words: usize,
    /// Words that are more than punctuation, at most; 100,000.
    pub max_words: usize,
    /// Mean characters of these words, at least; 3.
    pub min_mean_word_length: f64,
    /// Mean characters of these words, at most; 10.
    pub max_mean_word_length: f64,
    /// `#`, and ellipses, by words, at most; 0.1.
    pub max_symbols: f64,
    /// Share of lines that begin with a bullet (`•`, `-`), at most; 0.9.
    pub max_bullet_lines: f64,
    /// Share of lines that end with an ellipsis, at most; 0.3.
    pub max_ellipsis_lines: f64,
    /// Share of words with a letter, at least; 0.8.
    pub min_alphabetic_words: f64,
    /// How many of `stop_words` must be there, each counted once; 2.
    pub min_stop_words: usize,
    /// Words of which some must be there, as they are written here.
    pub stop_words: Vec<String>,
}

impl Default for GopherQualityConfig {
    fn default() -> Self {
        Self {
            words: Words::default(),
            min_words: 50,
            max_words: 100_000,
            min_mean_word_length: 3.0,
            max_mean_word_length: 10.0,
            max_symbols: 0.1,
            max_bullet_lines: 0.9,
            max_ellipsis_lines: 0.3,
            min_alphabetic_words: 0.8,
            min_stop_words: 2,
            stop_words: ["the", "be", "to", "of", "and", "that", "have", "with"].map(String::from).to_vec(),
        }
    }
}

/// Characters that do not make a word: datatrove's `PUNCTUATION_SET`, without the full-width `１` that it has from CCNet's table,
/// where it is a slip (CCNet's list of quotes).
static SYMBOL: LazyLock<Class> = LazyLock::new(|| {
    let ascii = r##"!/&(\\#%+^~';{|\[=\-`*$<>)?@_."\]},:"##;
    let wide = "—”：％〈、━【「」，】；“《„’∶´．（–？！～«〉》）。…►»";
    let control = r"\x00-\x08\x0B-\x1F\x7F-\x9F";
    Class::new(&format!(r"[{ascii}{wide}{control}\p{{Sentence_Terminal}}\x{{17D6}}\x{{17D9}}\x{{17DA}}]"))
});

/// Gopher's rules for quality. Documents are dropped as `few_words`, `many_words`, `short_words`, `long_words`, `hashes`,
/// `ellipses`, `bullet_lines`, `ellipsis_lines`, `few_alphabetic_words`, `few_stop_words`.
pub struct GopherQuality(GopherQualityConfig);

/// What is counted over words.
#[derive(Default)]
struct Counted {
    words: usize,
    /// Words that are more than punctuation.
    proper: usize,
    characters: usize,
    alphabetic: usize,
    /// A bit for each stop word that is there.
    stop_words: u64,
}

/// Stop words that a bit is kept for.
const STOP_WORDS: usize = 64;

impl GopherQuality {
    /// Rules with these thresholds.
    ///
    /// # Errors
    ///
    /// A threshold is negative or no number, a range is empty, there are more than 64 stop words or fewer than are asked for.
    pub fn new(config: &GopherQualityConfig) -> Result<Self> {
        let mut config = config.clone();
        config.stop_words.sort();
        config.stop_words.dedup();
        let words = config.stop_words.len();
        check::range("gopher_quality.max_words", config.min_words as f64, config.max_words as f64)?;
        check::range("gopher_quality.max_mean_word_length", config.min_mean_word_length, config.max_mean_word_length)?;
        check::range("gopher_quality.stop_words", words as f64, STOP_WORDS as f64)?;
        check::range("gopher_quality.min_stop_words", config.min_stop_words as f64, words as f64)?;
        for value in [config.max_symbols, config.max_bullet_lines, config.max_ellipsis_lines, config.min_alphabetic_words] {
            check::threshold("gopher_quality", value)?;
        }
        Ok(Self(config))
    }

    fn count(&self, text: &str) -> Counted {
        let lengths = self.0.stop_words.iter().fold(0u64, |lengths, word| lengths | 1 << word.len().min(63));
        let mut counted = Counted::default();
        self.0.words.each(text, |word| {
            counted.words += 1;
            let bytes = word.as_bytes();
            let (alphabetic, proper, characters) = if bytes.iter().all(u8::is_ascii_alphabetic) {
                (true, true, bytes.len())
            } else {
                let alphabetic = word.chars().any(|c| if c.is_ascii() { c.is_ascii_alphabetic() } else { LETTER.has(c) });
                (alphabetic, word.chars().any(|c| !SYMBOL.has(c)), super::text::characters(word))
            };
            counted.alphabetic += usize::from(alphabetic);
            if proper {
                counted.proper += 1;
                counted.characters += characters;
            }
            if lengths >> bytes.len().min(63) & 1 == 1 {
                let place = self.0.stop_words.iter().position(|stop| stop == word);
                counted.stop_words |= place.map_or(0, |place| 1 << place);
            }
        });
        counted
    }

    /// The first rule that a text breaks.
    fn broken(&self, text: &str) -> Option<&'static str> {
        let (config, counted) = (&self.0, self.count(text));
        if counted.proper < config.min_words {
            return Some("few_words");
        }
        if counted.proper > config.max_words {
            return Some("many_words");
        }
        // Without words there is no mean, and it is in no range.
        let mean = counted.characters as f64 / counted.proper as f64;
        if mean < config.min_mean_word_length {
            return Some("short_words");
        }
        if mean > config.max_mean_word_length {
            return Some("long_words");
        }
        let times = |symbol: &str| text.matches(symbol).count();
        if share(times("#"), counted.words) > config.max_symbols {
            return Some("hashes");
        }
        if share(times("...") + times("…"), counted.words) > config.max_symbols {
            return Some("ellipses");
        }
        let [mut all, mut bullets, mut ellipses] = [0; 3];
        for line in lines(text) {
            all += 1;
            bullets += usize::from(line.trim_start_matches(is_space).starts_with(['•', '-']));
            let end = line.trim_end_matches(is_space);
            ellipses += usize::from(end.ends_with("...") || end.ends_with('…'));
        }
        if share(bullets, all) > config.max_bullet_lines {
            return Some("bullet_lines");
        }
        if share(ellipses, all) > config.max_ellipsis_lines {
            return Some("ellipsis_lines");
        }
        if share(counted.alphabetic, counted.words) < config.min_alphabetic_words {
            return Some("few_alphabetic_words");
        }
        ((counted.stop_words.count_ones() as usize) < config.min_stop_words).then_some("few_stop_words")
    }
}

impl Rules for GopherQuality {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        self.broken(&document.text).map_or(Verdict::Keep, Verdict::Drop)
    }
}

#[cfg(test)]
mod tests;
