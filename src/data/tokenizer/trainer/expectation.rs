//! Sums over all words of a sample, the same for any number of threads: words go into a fixed number of parts, whose sums are
//! added in order.

use super::{
    super::trie::Trie,
    Word,
    lattice::{Edge, Scores, Scratch, best, edges, expect},
};
use rayon::prelude::*;

/// Parts of the words; each has sums of its own while it is worked on.
const PARTS: usize = 8;

/// A word: its first edge in its part, its bytes, its count.
struct Entry {
    first: usize,
    length: usize,
    count: f64,
}

#[derive(Default)]
struct Part {
    edges: Vec<Edge>,
    words: Vec<Entry>,
}

impl Part {
    fn each(&self, mut take: impl FnMut(&[Edge], &Entry)) {
        for (index, word) in self.words.iter().enumerate() {
            let end = self.words.get(index + 1).map_or(self.edges.len(), |next| next.first);
            take(&self.edges[word.first..end], word);
        }
    }
}

/// All ways to cut the words of a sample.
pub(super) struct Sample {
    parts: Vec<Part>,
    pieces: usize,
    /// How many words there are, repetitions included.
    pub total: f64,
}

impl Sample {
    pub(super) fn new(words: &[Word<'_>], trie: &Trie, pieces: usize) -> Self {
        let part = |words: &[Word<'_>]| {
            let mut part = Part::default();
            for (word, [within, last]) in words {
                part.words.push(Entry { first: part.edges.len(), length: word.len(), count: (within + last) as f64 });
                edges(word, trie, &mut part.edges);
            }
            part
        };
        let parts = words.par_chunks(words.len().div_ceil(PARTS).max(1)).map(part).collect();
        Self { parts, pieces, total: words.iter().map(|(_, [within, last])| (within + last) as f64).sum() }
    }

    /// Sums of what `add` adds for each word.
    fn sum(&self, add: impl Fn(&[Edge], &Entry, &mut Scratch, &mut [f64]) + Sync) -> Vec<f64> {
        let sums: Vec<Vec<f64>> = self
            .parts
            .par_iter()
            .map(|part| {
                let (mut scratch, mut sums) = (Scratch::default(), vec![0.0; self.pieces]);
                part.each(|edges, word| add(edges, word, &mut scratch, &mut sums));
                sums
            })
            .collect();
        let mut sums = sums.into_iter();
        let mut all = sums.next().unwrap_or_else(|| vec![0.0; self.pieces]);
        for part in sums {
            all.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        all
    }

    /// How often each piece is expected.
    pub(super) fn expected(&self, scores: &Scores) -> Vec<f64> {
        self.sum(|edges, word, scratch, sums| expect(edges, word.length, word.count, scores, scratch, sums))
    }

    /// How often each piece is used in the best cuts.
    pub(super) fn used(&self, scores: &Scores) -> Vec<f64> {
        self.sum(|edges, word, scratch, sums| {
            best(edges, word.length, scores, scratch, None, |piece| sums[piece as usize] += word.count);
        })
    }

    /// Forgets pieces that no longer have a score.
    pub(super) fn prune(&mut self, scores: &Scores) {
        self.parts.par_iter_mut().for_each(|part| {
            let mut kept = 0;
            for index in 0..part.words.len() {
                let end = part.words.get(index + 1).map_or(part.edges.len(), |next| next.first);
                let first = std::mem::replace(&mut part.words[index].first, kept);
                for at in first..end {
                    if scores.logs[part.edges[at].piece as usize] > f64::NEG_INFINITY {
                        part.edges[kept] = part.edges[at];
                        kept += 1;
                    }
                }
            }
            part.edges.truncate(kept);
        });
    }
}
