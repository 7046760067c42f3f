//! Scores of whole lines, which a model larger than the caches gives faster than word by word.
//!
//! What comes after a word depends on the `order - 1` words before it alone. So a line is cut into parts, each of which begins
//! with the words before it, unscored, and the parts are walked in turns: while one waits for memory, the others go on.

use super::{
    model::{Model, ROOT, Score},
    vocabulary::{BEGIN, END, UNKNOWN},
};

/// Parts that are walked in turns.
const PARTS: usize = 16;
/// Words of a part, at least: the words before it are walked for nothing.
const LEAST: usize = 12;

/// A line between `<s>` and `</s>`, scored when it is whole.
pub struct Line<'a> {
    model: &'a Model,
    hashes: Vec<u64>,
}

/// Where the walk through a part is.
#[derive(Clone, Copy)]
struct Walker {
    state: u32,
    word: u32,
    /// What back-offs have added to the logarithm of this word.
    log10: f64,
    at: usize,
    /// The first word that is scored, and where the part ends.
    from: usize,
    end: usize,
}

impl<'a> Line<'a> {
    /// An empty line.
    pub fn new(model: &'a Model) -> Self {
        Self { model, hashes: vec![] }
    }

    /// Adds a word.
    pub fn word(&mut self, word: &str) {
        let hash = self.model.vocabulary.hash(word);
        self.model.vocabulary.prefetch(hash);
        self.hashes.push(hash);
    }

    /// The score of the line; that of [`Model::score`], to the bit.
    pub fn score(&self) -> Score {
        let mut ids: Vec<u32> = self.hashes.iter().map(|hash| self.model.vocabulary.with_hash(*hash).unwrap_or(UNKNOWN)).collect();
        let unknown = ids.iter().filter(|id| **id == UNKNOWN).count() as u64;
        ids.push(END);
        let mut logs = vec![0.0; ids.len()];
        self.walk(&ids, &mut logs);
        Score { log10: logs.iter().sum(), words: ids.len() as u64, unknown }
    }

    fn walk(&self, ids: &[u32], logs: &mut [f64]) {
        let model = self.model;
        let before = model.order - 1;
        let parts = (ids.len() / LEAST.max(before)).clamp(1, PARTS);
        let start = |part: usize| ids.len() * part / parts;
        let mut walkers: Vec<Walker> = (0..parts)
            .map(|part| {
                let from = start(part);
                let (state, at) = if part == 0 { (model.unigrams[BEGIN as usize].next, 0) } else { (ROOT, from - before) };
                Walker { state, word: ids[at], log10: 0.0, at, from, end: start(part + 1) }
            })
            .collect();
        while !walkers.is_empty() {
            let mut turn = 0;
            while turn < walkers.len() {
                if walkers[turn].go(model, ids, logs) {
                    turn += 1;
                } else {
                    walkers.swap_remove(turn);
                }
            }
        }
    }
}

impl Walker {
    /// One look into the model; whether there is more to do. What the next look reads is on its way.
    fn go(&mut self, model: &Model, ids: &[u32], logs: &mut [f64]) -> bool {
        let (log10, next) = match model.look(self.state, self.word) {
            Ok(found) => found,
            Err((backoff, fail)) => {
                self.log10 += backoff;
                self.state = fail;
                model.prefetch(fail, self.word);
                return true;
            }
        };
        if self.at >= self.from {
            logs[self.at] = self.log10 + log10;
        }
        self.at += 1;
        if self.at == self.end {
            return false;
        }
        (self.state, self.word, self.log10) = (next, ids[self.at], 0.0);
        model.prefetch(next, self.word);
        true
    }
}
