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
mod tests;
