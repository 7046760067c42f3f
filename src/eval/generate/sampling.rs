//! Choosing the next token from its logits.

use std::cmp::Ordering;

/// How the next token is chosen: penalty, temperature, top-k, top-p, min-p, in this order, then a draw from what is left.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits of tokens that the text holds already are divided by this if positive, else multiplied by it (Keskar et al.
    /// 2019, section 4.1, as in `transformers`). 1 changes nothing.
    pub repetition_penalty: f64,
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f64,
    /// Only so many of the most likely tokens (Fan et al. 2018, section 5.4).
    pub top_k: Option<usize>,
    /// Only the most likely tokens whose probabilities before the last of them sum to at most this (nucleus sampling,
    /// Holtzman et al. 2019, as in the LLaMA release: `sample_top_p`). 1 keeps all.
    pub top_p: f64,
    /// Only tokens at least this times as likely as the most likely one (Nguyen et al. 2024, section 3). 0 keeps all.
    pub min_p: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Sampling {
    /// The most likely token, always.
    pub fn greedy() -> Self {
        Self { repetition_penalty: 1.0, temperature: 0.0, top_k: None, top_p: 1.0, min_p: 0.0, seed: 0 }
    }

    /// The token that `uniform` in [0, 1) falls on after the text `before`; of equal logits the lower token comes first.
    /// None if the logits are no numbers.
    pub fn choose(&self, logits: &[f32], before: &[u32], uniform: f64) -> Option<u32> {
        let candidates = self.candidates(logits, before)?;
        let mut rest = uniform * candidates.iter().map(|candidate| candidate.weight).sum::<f64>();
        for candidate in &candidates {
            if rest < candidate.weight {
                return Some(candidate.token);
            }
            rest -= candidate.weight;
        }
        // Rounding left something of the last draw.
        candidates.iter().rev().find(|candidate| candidate.weight > 0.0).map(|candidate| candidate.token)
    }

    /// Tokens that can be drawn after the text `before`, with their probabilities, the lower token first. None if the logits
    /// are no numbers.
    pub fn distribution(&self, logits: &[f32], before: &[u32]) -> Option<Vec<(u32, f64)>> {
        let mut candidates = self.candidates(logits, before)?;
        candidates.sort_by_key(|candidate| candidate.token);
        let sum: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
        Some(candidates.into_iter().map(|candidate| (candidate.token, candidate.weight / sum)).collect())
    }

    fn candidates(&self, logits: &[f32], before: &[u32]) -> Option<Vec<Candidate>> {
        let logits = penalised(logits, before, self.repetition_penalty);
        let largest = largest(&logits)?;
        if self.temperature == 0.0 {
            return Some(vec![Candidate { token: largest as u32, weight: 1.0 }]);
        }
        let weight = |logit: &f64| ((logit - logits[largest]) / self.temperature).exp();
        let mut candidates: Vec<_> = (0..).zip(&logits).map(|(token, logit)| Candidate { token, weight: weight(logit) }).collect();
        if let Some(count) = self.top_k {
            keep_most_likely(&mut candidates, count.max(1));
        }
        if self.top_p < 1.0 {
            keep_nucleus(&mut candidates, self.top_p);
        }
        if self.min_p > 0.0 {
            // The most likely token weighs 1.
            candidates.retain(|candidate| candidate.weight >= self.min_p);
        }
        Some(candidates)
    }
}

/// A token and its probability, up to a factor that all share.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    token: u32,
    weight: f64,
}

impl Candidate {
    /// The more likely first; of equals the lower token.
    fn order(&self, other: &Self) -> Ordering {
        other.weight.total_cmp(&self.weight).then(self.token.cmp(&other.token))
    }
}

/// The place of the largest logit, the first of equals; none if it is not a finite number, or some is no number.
fn largest(logits: &[f64]) -> Option<usize> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let better = |best: usize, place: usize| if logits[place] > logits[best] { place } else { best };
    (0..logits.len()).reduce(better).filter(|place| logits[*place].is_finite())
}

fn penalised(logits: &[f32], before: &[u32], penalty: f64) -> Vec<f64> {
    let mut penalised: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    if penalty != 1.0 {
        for &token in before {
            // From the original, so that a token is penalised once.
            if let Some(&logit) = logits.get(token as usize) {
                let logit = f64::from(logit);
                penalised[token as usize] = if logit > 0.0 { logit / penalty } else { logit * penalty };
            }
        }
    }
    penalised
}

fn keep_most_likely(candidates: &mut Vec<Candidate>, count: usize) {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count - 1, Candidate::order);
        candidates.truncate(count);
        // The order of the draw must not depend on how the selection was found.
        candidates.sort_by(Candidate::order);
    }
}

