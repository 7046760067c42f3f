//! The characters that have pieces of their own.

use super::{super::hash::Map, Word};
use std::cmp::Reverse;

/// Characters by falling count.
#[derive(Debug)]
pub(super) struct Alphabet {
    characters: Vec<char>,
    counts: Vec<u64>,
    places: Map<u32, u32>,
}

impl Alphabet {
    /// The most frequent characters of some words, up to a share of all of them and up to `most`; those of `needed` and the
    /// space in any case.
    pub(super) fn new(words: &[Word<'_>], coverage: f64, most: usize, needed: &str) -> Self {
        let mut sums: Map<u32, u64> = Map::default();
        for (word, [within, last]) in words {
            word.chars().for_each(|c| *sums.entry(c as u32).or_default() += within + last);
        }
        let mut counts: Vec<(char, u64)> = sums.into_iter().filter_map(|(c, count)| Some((char::from_u32(c)?, count))).collect();
        counts.sort_by_key(|&(c, count)| (Reverse(count), c));
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        let mut covered = 0;
        let wanted = |&(_, count): &(char, u64)| {
            let wanted = (covered as f64) < coverage * total as f64;
            covered += count;
            wanted
        };
        let mut taken: Vec<(char, u64)> = counts.iter().copied().take_while(wanted).filter(|(c, _)| !unfit(*c)).take(most).collect();
        // The space in front of every text must be a piece, or decoding could not tell it from one in the text.
        for c in needed.chars().chain([' ']) {
            if !taken.iter().any(|(taken, _)| *taken == c) {
                taken.push((c, counts.iter().find(|(found, _)| *found == c).map_or(0, |(_, count)| *count)));
            }
        }
        taken.sort_by_key(|&(c, count)| (Reverse(count), c));
        let places = taken.iter().enumerate().map(|(place, (c, _))| (*c as u32, place as u32)).collect();
        let (characters, counts) = taken.into_iter().unzip();
        Self { characters, counts, places }
    }

    pub(super) fn characters(&self) -> &[char] {
        &self.characters
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    fn has(&self, c: char) -> bool {
        self.places.contains_key(&(c as u32))
    }

    /// Places of characters, all of which are in the alphabet.
    pub(super) fn spell(&self, word: &str) -> Vec<u32> {
        word.chars().filter_map(|c| self.places.get(&(c as u32)).copied()).collect()
    }

    /// Words without the characters that are not in the alphabet, which take part in no piece: the stretches between them.
    pub(super) fn parts<'a>(&self, words: &[Word<'a>]) -> Vec<Word<'a>> {
        let mut parts: Vec<Word<'a>> = Vec::with_capacity(words.len());
        for &(word, [within, last]) in words {
            let mut rest = word;
            while let Some((at, c)) = rest.char_indices().find(|(_, c)| !self.has(*c)) {
                parts.push((&rest[..at], [within + last, 0]));
                rest = &rest[at + c.len_utf8()..];
            }
            parts.push((rest, [within, last]));
        }
        parts.retain(|(part, _)| !part.is_empty());
        parts.sort_unstable();
        parts.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = [first.1[0] + later.1[0], first.1[1] + later.1[1]];
            }
            same
        });
        parts
    }
}

/// Characters that SentencePiece keeps out of pieces: line ends, tabs (which mark its boundaries) and its sign for the unknown,
/// and U+2581, which stands for a space in files.
fn unfit(c: char) -> bool {
    matches!(c, '\n' | '\t' | '\0' | '▁' | '\u{2585}')
}
