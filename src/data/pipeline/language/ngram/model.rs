//! Scoring text with an n-gram model.
//!
//! A model is an automaton: a state is the longest known context, and one look-up of (state, word) finds probability and next
//! state. Where there is none, the back-off is added and the state falls to what it backs off to. A sentence thereby takes at
//! most two look-ups per word on average, whatever the order; `KenLM` takes one per order that matches, and one more.

use super::{
    prefetch::prefetch,
    vocabulary::{BEGIN, END, UNKNOWN, Vocabulary},
};

/// The empty context.
pub(super) const ROOT: u32 = 0;

/// A single word: it needs no look-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unigram {
    pub probability: f32,
    pub next: u32,
}

/// A context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    pub backoff: f32,
    /// The context without its first word, or what is left of that; always a lower number.
    pub fail: u32,
    /// Bits of the words that follow: most contexts are followed by few, and most look-ups of other words end here.
    pub follow: u64,
}

/// A word after a context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub node: u32,
    pub word: u32,
    pub probability: f32,
    pub next: u32,
}

pub(super) const FREE: Entry = Entry { node: u32::MAX, word: 0, probability: 0.0, next: 0 };

/// An n-gram model in memory. Logarithms are to base 10, as in ARPA files.
pub struct Model {
    pub(super) order: usize,
    pub(super) vocabulary: Vocabulary,
    pub(super) unigrams: Vec<Unigram>,
    pub(super) nodes: Vec<Node>,
    pub(super) entries: Vec<Entry>,
}

/// The score of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Logarithm to base 10 of the probability.
    pub log10: f64,
    /// Words that were scored, `</s>` included.
    pub words: u64,
    /// Words among them that the model does not know.
    pub unknown: u64,
}

impl Score {
    /// 10^(-log10 / words), as CCNet defines it (`cc_net/perplexity.py`); 1 for no words.
    pub fn perplexity(&self) -> f64 {
        10f64.powf(-self.log10 / self.words.max(1) as f64).min(f64::MAX)
    }

    /// The score of two texts together.
    pub fn and(self, other: Self) -> Self {
        Self { log10: self.log10 + other.log10, words: self.words + other.words, unknown: self.unknown + other.unknown }
    }
}

/// Scores a sentence word by word.
pub struct Scorer<'a> {
    model: &'a Model,
    state: u32,
    score: Score,
}

impl Scorer<'_> {
    /// Scores the next word.
    pub fn word(&mut self, word: &str) {
        let id = self.model.vocabulary.find(word).unwrap_or(UNKNOWN);
        self.score.unknown += u64::from(id == UNKNOWN);
        self.id(id);
    }

    fn id(&mut self, id: u32) {
        let (log10, next) = self.model.step(self.state, id);
        self.score.log10 += log10;
        self.score.words += 1;
        self.state = next;
    }

    /// Scores `</s>`.
    pub fn end(mut self) -> Score {
        self.id(END);
        self.score
    }

    /// What was scored so far.
    pub fn score(&self) -> Score {
        self.score
    }
}

impl Model {
    /// Words per n-gram at most.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Different words, the special ones included.
    pub fn words(&self) -> usize {
        self.vocabulary.len()
    }

    /// Starts a sentence; behind `<s>`, or with no context at all.
    pub fn scorer(&self, begin: bool) -> Scorer<'_> {
        let state = if begin { self.unigrams[BEGIN as usize].next } else { ROOT };
        Scorer { model: self, state, score: Score::default() }
    }

    /// The score of a sentence between `<s>` and `</s>`: `KenLM`'s `model.score(text, bos=True, eos=True)`.
    pub fn score<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Score {
        let mut scorer = self.scorer(true);
        words.into_iter().for_each(|word| scorer.word(word));
        scorer.end()
    }

    #[inline]
    fn step(&self, mut state: u32, word: u32) -> (f64, u32) {
        let mut log10 = 0.0;
        loop {
            match self.look(state, word) {
                Ok((found, next)) => return (log10 + found, next),
                Err((backoff, fail)) => {
                    log10 += backoff;
                    state = fail;
                }
            }
        }
    }

    /// The logarithm of a word after a context and the next context, or the back-off and the shorter context.
    #[inline]
    pub(super) fn look(&self, state: u32, word: u32) -> Result<(f64, u32), (f64, u32)> {
        if state == ROOT {
            let unigram = self.unigrams[word as usize];
            return Ok((f64::from(unigram.probability), unigram.next));
        }
        let node = self.nodes[state as usize];
        if node.follow & bit(word) != 0
            && let Some(entry) = self.entry(state, word)
        {
            return Ok((f64::from(entry.probability), entry.next));
        }
        Err((f64::from(node.backoff), node.fail))
    }

    /// Has memory on its way that [`Model::look`] will read.
    #[inline]
    pub(super) fn prefetch(&self, state: u32, word: u32) {
        if state == ROOT {
            prefetch(&self.unigrams[word as usize]);
        } else {
            prefetch(&self.nodes[state as usize]);
            prefetch(&self.entries[place(state, word, self.entries.len())]);
        }
    }

    /// Sets [`Node::follow`] by the entries, which must point to nodes.
    pub(super) fn note_what_follows(&mut self) {
        for entry in self.entries.iter().filter(|entry| entry.node != FREE.node) {
            self.nodes[entry.node as usize].follow |= bit(entry.word);
        }
    }

    #[inline]
    pub(super) fn entry(&self, node: u32, word: u32) -> Option<&Entry> {
        find(&self.entries, node, word).ok()
    }
}

/// One of 64 bits for a word.
fn bit(word: u32) -> u64 {
    1 << (word.wrapping_mul(0x9E37_79B1) >> 26)
}

/// Where the search for a word after a context begins.
fn place(node: u32, word: u32, places: usize) -> usize {
    let mut hash = (u64::from(node) << 32 | u64::from(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((u128::from(hash) * places as u128) >> 64) as usize
}

/// The entry, or the free place for it. There is always a free place.
#[inline]
pub(super) fn find(entries: &[Entry], node: u32, word: u32) -> Result<&Entry, usize> {
    let mut at = place(node, word, entries.len());
    loop {
        let entry = &entries[at];
        if entry.node == node && entry.word == word {
            return Ok(entry);
        }
        if entry.node == FREE.node {
            return Err(at);
        }
        at = if at + 1 == entries.len() { 0 } else { at + 1 };
    }
}

/// Places for so many entries: a third stays free, and one at least.
pub(super) fn places(entries: usize) -> usize {
    entries + entries / 2 + 1
}