fn keep_nucleus(candidates: &mut Vec<Candidate>, share: f64) {
    candidates.sort_by(Candidate::order);
    let total: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
    let mut before = 0.0;
    let inside = |candidate: &&Candidate| {
        let sum = before;
        before += candidate.weight / total;
        sum <= share
    };
    let kept = candidates.iter().take_while(inside).count();
    candidates.truncate(kept.max(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Sampling {
        Sampling { temperature: 1.0, ..Sampling::greedy() }
    }

    fn logits(probabilities: &[f32]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    /// Frequencies over a fine grid of draws.
    fn frequencies(logits: &[f32], sampling: &Sampling) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        for i in 0..100_000 {
            counts[sampling.choose(logits, &[], (i as f64 + 0.5) / 100_000.0).unwrap() as usize] += 1e-5;
        }
        counts
    }

    /// The draws and the distribution are as expected; a grid of 1e5 draws is off by at most 1e-5 per border.
    fn expect(logits: &[f32], sampling: &Sampling, expected: &[f64]) {
        let mut said = vec![0.0; logits.len()];
        for (token, probability) in sampling.distribution(logits, &[]).unwrap() {
            said[token as usize] = probability;
        }
        for ((found, said), expected) in frequencies(logits, sampling).iter().zip(said).zip(expected) {
            assert!((found - expected).abs() < 3e-5, "{sampling:?}: {found}, not {expected}");
            assert!((said - expected).abs() < 1e-7, "{sampling:?}: {said}, not {expected}");
        }
    }

    #[test]
    fn draws_follow_the_softmax() {
        let logits = logits(&[0.1, 0.6, 0.3]);
        expect(&logits, &plain(), &[0.1, 0.6, 0.3]);
        // Temperature ½ squares the probabilities: 1, 36, 9 of 46.
        expect(&logits, &Sampling { temperature: 0.5, ..plain() }, &[1.0 / 46.0, 36.0 / 46.0, 9.0 / 46.0]);
        expect(&logits, &Sampling::greedy(), &[0.0, 1.0, 0.0]);
    }

    #[test]
    fn limits_drop_the_tail_and_renormalise() {
        let logits = logits(&[0.1, 0.6, 0.3]);
        let two = [0.0, 2.0 / 3.0, 1.0 / 3.0];
        for limited in [Sampling { top_p: 0.7, ..plain() }, Sampling { top_k: Some(2), ..plain() }, Sampling { min_p: 0.4, ..plain() }] {
            expect(&logits, &limited, &two);
        }
        let one = [0.0, 1.0, 0.0];
        for limited in [Sampling { top_p: 0.0, ..plain() }, Sampling { top_k: Some(1), ..plain() }, Sampling { min_p: 1.0, ..plain() }] {
            expect(&logits, &limited, &one);
        }
        // What one limit drops, the next does not count: of 0.4, 0.3, 0.2, 0.1 top-k leaves 4/9, 3/9, 2/9, so top-p of 0.6
        // keeps two of the three; of all four it would keep three.
        let logits = super::tests::logits(&[0.2, 0.1, 0.4, 0.3]);
        expect(&logits, &Sampling { top_k: Some(3), top_p: 0.6, ..plain() }, &[0.0, 0.0, 4.0 / 7.0, 3.0 / 7.0]);
        expect(&logits, &Sampling { top_p: 0.75, ..plain() }, &[2.0 / 9.0, 0.0, 4.0 / 9.0, 3.0 / 9.0]);
        // Limits see the probabilities after the temperature: 16, 9, 4, 1 of 30.
        expect(&logits, &Sampling { temperature: 0.5, min_p: 0.5, ..plain() }, &[0.0, 0.0, 16.0 / 25.0, 9.0 / 25.0]);
    }

    #[test]
    fn equals_are_ordered_by_token() {
        let even = [0.5f32; 4];
        assert_eq!(Sampling::greedy().choose(&even, &[], 0.9), Some(0));
        let two = Sampling { top_k: Some(2), ..plain() };
        expect(&even, &two, &[0.5, 0.5, 0.0, 0.0]);
        assert_eq!([0.0, 0.49, 0.51].map(|draw| two.choose(&even, &[], draw).unwrap()), [0, 0, 1]);
        expect(&even, &Sampling { top_p: 0.3, ..plain() }, &[0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn what_was_said_counts_less() {
        let logits = [2.0f32, -1.0, 1.5, 0.0];
        let sampling = Sampling { repetition_penalty: 2.0, ..plain() };
        // 2/2, -1·2, 1.5, 0·2; said twice is said once, and tokens beyond the vocabulary do not matter.
        let e = [1.0f64, -2.0, 1.5, 0.0].map(f64::exp);
        let sum: f64 = e.iter().sum();
        let found = sampling.distribution(&logits, &[1, 0, 1, 3, 99]).unwrap();
        for ((token, found), expected) in found.into_iter().zip(e) {
            assert!((found - expected / sum).abs() < 1e-12, "{token}");
        }
        assert_eq!(Sampling { repetition_penalty: 2.0, ..Sampling::greedy() }.choose(&logits, &[0], 0.0), Some(2));
    }

    #[test]
    fn what_is_no_number_is_not_drawn_from() {
        for sampling in [Sampling::greedy(), plain()] {
            for broken in [[f32::NAN, 1.0], [1.0, f32::INFINITY], [f32::NEG_INFINITY; 2]] {
                assert_eq!(sampling.choose(&broken, &[], 0.5), None, "{broken:?}");
            }
            assert_eq!(sampling.choose(&[f32::NEG_INFINITY, 3.0], &[], 0.0), Some(1));
        }
    }
}
