//! All ways to cut a word into pieces.

use super::super::{trie::Trie, unigram::width};

/// A piece at its place in a word, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub start: u32,
    pub end: u32,
    pub piece: u32,
}

/// What pieces are worth.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    /// Log-probabilities; negative infinity for a piece that is gone. A single character that is gone still has a score, an
    /// unknown character's: words must stay in one.
    pub logs: Vec<f64>,
    pub alive: Vec<bool>,
    /// Probabilities times `exp(4)` per byte, which keeps their products in range.
    weights: Vec<f64>,
}

/// Bytes of a word whose products of weights are surely in range.
const SHORT: usize = 32;
const PER_BYTE: f64 = 4.0;

impl Scores {
    pub(super) fn new(logs: Vec<f64>, alive: Vec<bool>, texts: &[Box<str>]) -> Self {
        let weights = logs.iter().zip(texts).map(|(log, text)| (log + PER_BYTE * text.len() as f64).exp()).collect();
        Self { logs, alive, weights }
    }
}

/// Working memory.
#[derive(Default)]
pub(super) struct Scratch {
    forward: Vec<f64>,
    backward: Vec<f64>,
    best: Vec<(f64, u32)>,
}

/// The pieces of a word by where they start.
pub(super) fn edges(word: &str, trie: &Trie, edges: &mut Vec<Edge>) {
    let bytes = word.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        trie.prefixes(&bytes[start..], |length, piece| edges.push(Edge { start: start as u32, end: (start + length) as u32, piece }));
        start += width(bytes[start]);
    }
}

/// Adds `count` times the expected number of uses of every piece in a word of `length` bytes.
pub(super) fn expect(edges: &[Edge], length: usize, count: f64, scores: &Scores, scratch: &mut Scratch, expected: &mut [f64]) {
    if !(length <= SHORT && products(edges, length, count, scores, scratch, expected)) {
        logarithms(edges, length, count, scores, scratch, expected);
    }
}

/// The fast way; says whether all was in range, and adds nothing if not.
fn products(edges: &[Edge], length: usize, count: f64, scores: &Scores, scratch: &mut Scratch, expected: &mut [f64]) -> bool {
    let Scratch { forward, backward, .. } = scratch;
    for side in [&mut *forward, &mut *backward] {
        side.clear();
        side.resize(length + 1, 0.0);
    }
    (forward[0], backward[length]) = (1.0, 1.0);
    for edge in edges {
        forward[edge.end as usize] += forward[edge.start as usize] * scores.weights[edge.piece as usize];
    }
    let all = forward[length];
    if !(1e-200..1e200).contains(&all) {
        return false;
    }
    for edge in edges.iter().rev() {
        backward[edge.start as usize] += backward[edge.end as usize] * scores.weights[edge.piece as usize];
    }
    for edge in edges {
        let piece = edge.piece as usize;
        expected[piece] += count / all * forward[edge.start as usize] * scores.weights[piece] * backward[edge.end as usize];
    }
    true
}

fn logarithms(edges: &[Edge], length: usize, count: f64, scores: &Scores, scratch: &mut Scratch, expected: &mut [f64]) {
    let add = |sum: &mut f64, other: f64| {
        let (low, high) = if *sum < other { (*sum, other) } else { (other, *sum) };
        *sum = if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() };
    };
    let Scratch { forward, backward, .. } = scratch;
    for side in [&mut *forward, &mut *backward] {
        side.clear();
        side.resize(length + 1, f64::NEG_INFINITY);
    }
    (forward[0], backward[length]) = (0.0, 0.0);
    for edge in edges {
        let sum = forward[edge.start as usize] + scores.logs[edge.piece as usize];
        add(&mut forward[edge.end as usize], sum);
    }
    for edge in edges.iter().rev() {
        let sum = backward[edge.end as usize] + scores.logs[edge.piece as usize];
        add(&mut backward[edge.start as usize], sum);
    }
    let all = forward[length];
    for edge in edges {
        let piece = edge.piece as usize;
        expected[piece] += count * (forward[edge.start as usize] + scores.logs[piece] + backward[edge.end as usize] - all).exp();
    }
}

/// Calls `found` with the pieces of the best way to cut, from the end, but for `without`; returns its score.
pub(super) fn best(
    edges: &[Edge],
    length: usize,
    scores: &Scores,
    scratch: &mut Scratch,
    without: Option<u32>,
    mut found: impl FnMut(u32),
) -> f64 {
    let best = &mut scratch.best;
    best.clear();
    best.resize(length + 1, (f64::NEG_INFINITY, u32::MAX));
    best[0].0 = 0.0;
    for (index, edge) in edges.iter().enumerate().filter(|(_, edge)| Some(edge.piece) != without) {
        let score = best[edge.start as usize].0 + scores.logs[edge.piece as usize];
        if score > best[edge.end as usize].0 {
            best[edge.end as usize] = (score, index as u32);
        }
    }
    let mut end = length;
    while end > 0 {
        let Some(edge) = edges.get(best[end].1 as usize) else { return f64::NEG_INFINITY };
        found(edge.piece);
        end = edge.start as usize;
    }
    best[length].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_expect_alike_and_as_counted_by_hand() {
        let texts: Vec<Box<str>> = ["a", "b", "ab", "é"].map(Into::into).to_vec();
        let logs: Vec<f64> = [0.25_f64, 0.25, 0.4, 0.1].iter().map(|p| p.ln()).collect();
        let scores = Scores::new(logs, vec![true; 4], &texts);
        let trie = Trie::new(texts.iter().enumerate().map(|(i, text)| (text.as_bytes(), i as u32)));
        let mut found = Vec::new();
        edges("abé", &trie, &mut found);
        assert_eq!(found.len(), 4);
        let (mut fast, mut slow, mut scratch) = (vec![0.0; 4], vec![0.0; 4], Scratch::default());
        assert!(products(&found, 4, 10.0, &scores, &mut scratch, &mut fast));
        logarithms(&found, 4, 10.0, &scores, &mut scratch, &mut slow);
        // a b with 1/16 against ab with 0.4.
        let apart = 10.0 * 0.0625 / 0.4625;
        for (piece, expected) in [apart, apart, 10.0 - apart, 10.0].into_iter().enumerate() {
            assert!((fast[piece] - expected).abs() < 1e-9 && (slow[piece] - expected).abs() < 1e-9, "{fast:?} {slow:?}");
        }
        let mut path = Vec::new();
        let score = best(&found, 4, &scores, &mut scratch, None, |piece| path.push(piece));
        assert_eq!(path, [3, 2]);
        assert!((score - (0.04_f64).ln()).abs() < 1e-9);
        path.clear();
        best(&found, 4, &scores, &mut scratch, Some(2), |piece| path.push(piece));
        assert_eq!(path, [3, 1, 0]);
    }
}
