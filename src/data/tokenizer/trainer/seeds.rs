//! The pieces that unigram training starts from: substrings that are followed by different characters, by the text they cover.
//!
//! SentencePiece finds them as inner nodes of the suffix tree of the text (google/sentencepiece@2734490
//! `src/unigram_model_trainer.cc`); here the suffixes of different words are sorted, which is the same and smaller. The end of
//! a word within a line and that of the last word of a line count as two different characters, as they are there.

use super::Word;
use rayon::prelude::*;
use std::cmp::{Ordering, Reverse};

/// Ends of words: beyond all characters.
const WITHIN: u32 = 0x11_0000;
const LAST: u32 = 0x11_0001;

/// Words one after another, each with its end.
struct Array {
    symbols: Vec<u32>,
    /// By symbol, how often its word occurs.
    weights: Vec<u64>,
    /// Compared no further than this.
    depth: usize,
}

impl Array {
    fn new(words: &[Word<'_>], longest: usize) -> Self {
        let mut array = Self { symbols: Vec::new(), weights: Vec::new(), depth: longest + 1 };
        for (word, counts) in words {
            for (count, end) in counts.iter().zip([WITHIN, LAST]).filter(|(count, _)| **count > 0) {
                array.symbols.extend(word.chars().map(u32::from).chain([end]));
                array.weights.resize(array.symbols.len(), *count);
            }
        }
        array
    }

    /// How many symbols two suffixes share, the end included, and their order.
    fn compare(&self, a: u32, b: u32) -> (usize, Ordering) {
        let (a, b) = (&self.symbols[a as usize..], &self.symbols[b as usize..]);
        for (at, (x, y)) in a.iter().zip(b).take(self.depth).enumerate() {
            if x != y {
                return (at, x.cmp(y));
            }
            if *x >= WITHIN {
                return (at + 1, Ordering::Equal);
            }
        }
        (self.depth, Ordering::Equal)
    }

    /// Calls `found` with place, length and number of occurrences of every substring that is an inner node.
    fn nodes(&self, mut found: impl FnMut(u32, usize, u64)) {
        let mut suffixes: Vec<u32> = (0..self.symbols.len() as u32).filter(|at| self.symbols[*at as usize] < WITHIN).collect();
        suffixes.par_sort_unstable_by(|a, b| self.compare(*a, *b).1);
        // Nodes that are open: their depth, their first suffix, and the weight of all before that one.
        let mut open: Vec<(usize, u32, u64)> = Vec::new();
        let mut sum = 0;
        for (index, &suffix) in suffixes.iter().enumerate() {
            let (mut first, mut before) = (suffix, sum);
            sum += self.weights[suffix as usize];
            let shared = suffixes.get(index + 1).map_or(0, |next| self.compare(suffix, *next).0);
            while let Some((depth, start, weight)) = open.pop_if(|(depth, ..)| *depth > shared) {
                found(start, depth, sum - weight);
                (first, before) = (start, weight);
            }
            if shared > 0 && open.last().is_none_or(|(depth, ..)| *depth < shared) {
                open.push((shared, first, before));
            }
        }
    }
}

/// The `most` substrings of 2 to `longest` characters that cover most text, and how much they cover.
pub(super) fn seeds(words: &[Word<'_>], longest: usize, most: usize, valid: impl Fn(&[char]) -> bool) -> Vec<(Box<str>, f64)> {
    let array = Array::new(words, longest);
    let mut found: Vec<(u64, u32, usize)> = Vec::new();
    let mut piece: Vec<char> = Vec::new();
    array.nodes(|at, length, count| {
        let symbols = &array.symbols[at as usize..][..length];
        if (2..=longest).contains(&length) && symbols[length - 1] < WITHIN {
            piece.clear();
            piece.extend(symbols.iter().filter_map(|symbol| char::from_u32(*symbol)));
            if valid(&piece) {
                found.push((count * length as u64, at, length));
            }
        }
    });
    let text = |&(_, at, length): &(u64, u32, usize)| &array.symbols[at as usize..][..length];
    found.par_sort_unstable_by(|a, b| Reverse(a.0).cmp(&Reverse(b.0)).then_with(|| text(a).cmp(text(b))));
    found.truncate(most);
    let shown = |seed: &(u64, u32, usize)| text(seed).iter().filter_map(|symbol| char::from_u32(*symbol)).collect::<String>();
    found.iter().map(|seed| (shown(seed).into(), seed.0 as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_with_different_continuations_are_found() {
        let words = [("abab", [3, 0]), ("abc", [1, 2]), ("zz", [5, 0])];
        let mut found: Vec<(String, f64)> =
            seeds(&words, 16, 100, |_| true).into_iter().map(|(text, score)| (text.to_string(), score)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        // "ab" 3+3+1+2 times before a, c and the end; "abc" and "bc" before both ends; "zz" and "bab" before one end only.
        assert_eq!(found, [("ab".into(), 18.0), ("abc".into(), 9.0), ("bc".into(), 6.0)]);
        assert!(seeds(&words, 2, 100, |_| true).iter().all(|(text, _)| text.len() == 2));
        assert_eq!(seeds(&words, 16, 1, |_| true).len(), 1);
        assert!(seeds(&words, 16, 9, |piece| piece[0] != 'a').iter().all(|(text, _)| &**text == "bc"));
    }
}
