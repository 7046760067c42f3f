//! All n-grams as a tree of their words read backwards, level by level in arrays.
//!
//! ```text
//! level 1   every word w           (its number is its place)
//! level 2   what stands before w   v w, ordered by w, then v
//! level 3   and before that        u v w
//! ```
//!
//! The parent of an n-gram is what is left without its first word: what it backs off to.

use super::vocabulary::{BEGIN, END};
use crate::settings::{Error, Result};

/// So many n-grams of all orders can be numbered; what is above has other meanings.
const MOST: u32 = u32::MAX - 16;

/// The n-grams of one order in suffix order.
#[derive(Default)]
pub(super) struct Level {
    /// First words.
    pub words: Vec<u32>,
    /// Adjusted counts: how many different words stand before the n-gram; for those of the highest order, and those that begin
    /// with `<s>`, how often they occur. Counts beyond 32 bits stay at the highest number.
    pub counts: Vec<u32>,
    /// Where the children of each begin in the next level; empty in the last.
    pub starts: Vec<u32>,
    /// How often each occurs, where that decides whether it is left out.
    pub raw: Vec<u32>,
    /// Left out of the model if it occurs at most so often.
    pub threshold: u64,
}

impl Level {
    /// Whether the n-gram is left out.
    pub(super) fn pruned(&self, at: usize) -> bool {
        self.threshold > 0 && u64::from(self.raw[at]) <= self.threshold
    }

    /// The children of an n-gram, where `next` is how many the next level has.
    pub(super) fn children(&self, at: usize, next: usize) -> std::ops::Range<usize> {
        let end = self.starts.get(at + 1).map_or(next, |end| *end as usize);
        self.starts[at] as usize..end
    }
}

/// The tree.
pub(super) struct Trie {
    pub levels: Vec<Level>,
    bits: u32,
    last: Option<u128>,
    all: u32,
}

impl Trie {
    /// A tree that knows `<unk>` and `<s>`, which end no n-gram. `words` counts all of the vocabulary.
    pub(super) fn new(order: usize, bits: u32, thresholds: &[u64], words: usize) -> Self {
        let levels = thresholds.iter().map(|threshold| Level { threshold: *threshold, ..Level::default() });
        let mut new = Self { levels: levels.collect(), bits, last: None, all: 0 };
        debug_assert_eq!(new.levels.len(), order);
        new.levels[0].words.reserve(words);
        for word in 0..END {
            // They have no children: the first to come are those of `</s>`.
            new.open(0, word, 0, 0).expect("two words fit");
        }
        new
    }

    fn open(&mut self, depth: usize, word: u32, count: u32, raw: u64) -> Result<()> {
        let next = self.levels.get(depth + 1).map(|next| next.words.len());
        let level = &mut self.levels[depth];
        if self.all >= MOST {
            return Err(Error::input("the training text", "holds more than 4 billion different n-grams", "train on less text"));
        }
        self.all += 1;
        level.words.push(word);
        level.counts.push(count);
        if let Some(next) = next {
            level.starts.push(next as u32);
        }
        if level.threshold > 0 {
            level.raw.push(u32::try_from(raw).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// Adds an n-gram of the highest order; they must come in order, each once.
    pub(super) fn push(&mut self, key: u128, count: u64) -> Result<()> {
        let order = self.levels.len();
        let same = self.last.map_or(0, |last| {
            let unused = 128 - self.bits * order as u32;
            ((last ^ key).leading_zeros().saturating_sub(unused) / self.bits) as usize
        });
        self.last = Some(key);
        for level in self.levels[..same].iter_mut().filter(|level| level.threshold > 0) {
            let raw = level.raw.last_mut().expect("an n-gram is open");
            *raw = u32::try_from(u64::from(*raw) + count).unwrap_or(u32::MAX);
        }
        if same > 0 {
            let open = self.levels[same - 1].counts.last_mut().expect("an n-gram is open");
            *open = open.saturating_add(1);
        }
        let mask = if self.bits == 128 { u128::MAX } else { (1 << self.bits) - 1 };
        for depth in same..order {
            let word = ((key >> (self.bits * (order - 1 - depth) as u32)) & mask) as u32;
            let begins = word == BEGIN;
            let counted = if begins || depth + 1 == order { u32::try_from(count).unwrap_or(u32::MAX) } else { 1 };
            self.open(depth, word, counted, count)?;
            if begins {
                break;
            }
        }
        Ok(())
    }
}
