//! Runs of words of a text, as hashes, with where they stand.
//!
//! A word is what stands between white space, in lower case and without punctuation; what is nothing but punctuation is no
//! word.

use std::{collections::VecDeque, ops::Range};
use xxhash_rust::xxh3::xxh3_128;

/// Factors of the two halves of a rolling hash; both odd.
const BASES: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// Punctuation beyond ASCII that is taken out of words.
const PUNCTUATION: &str = "‘’‚‛“”„‟«»‹›–—―‐‑‒…·•¡¿、。，．：；！？（）【】《》「」『』〈〉～";

/// A hash of a run of words, in two halves.
pub(super) type Gram = [u64; 2];

/// Calls back with every word: its hash, and its bytes in the text.
pub(super) fn words(text: &str, mut each: impl FnMut(Gram, Range<usize>)) {
    let mut word: Vec<u8> = vec![];
    let (mut start, mut end) = (0, 0);
    let mut close = |word: &mut Vec<u8>, range: Range<usize>| {
        if !word.is_empty() {
            let hash = xxh3_128(word);
            each([hash as u64, (hash >> 64) as u64], range);
            word.clear();
        }
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii() {
            if byte.is_ascii_alphanumeric() {
                if word.is_empty() {
                    start = at;
                }
                word.push(byte.to_ascii_lowercase());
                end = at + 1;
            } else if byte.is_ascii_whitespace() || *byte == 0x0b {
                close(&mut word, start..end);
            }
            at += 1;
            continue;
        }
        let Some(char) = text[at..].chars().next() else { break };
        if char.is_whitespace() {
            close(&mut word, start..end);
        } else if !PUNCTUATION.contains(char) {
            if word.is_empty() {
                start = at;
            }
            char.to_lowercase().for_each(|lower| word.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes()));
            end = at + char.len_utf8();
        }
        at += char.len_utf8();
    }
    close(&mut word, start..end);
}

/// Hashes of all runs of some lengths, word by word.
pub(super) struct Roll {
    /// Length, power of the bases that its first word has, and hash of the last so many words.
    lengths: Vec<(usize, Gram, Gram)>,
    last: VecDeque<(Gram, usize)>,
    longest: usize,
}

impl Roll {
    /// For runs of these lengths.
    pub(super) fn new(lengths: &[usize]) -> Self {
        let power = |length: usize| BASES.map(|base| base.wrapping_pow(length as u32));
        let lengths: Vec<_> = lengths.iter().map(|length| (*length, power(*length), [0; 2])).collect();
        let longest = lengths.iter().map(|(length, ..)| *length).max().unwrap_or(0);
        Self { lengths, last: VecDeque::new(), longest }
    }

    /// Starts another text.
    pub(super) fn clear(&mut self) {
        self.last.clear();
        self.lengths.iter_mut().for_each(|(.., hash)| *hash = [0; 2]);
    }

    /// Adds a word, and calls back with the runs that end with it and the byte where each begins.
    pub(super) fn push(&mut self, word: Gram, start: usize, mut each: impl FnMut(usize, Gram, usize)) {
        self.last.push_back((word, start));
        let count = self.last.len();
        for (length, power, hash) in &mut self.lengths {
            let gone = count.checked_sub(*length + 1).map_or([0; 2], |at| self.last[at].0);
            for half in 0..2 {
                let more = hash[half].wrapping_mul(BASES[half]).wrapping_add(word[half]);
                hash[half] = more.wrapping_sub(gone[half].wrapping_mul(power[half]));
            }
            if let Some(first) = count.checked_sub(*length) {
                each(*length, *hash, self.last[first].1);
            }
        }
        if count > self.longest {
            self.last.pop_front();
        }
    }
}
