//! The n-grams of evaluation files.

use super::{
    ContaminationConfig,
    grams::{Gram, Roll, words},
};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
};

/// The items of an evaluation, each with all of its text that may be in training data.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name in reports: of the file.
    pub name: String,
    /// Questions, answers, passages.
    pub items: Vec<String>,
}

/// Takes the first half of a gram, which is a hash already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, value: u64) {
        // The map takes its tag from the top bits and its place from the low ones.
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ value.rotate_left(32);
    }
}

/// Number of a file, and of an item in it.
pub(super) type Item = (u32, u32);

/// Finds out whether text is in an evaluation.
pub(super) struct Index {
    /// Bits of grams that may be there: nearly all others are told from one read of memory.
    filter: Vec<u64>,
    grams: HashMap<u64, (u64, u32), BuildHasherDefault<Same>>,
    /// By the number of a gram: where its owners begin.
    owners: Vec<u32>,
    items: Vec<Item>,
    /// Lengths of grams that there are.
    lengths: Vec<usize>,
    /// By file: items too short to be looked for.
    pub(super) short: Vec<u64>,
}

impl Index {
    pub(super) fn new(config: &ContaminationConfig, evaluations: &[Evaluation]) -> Self {
        let mut all: Vec<(Gram, Item)> = vec![];
        let mut short = vec![0; evaluations.len()];
        let mut lengths: Vec<usize> = vec![];
        let mut line = vec![];
        for (file, evaluation) in evaluations.iter().enumerate() {
            for (number, item) in evaluation.items.iter().enumerate() {
                line.clear();
                words(item, |word, _| line.push(word));
                let length = config.ngram.min(line.len());
                if length == 0 || (length < config.ngram && length < config.min_words) {
                    short[file] += 1;
                    continue;
                }
                lengths.push(length);
                let mut roll = Roll::new(&[length]);
                line.iter()
                    .for_each(|word| roll.push(*word, 0, |_, gram, _| all.push((tagged(gram, length), (file as u32, number as u32)))));
            }
        }
        lengths.sort_unstable();
        lengths.dedup();
        all.sort_unstable();
        all.dedup();
        let bits = (all.len() * 16).next_power_of_two().max(64);
        let mut index = Self {
            filter: vec![0; bits / 64],
            grams: HashMap::default(),
            owners: vec![],
            items: Vec::with_capacity(all.len()),
            lengths,
            short,
        };
        let mut last = None;
        for (gram, item) in all {
            // Two grams that agree in one half of 64 bits only: the second is passed over.
            if last != Some(gram) && !index.grams.contains_key(&gram[0]) {
                let bit = index.bit(gram);
                index.filter[bit / 64] |= 1 << (bit % 64);
                index.grams.insert(gram[0], (gram[1], index.owners.len() as u32));
                index.owners.push(index.items.len() as u32);
                last = Some(gram);
            }
            if last == Some(gram) {
                index.items.push(item);
            }
        }
        index.owners.push(index.items.len() as u32);
        index
    }

    fn bit(&self, gram: Gram) -> usize {
        // The number of bits is a power of two.
        gram[1] as usize & (self.filter.len() * 64 - 1)
    }

    /// Different grams.
    pub(super) fn len(&self) -> usize {
        self.owners.len() - 1
    }

    /// Items that hold a gram.
    pub(super) fn owners(&self, gram: u32) -> &[Item] {
        &self.items[self.owners[gram as usize] as usize..self.owners[gram as usize + 1] as usize]
    }

    /// Reads texts.
    pub(super) fn roll(&self) -> Roll {
        Roll::new(&self.lengths)
    }

    /// Calls back with every gram of a text that is in an evaluation, and its bytes.
    pub(super) fn find(&self, text: &str, roll: &mut Roll, mut each: impl FnMut(u32, Range<usize>)) {
        roll.clear();
        words(text, |word, bytes| {
            roll.push(word, bytes.start, |length, gram, start| {
                let gram = tagged(gram, length);
                let bit = self.bit(gram);
                if self.filter[bit / 64] >> (bit % 64) & 1 == 1
                    && let Some((half, number)) = self.grams.get(&gram[0])
                    && *half == gram[1]
                {
                    each(*number, start..bytes.end);
                }
            });
        });
    }
}

/// Grams of different lengths are different.
fn tagged(gram: Gram, length: usize) -> Gram {
    gram.map(|half| (half ^ length as u64).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(29))
}
