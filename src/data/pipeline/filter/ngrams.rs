//! Repetition of lines and of runs of words.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64;

/// Takes what is a hash already.
#[derive(Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What of some pieces of a text is there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Repeated {
    /// Pieces.
    pub pieces: usize,
    /// Pieces that equal an earlier one.
    pub repeated: usize,
    /// Characters of these.
    pub characters: usize,
}

/// Counts pieces that are there before. Pieces are told apart by 64-bit hashes.
pub(super) fn repeated<'a>(pieces: impl Iterator<Item = &'a str>) -> Repeated {
    let mut seen: HashSet<u64, BuildHasherDefault<Identity>> = HashSet::default();
    let mut found = Repeated::default();
    for piece in pieces {
        found.pieces += 1;
        if !seen.insert(xxh3_64(piece.as_bytes())) {
            found.repeated += 1;
            found.characters += super::text::characters(piece);
        }
    }
    found
}

/// The words of a text by hash and length, for runs of words of growing length.
///
/// A run that is there once is part of no longer one that is there twice, so that each length looks only at what the one before
/// has left: little, in most texts.
#[derive(Default)]
pub(super) struct Runs {
    words: Vec<u64>,
    /// Characters of all words before each, and of all.
    characters: Vec<u64>,
    /// Words in a run.
    length: usize,
    /// Where runs begin that may be there twice, with their hashes.
    candidates: Vec<(u32, u64)>,
    table: Table,
}

/// The run of some length that is there most often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Top {
    /// How often.
    pub times: usize,
    /// Characters of one, with a space between words.
    pub characters: usize,
}

impl Runs {
    /// Adds a word.
    pub(super) fn push(&mut self, word: &str) {
        let before = self.characters.last().copied().unwrap_or_default();
        if self.characters.is_empty() {
            self.characters.push(0);
        }
        self.characters.push(before + super::text::characters(word) as u64);
        self.candidates.push((self.words.len() as u32, 0));
        self.words.push(xxh3_64(word.as_bytes()));
    }

    /// Characters of a run without spaces.
    fn span(&self, start: usize) -> usize {
        (self.characters[start + self.length] - self.characters[start]) as usize
    }

    /// Goes on to runs of one word more, and keeps those that are there more than once. The first of the most frequent ones, if
    /// the text is so long.
    pub(super) fn longer(&mut self) -> Option<Top> {
        self.length += 1;
        let runs = (self.words.len() + 1).checked_sub(self.length).filter(|&runs| runs > 0)?;
        self.table.clear(self.candidates.len());
        self.candidates.retain(|&(start, _)| (start as usize) < runs);
        for (start, hash) in &mut self.candidates {
            *hash = mix(*hash, self.words[*start as usize + self.length - 1]);
            self.table.add(*hash);
        }
        let mut top = (1, 0);
        self.candidates.retain(|&(start, hash)| {
            let times = self.table.times(hash);
            if times > top.0 {
                top = (times, start);
            }
            times > 1
        });
        Some(Top { times: top.0 as usize, characters: self.span(top.1 as usize) + self.length - 1 })
    }

    /// Characters, without spaces, of the runs that are there before, none counted twice: after one of them the search goes on
    /// behind it.
    pub(super) fn repeated(&mut self) -> usize {
        self.table.clear(self.candidates.len());
        let (mut next, mut found) = (0, 0);
        for &(start, hash) in &self.candidates {
            let start = start as usize;
            if start >= next && self.table.add(hash) > 1 {
                found += self.span(start);
                next = start + self.length;
            }
        }
        found
    }
}

/// One more word in a hash.
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ 0x9E37_79B9_7F4A_7C15) * u128::from(word | 1);
    (product as u64) ^ (product >> 64) as u64 ^ word.rotate_left(32)
}

/// Counts by hash: open addressing in room that is used again.
#[derive(Default)]
struct Table {
    slots: Vec<(u64, u32)>,
    mask: usize,
}

