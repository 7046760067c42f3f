//! Exact percentiles of scores.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counts how often each score occurs. Scores are rounded to one decimal when they are made, so that there are fewer different
/// ones than documents, and percentiles are exact. Parts of the same input can be counted apart and merged in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// By the bits of a score, which order scores that are not negative as their values do.
    counts: BTreeMap<u64, u64>,
}

impl Percentiles {
    /// Counts a score, which must not be negative; what is no number is passed over.
    pub fn add(&mut self, score: f64) {
        if score >= 0.0 {
            // -0 has other bits than 0.
            *self.counts.entry((score + 0.0).to_bits()).or_default() += 1;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(score, count)| *self.counts.entry(*score).or_default() += count);
    }

    /// How many scores were counted.
    pub fn len(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The score below which so many percent lie, between two scores by their distances (`numpy.percentile`); none if nothing
    /// was counted.
    pub fn at(&self, percent: f64) -> Option<f64> {
        let last = self.len().checked_sub(1)?;
        let place = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
        let (low, part) = (place.floor() as u64, place.fract());
        let (low, high) = (self.nth(low)?, self.nth((low + 1).min(last))?);
        Some(if part == 0.0 { low } else { low + (high - low) * part })
    }

    /// The n-th lowest score, from 0.
    fn nth(&self, mut n: u64) -> Option<f64> {
        for (score, count) in &self.counts {
            match n.checked_sub(*count) {
                Some(rest) => n = rest,
                None => return Some(f64::from_bits(*score)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_numpy() {
        let mut all = Percentiles::default();
        assert_eq!(all.at(30.0), None);
        [340.1, 12.5, 99.0, 99.0, 1500.0, -0.0, f64::NAN].iter().for_each(|score| all.add(*score));
        // numpy.percentile([340.1, 12.5, 99, 99, 1500, 0], [0, 30, 50, 60, 99, 100])
        let expected = [0.0, 55.75, 99.0, 99.0, 1442.005, 1500.0];
        for (percent, expected) in [0.0, 30.0, 50.0, 60.0, 99.0, 100.0].iter().zip(expected) {
            assert!((all.at(*percent).unwrap() - expected).abs() < 1e-9, "{percent}: {:?}", all.at(*percent));
        }
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let scores: Vec<f64> = (0..1000u32).map(|n| f64::from(n.wrapping_mul(2_654_435_761) % 5000) / 10.0).collect();
        let count = |scores: &[f64]| {
            let mut counted = Percentiles::default();
            scores.iter().for_each(|score| counted.add(*score));
            counted
        };
        let mut merged = count(&scores[700..]);
        merged.merge(&count(&scores[..700]));
        assert_eq!(merged, count(&scores));
        assert_eq!(merged.len(), 1000);
        let text = serde_json::to_string(&merged).unwrap();
        assert_eq!(serde_json::from_str::<Percentiles>(&text).unwrap(), merged);
    }
}
