//! Training of the unigram language model: from many pieces, those that text can best do without are dropped, round by round
//! (Kudo 2018, 1804.10959, 3.2; google/sentencepiece@2734490 `src/unigram_model_trainer.cc`).
//!
//! The trainer of the `tokenizers` library is not used: it makes another tokenizer on every run and for every number of threads.

use super::{
    super::{hash::Map, json::NEVER, pieces::reserved, scripts::Scripts, trie::Trie},
    TrainerConfig, Word,
    alphabet::Alphabet,
    expectation::Sample,
    lattice::{Scores, Scratch, best, edges},
    seeds::seeds,
};
use rayon::prelude::*;

/// Pieces that are expected less often are dropped.
const LEAST: f64 = 0.5;
/// How much worse an unknown character is than the worst piece.
const PENALTY: f64 = 10.0;

/// Pieces with scores, best first.
pub(super) fn train(words: &[Word<'_>], alphabet: &Alphabet, config: &TrainerConfig, room: usize) -> Vec<(Box<str>, f64)> {
    let (cutting, scripts) = (config.cutting(), Scripts::of(alphabet.characters().iter().copied()));
    let valid = |piece: &[char]| {
        scripts.valid(piece.iter().copied(), &cutting) && !(piece[0] == '<' && reserved(&piece.iter().collect::<String>()))
    };
    let singles = alphabet.characters().iter().zip(alphabet.counts()).filter(|(_, count)| **count > 0);
    let mut pieces: Vec<(Box<str>, f64)> = singles.map(|(c, count)| (c.to_string().into(), *count as f64)).collect();
    let single = pieces.len();
    pieces.extend(seeds(words, config.max_sentencepiece_length, config.seed_sentencepiece_size, valid));
    let total: f64 = pieces.iter().map(|(_, count)| count).sum();
    let (texts, counts): (Vec<Box<str>>, Vec<f64>) = pieces.into_iter().unzip();
    let logs = counts.into_iter().map(|count| count.ln() - total.ln()).collect();
    let trie = Trie::new(texts.iter().enumerate().map(|(index, text)| (text.as_bytes(), index as u32)));
    let mut scores = Scores::new(logs, vec![true; texts.len()], &texts);
    let mut sample = Sample::new(words, &trie, texts.len());
    let desired = (config.vocab_size as f64 * 1.1) as usize;
    loop {
        for _ in 0..config.num_sub_iterations {
            scores = maximise(sample.expected(&scores), &scores.alive, &texts, single);
        }
        let count = scores.alive.iter().filter(|alive| **alive).count();
        if count <= desired {
            break;
        }
        let size = desired.max((config.shrinking_factor * count as f64) as usize);
        let kept = keep(&scores, &sample, &texts, &trie, size);
        if kept.iter().filter(|kept| **kept).count() == count {
            break;
        }
        let logs = (0..texts.len()).map(|piece| if kept[piece] { scores.logs[piece] } else { f64::NEG_INFINITY }).collect();
        scores = with_unknown(logs, kept, &texts, single);
        sample.prune(&scores);
    }
    finish(&scores, texts, alphabet, room)
}

/// Scores of pieces that are expected so often, in the Bayesian way that favours few pieces.
fn maximise(expected: Vec<f64>, alive: &[bool], texts: &[Box<str>], single: usize) -> Scores {
    let alive: Vec<bool> = alive.iter().zip(&expected).map(|(alive, count)| *alive && *count >= LEAST).collect();
    let sum: f64 = expected.iter().zip(&alive).filter(|(_, alive)| **alive).map(|(count, _)| count).sum();
    let all = digamma(sum);
    let logs = expected.iter().zip(&alive).map(|(count, alive)| if *alive { digamma(*count) - all } else { f64::NEG_INFINITY }).collect();
    with_unknown(logs, alive, texts, single)
}

/// Scores in which single characters that are gone count as unknown.
fn with_unknown(mut logs: Vec<f64>, alive: Vec<bool>, texts: &[Box<str>], single: usize) -> Scores {
    let lowest = logs.iter().copied().filter(|log| log.is_finite()).fold(0.0, f64::min);
    for piece in (0..single).filter(|piece| !alive[*piece]) {
        logs[piece] = lowest - PENALTY;
    }
    Scores::new(logs, alive, texts)
}

/// Which pieces stay: those that nothing replaces, and of the others those whose loss would cost most likelihood.
fn keep(scores: &Scores, sample: &Sample, texts: &[Box<str>], trie: &Trie, size: usize) -> Vec<bool> {
    // What a piece is cut into without it; none if it is better cut anyway.
    let alternatives: Vec<Option<Vec<u32>>> = (0..texts.len())
        .into_par_iter()
        .map_init(
            || (Scratch::default(), Vec::new()),
            |(scratch, found), piece| {
                if !scores.alive[piece] {
                    return None;
                }
                found.clear();
                edges(&texts[piece], trie, found);
                found.retain(|edge| scores.logs[edge.piece as usize] > f64::NEG_INFINITY);
                let mut instead = Vec::new();
                let score = best(found, texts[piece].len(), scores, scratch, Some(piece as u32), |other| instead.push(other));
                if score == f64::NEG_INFINITY {
                    return Some(Vec::new());
                }
                (score <= scores.logs[piece]).then_some(instead)
            },
        )
        .collect();
    let used = sample.used(scores);
    let sum: f64 = used.iter().sum();
    let mut kept = vec![false; texts.len()];
    let mut candidates: Vec<(f64, usize)> = Vec::new();
    for (piece, instead) in alternatives.iter().enumerate() {
        let Some(instead) = instead else { continue };
        let count = used[piece];
        if count == 0.0 {
            continue;
        }
        if instead.is_empty() {
            kept[piece] = true;
            continue;
        }
        // The uses of the piece become uses of what replaces it.
        let all = (sum + count * (instead.len() - 1) as f64).ln();
        let without: f64 = instead.iter().map(|other| (used[*other as usize] + count).ln() - all).sum();
        candidates.push((count / sample.total * (count.ln() - sum.ln() - without), piece));
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let free = size.saturating_sub(kept.iter().filter(|kept| **kept).count());
    candidates.into_iter().take(free).for_each(|(_, piece)| kept[piece] = true);
    kept
}

/// The characters of the alphabet, and the best of the other pieces.
fn finish(scores: &Scores, texts: Vec<Box<str>>, alphabet: &Alphabet, room: usize) -> Vec<(Box<str>, f64)> {
    let mut known: Map<Box<str>, f64> =
        texts.into_iter().zip(&scores.logs).zip(&scores.alive).filter(|(_, alive)| **alive).map(|((text, log), _)| (text, *log)).collect();
    let lowest = known.values().copied().fold(0.0, f64::min).max(NEVER / 2.0);
    let mut pieces: Vec<(Box<str>, f64)> = Vec::with_capacity(room);
    let mut penalty = 0.0;
    for c in alphabet.characters() {
        let text: Box<str> = c.to_string().into();
        let score = known.remove(&text).unwrap_or_else(|| {
            // No two score alike.
            penalty += 1e-4;
            lowest + penalty - 1e-4
        });
        pieces.push((text, score));
    }
    let mut rest: Vec<(Box<str>, f64)> = known.into_iter().collect();
    let order = |a: &(Box<str>, f64), b: &(Box<str>, f64)| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0));
    rest.sort_by(order);
    pieces.extend(rest.into_iter().take(room.saturating_sub(alphabet.characters().len())));
    pieces.sort_by(order);
    pieces
}

/// The derivative of the logarithm of the gamma function, by its asymptotic series.
fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 7.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    x -= 0.5;
    let square = 1.0 / (x * x);
    sum + x.ln() + square * (1.0 / 24.0 - square * (7.0 / 960.0 - square * (31.0 / 8064.0 - square * (127.0 / 30720.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digamma_is_known_at_some_points() {
        for (x, expected) in [(1.0, -0.577_215_664_9), (0.5, -1.963_510_026), (10.0, 2.251_752_589), (1e6, 13.815_510_057_9)] {
            assert!((digamma(x) - expected).abs() < 1e-8, "{x}: {}", digamma(x));
        }
    }
}