impl Table {
    fn clear(&mut self, entries: usize) {
        let size = (2 * entries).next_power_of_two().max(16);
        self.slots.clear();
        self.slots.resize(size, (0, 0));
        self.mask = size - 1;
    }

    fn slot(&self, hash: u64) -> usize {
        let mut at = (hash >> 7) as usize & self.mask;
        while self.slots[at].1 > 0 && self.slots[at].0 != hash {
            at = (at + 1) & self.mask;
        }
        at
    }

    /// How often a hash is there now.
    fn add(&mut self, hash: u64) -> u32 {
        let at = self.slot(hash);
        self.slots[at] = (hash, self.slots[at].1.saturating_add(1));
        self.slots[at].1
    }

    fn times(&self, hash: u64) -> u32 {
        self.slots[self.slot(hash)].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn runs(words: &[&str]) -> Runs {
        let mut runs = Runs::default();
        words.iter().for_each(|word| runs.push(word));
        runs
    }

    #[test]
    fn repeated_pieces_count_from_the_second_on() {
        let found = repeated(["é", "b", "é", "é", ""].into_iter());
        assert_eq!(found, Repeated { pieces: 5, repeated: 2, characters: 2 });
    }

    #[test]
    fn the_top_run_is_the_first_of_the_most_frequent() {
        let mut runs = runs(&["a", "bb", "c", "a", "bb", "c", "a"]);
        runs.longer();
        assert_eq!(runs.longer(), Some(Top { times: 2, characters: 4 }));
        assert_eq!(runs.repeated(), 5);
        assert_eq!(runs.longer(), Some(Top { times: 2, characters: 6 }));
        assert_eq!(runs.longer(), Some(Top { times: 2, characters: 8 }));
        assert_eq!(runs.longer(), Some(Top { times: 1, characters: 11 }));
        assert_eq!(runs.repeated(), 0);
    }

    #[test]
    fn a_text_may_be_too_short() {
        assert_eq!(runs(&["a"]).longer(), Some(Top { times: 1, characters: 1 }));
        let mut one = runs(&["a"]);
        one.longer();
        assert_eq!(one.longer(), None);
        assert_eq!(runs(&[]).longer(), None);
    }

    /// Words that are joined differently are other words: datatrove's key of a run of five is `"".join(words)`, for which
    /// `ab c …` repeats `a bc …`. The paper speaks of words.
    #[test]
    fn joined_words_are_not_confused() {
        let mut runs = runs(&["ab", "c", "d", "e", "f", "a", "bc", "d", "e", "f"]);
        (0..5).for_each(|_| assert!(runs.longer().is_some()));
        assert_eq!(runs.repeated(), 0);
    }

    #[test]
    fn all_lengths_agree_with_counting_every_run() {
        let mut state = 7u64;
        for size in [0, 3, 40, 400] {
            let words: Vec<String> = (0..size)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    "abc"[..1 + (state >> 61) as usize % 3].to_string()
                })
                .collect();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let mut runs = runs(&words);
            for length in 1..=10 {
                let top = runs.longer();
                let mut times: HashMap<&[&str], usize> = HashMap::new();
                words.windows(length).for_each(|run| *times.entry(run).or_default() += 1);
                let most = times.values().max().copied();
                let first = words.windows(length).find(|run| Some(times[run]) == most);
                let expected = first.map(|run| Top { times: times[run], characters: run.join(" ").len() });
                assert_eq!(top, expected, "{size} {length}");
                let (mut seen, mut at, mut repeated) = (HashSet::new(), 0, 0);
                while at + length <= words.len() {
                    if seen.insert(&words[at..at + length]) {
                        at += 1;
                    } else {
                        repeated += words[at..at + length].concat().len();
                        at += length;
                    }
                }
                assert_eq!(runs.repeated(), repeated, "{size} {length}");
            }
        }
    }
}
