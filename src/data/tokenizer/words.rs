//! Where a piece may not cross: LLaMA's splitting rules, as boundaries between neighbouring characters.
//!
//! LLaMA's trainer splits by whitespace, Unicode script and number, gives every digit its own piece, puts the space in
//! front of the word it opens, and allows pieces of nothing but spaces. So a run of spaces before a word is one chunk
//! but for its last space, which belongs to the word. A line end is never part of a piece: that trainer reads lines.
//! Marks that combine with any script (accents, joiners) never split from their neighbours.

use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, pre_tokenizers::unicode_scripts::UnicodeScripts};

/// The same rule for runs of spaces as a pattern over LLaMA's normalised text, for `tokenizer.json`.
pub(super) const SPACES: &str = r"▁+(?=▁[^▁\n\p{N}])";

/// Rough class of a character, enough to find almost every boundary without a table of scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Line,
    Digit,
    Letter,
    Mark,
    /// Not ASCII: script unknown here.
    Other,
}

fn class(c: char) -> Class {
    match c {
        ' ' => Class::Space,
        '\n' => Class::Line,
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Digit,
        _ if c.is_ascii() => Class::Mark,
        _ if c.is_numeric() => Class::Digit,
        _ => Class::Other,
    }
}

/// Calls `take` with each word of a text: maximal stretches without a certain boundary. What holds characters beyond
/// ASCII may have to be split further, by [`split_scripts`].
pub(super) fn split<'a>(text: &'a str, mut take: impl FnMut(&'a str)) {
    let mut start = 0;
    // Class of the character before, and the start of the run of spaces that ends with it.
    let mut before: Option<Class> = None;
    let mut last = 0;
    for (at, c) in text.char_indices() {
        let here = class(c);
        if let Some(before) = before {
            if before == Class::Space && !matches!(here, Class::Space | Class::Line | Class::Digit) {
                // The last space of a run opens the word; the spaces before it are a chunk.
                if last > start {
                    take(&text[start..last]);
                    start = last;
                }
            } else if boundary(before, here) {
                take(&text[start..at]);
                start = at;
            }
        }
        before = Some(here);
        last = at;
    }
    if start < text.len() {
        take(&text[start..]);
    }
}

fn boundary(before: Class, here: Class) -> bool {
    use Class::{Digit, Letter, Line, Mark, Space};
    match (before, here) {
        (Space, Space) => false,
        (_, Space) | (Line | Digit, _) | (_, Line | Digit) => true,
        (Letter, Mark) | (Mark, Letter) => true,
        _ => false,
    }
}

/// Splits a word where the script changes. A space in front stays with what follows.
pub(super) fn split_scripts<'a>(word: &'a str, mut take: impl FnMut(&'a str)) {
    if word.is_ascii() {
        return take(word);
    }
    // The library's splitter keeps spaces with any script; marks that combine are shown to it as spaces.
    let shown: String = word.chars().map(|c| if combining(c) { ' ' } else { c }).collect();
    let mut parts = PreTokenizedString::from(shown.as_str());
    if UnicodeScripts::new().pre_tokenize(&mut parts).is_err() {
        return take(word);
    }
    // The start of the first part says nothing: what stands before it, a space, belongs to it.
    let starts = parts.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter().skip(1).map(|(_, (start, _), _)| start);
    let mut boundaries: Vec<usize> = starts.map(|start| shown[..start].chars().count()).collect();
    boundaries.reverse();
    let mut start = 0;
    for (index, (at, _)) in word.char_indices().enumerate() {
        if boundaries.last() == Some(&index) {
            boundaries.pop();
            take(&word[start..at]);
            start = at;
        }
    }
    take(&word[start..]);
}

/// Characters of the script "inherited": combining marks, joiners, variation selectors.
fn combining(c: char) -> bool {
    matches!(c as u32,
        0x300..=0x36F | 0x485..=0x486 | 0x64B..=0x655 | 0x670 | 0x951..=0x954 | 0x1AB0..=0x1AFF | 0x1CD0..=0x1CF9
        | 0x1DC0..=0x1DFF | 0x200C..=0x200D | 0x20D0..=0x20FF | 0x302A..=0x302D | 0x3099..=0x309A | 0xFE00..=0xFE0F
        | 0xFE20..=0xFE2D | 0xE0100..=0xE01EF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        split(text, |word| split_scripts(word, |part| out.push(part)));
        out
    }

    #[test]
    fn words_follow_llamas_rules() {
        assert_eq!(words(" let x_1 = 42;"), [" let", " x", "_", "1", " =", " ", "4", "2", ";"]);
        assert_eq!(words("a\n    if\n  \n"), ["a", "\n", "   ", " if", "\n", "  ", "\n"]);
        assert_eq!(words(" Привет,world"), [" Привет", ",", "world"]);
        assert_eq!(words("日本ごhello"), ["日本ご", "hello"]);
        assert_eq!(words("e\u{301}t"), ["e\u{301}t"]);
        assert_eq!(words("  "), ["  "]);
        assert!(words("").is_empty());
    }

    #[test]
    fn words_make_up_the_text() {
        let text = "  a  ٣ б\u{301}(\u{301}b ▁ \r\n\t x  1  ";
        assert_eq!(words(text).concat(), text);
    }
}
