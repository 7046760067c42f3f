//! Characters, lines, words and sentences as the published filters count them.

use super::{class::PUNCTUATION, class::TERMINAL, spacy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use unicode_segmentation::UnicodeSegmentation;

/// Python's `str.isspace`: White_Space of Unicode and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Python's `str.strip`.
pub(super) fn strip(text: &str) -> &str {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(b'!'..=b'~'), Some(b'!'..=b'~')) => text,
        _ => text.trim_matches(is_space),
    }
}

/// Characters of a text: code points, as Python's `len`.
pub(super) fn characters(text: &str) -> usize {
    text.chars().count()
}

/// Bytes that may begin a line break of [`lines`].
const BREAKS: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    let bytes = b"\n\x0b\x0c\r\x1c\x1d\x1e\xc2\xe2";
    while i < bytes.len() {
        table[bytes[i] as usize] = true;
        i += 1;
    }
    table
};

/// The lines of a text, without their breaks: Python's `str.splitlines`, which breaks at `\n`, `\r`, `\r\n` and eight more
/// characters, and has no empty line at the end.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (end, length) = line_break(rest.as_bytes());
        let line = &rest[..end];
        rest = &rest[end + length..];
        Some(line)
    })
}

/// Where the first line break is, and its bytes.
fn line_break(bytes: &[u8]) -> (usize, usize) {
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&byte| BREAKS[byte as usize]) {
        at += found;
        let length = match &bytes[at..] {
            [b'\r', b'\n', ..] | [0xC2, 0x85, ..] => 2,
            [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
            [0xC2 | 0xE2, ..] => 0,
            _ => 1,
        };
        if length > 0 {
            return (at, length);
        }
        at += 1;
    }
    (bytes.len(), 0)
}

/// What counts as a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Tokens of spaCy's rules for English (3.8), which datatrove's filters count: marks of punctuation are words of their own,
    /// `isn't` is two. For other languages that are written with spaces it differs from spaCy's rules for them in details.
    #[default]
    Spacy,
    /// What is between white space.
    Whitespace,
    /// Words of Unicode (UAX #29) with a letter or digit: marks of punctuation are none.
    Unicode,
}

impl Words {
    /// Calls back with each word.
    pub fn each<'a>(self, text: &'a str, mut word: impl FnMut(&'a str)) {
        match self {
            Self::Spacy => spacy::tokens(text, &mut |token| {
                if !token.starts_with(is_space) {
                    word(token);
                }
                ControlFlow::Continue(())
            }),
            Self::Whitespace => split(text).for_each(word),
            Self::Unicode => text.unicode_words().for_each(word),
        }
    }
}

/// Python's `str.split`.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// What counts as a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sentences {
    /// The sentencizer of spaCy over its English tokens, as in datatrove: a sentence ends with a token that is an end mark, and
    /// with the punctuation that follows it. (C4 itself took a trained model, Punkt of NLTK, which has to be downloaded.)
    #[default]
    Spacy,
    /// Sentences of Unicode (UAX #29).
    Unicode,
}

impl Sentences {
    /// How many sentences a text has; counting ends at `enough`.
    pub fn count(self, text: &str, enough: usize) -> usize {
        match self {
            Self::Spacy => sentencizer(text, enough),
            Self::Unicode => text.unicode_sentences().take(enough).count(),
        }
    }
}

/// spaCy's `pipeline/sentencizer.pyx` at v3.8.
fn sentencizer(text: &str, enough: usize) -> usize {
    let (mut count, mut ended) = (0, false);
    spacy::tokens(text, &mut |token| {
        let mut characters = token.chars();
        let end = characters.next().is_some_and(|c| TERMINAL.has(c)) && characters.next().is_none();
        if count == 0 {
            count = 1;
        }
        if end {
            ended = true;
        } else if ended && !token.chars().all(|c| PUNCTUATION.has(c)) {
            count += 1;
            ended = false;
        }
        if count >= enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_in_python() {
        let found: Vec<_> = lines("a\r\nb\rc\n\nd\u{2028}e\u{85}f\u{a0}g\x1ch\x1f\x0bé…\n").collect();
        assert_eq!(found, ["a", "b", "c", "", "d", "e", "f\u{a0}g", "h\x1f", "é…"]);
        assert_eq!(lines("").count(), 0);
    }

    #[test]
    fn stripping_knows_the_separators_of_ascii() {
        assert_eq!(strip("\x1f\u{3000} a b\x1c\t"), "a b");
        assert_eq!(strip("a\u{200b}"), "a\u{200b}");
    }

    #[test]
    fn words_depend_on_the_rule() {
        let words = |rule: Words| {
            let mut found = vec![];
            rule.each("It isn't  (yet) done.", |word| found.push(word));
            found
        };
        assert_eq!(words(Words::Spacy), ["It", "is", "n't", "(", "yet", ")", "done", "."]);
        assert_eq!(words(Words::Whitespace), ["It", "isn't", "(yet)", "done."]);
        assert_eq!(words(Words::Unicode), ["It", "isn't", "yet", "done"]);
    }

    #[test]
    fn sentences_end_with_marks_and_what_follows_them() {
        let count = |text| Sentences::Spacy.count(text, usize::MAX);
        assert_eq!(count("One. Two! \"Three?\" four"), 4);
        assert_eq!(count("Mr. Smith has 3.5 apples..."), 1);
        assert_eq!(count(""), 0);
        assert_eq!(Sentences::Spacy.count("One so. Two so. Three so.", 2), 2);
        assert_eq!(Sentences::Unicode.count("One. Two! Three?", 9), 3);
    }
}
