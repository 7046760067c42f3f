//! Sets of characters by Unicode property, with a constant-time test.

use regex::Regex;
use regex_syntax::hir::{Class as Hir, HirKind};
use std::sync::LazyLock;

/// A set of characters: one bit for each of the Basic Multilingual Plane, ranges above it.
pub(super) struct Class {
    plane: Box<[u64; 1024]>,
    above: Vec<(u32, u32)>,
}

impl Class {
    /// The set that a bracket expression of the regular expression syntax names.
    pub(super) fn new(expression: &str) -> Self {
        let mut class = Self { plane: Box::new([0; 1024]), above: vec![] };
        match regex_syntax::parse(expression).map(|hir| hir.into_kind()) {
            Ok(HirKind::Class(Hir::Unicode(set))) => {
                set.ranges().iter().for_each(|range| class.add(range.start() as u32, range.end() as u32));
            }
            other => unreachable!("{expression} is written in this program and is a class: {other:?}"),
        }
        class
    }

    fn add(&mut self, first: u32, last: u32) {
        for code in first..=last.min(0xFFFF) {
            self.plane[code as usize / 64] |= 1 << (code % 64);
        }
        if last > 0xFFFF {
            self.above.push((first.max(0x1_0000), last));
        }
    }

    /// Whether a character is in it.
    pub(super) fn has(&self, c: char) -> bool {
        let code = c as u32;
        match self.plane.get(code as usize / 64) {
            Some(bits) => bits >> (code % 64) & 1 == 1,
            None => self.above.binary_search_by(|&(first, last)| span(first, last, code)).is_ok(),
        }
    }
}

/// A regular expression that is written in this program.
pub(super) fn pattern(expression: &str) -> Regex {
    Regex::new(expression).unwrap_or_else(|error| unreachable!("{expression} is written in this program: {error}"))
}

fn span(first: u32, last: u32, code: u32) -> std::cmp::Ordering {
    if last < code {
        std::cmp::Ordering::Less
    } else if first > code {
        std::cmp::Ordering::Greater
    } else {
        std::cmp::Ordering::Equal
    }
}

/// Letters of all scripts: Python's `str.isalpha`.
pub(super) static LETTER: LazyLock<Class> = LazyLock::new(|| Class::new(r"\p{L}"));

/// Decimal digits of all scripts: `\d` of Python's regular expressions.
pub(super) static DIGIT: LazyLock<Class> = LazyLock::new(|| Class::new(r"\p{Nd}"));

/// Marks that take no place of their own: accents after canonical decomposition.
pub(super) static ACCENT: LazyLock<Class> = LazyLock::new(|| Class::new(r"\p{Mn}"));

/// Punctuation of all scripts.
pub(super) static PUNCTUATION: LazyLock<Class> = LazyLock::new(|| Class::new(r"\p{P}"));

/// What ends a sentence in some script. The lists that datatrove and spaCy have written out are this property of older versions
/// of Unicode, the former with three Khmer marks more.
pub(super) static TERMINAL: LazyLock<Class> = LazyLock::new(|| Class::new(r"[\p{Sentence_Terminal}\x{17D6}\x{17D9}\x{17DA}]"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_told_apart_in_and_above_the_first_plane() {
        for (c, letter, digit, accent) in
            [('a', true, false, false), ('ж', true, false, false), ('٣', false, true, false), ('\u{301}', false, false, true)]
        {
            assert_eq!((LETTER.has(c), DIGIT.has(c), ACCENT.has(c)), (letter, digit, accent), "{c:?}");
        }
        assert!(LETTER.has('𐐀') && !LETTER.has('😀') && DIGIT.has('𝟘') && !LETTER.has('Ⅳ'));
        assert!(TERMINAL.has('.') && TERMINAL.has('。') && TERMINAL.has('𑁇') && !TERMINAL.has(','));
    }
}
