//! How often a series jumps: the spike score of OLMo 2.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Values that a new one is held against.
const WINDOW: usize = 1000;
/// Values without which there is nothing to hold one against.
const FEWEST: usize = 20;
/// Standard deviations from the mean of the window at which a value is a spike.
const DEVIATIONS: f64 = 7.0;

/// The spikes of a series: values at least seven standard deviations away from the average of the last 1,000 before them
/// (OLMo 2, arXiv 2501.00656), or of those there are, from 20 on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spikes {
    window: VecDeque<f64>,
    judged: usize,
    spikes: usize,
}

impl Spikes {
    /// Judges the next value by those before it.
    pub fn push(&mut self, value: f64) {
        if self.window.len() >= FEWEST {
            let count = self.window.len() as f64;
            let mean = self.window.iter().sum::<f64>() / count;
            let variance = self.window.iter().map(|other| (other - mean).powi(2)).sum::<f64>() / (count - 1.0);
            self.judged += 1;
            // A series that has not moved yet may begin to.
            if variance > 0.0 && (value - mean).abs() >= DEVIATIONS * variance.sqrt() {
                self.spikes += 1;
            }
        }
        self.window.push_back(value);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
    }

    /// The share of judged values that were spikes; none before there was one to judge.
    pub fn score(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.spikes as f64 / self.judged as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series of mean `level` and standard deviation 1, of its population.
    fn series(count: usize, level: f64) -> Spikes {
        let mut spikes = Spikes::default();
        (0..count).for_each(|i| spikes.push(level + if i % 2 == 0 { 1.0 } else { -1.0 }));
        spikes
    }

    #[test]
    fn seven_deviations_make_a_spike_and_less_does_not() {
        for (jump, expected) in [(6.9, 0.0), (7.1, 1.0), (-7.1, 1.0)] {
            let mut spikes = series(200, 3.0);
            assert_eq!(spikes.score(), Some(0.0));
            spikes.push(3.0 + jump);
            assert_eq!(spikes.score(), Some(expected / 181.0), "{jump}");
        }
    }

    #[test]
    fn nothing_is_judged_by_too_little_and_only_the_window_counts() {
        let mut few = series(20, 0.0);
        assert_eq!(few.score(), None);
        few.push(1e9);
        assert_eq!(few.score(), Some(1.0));
        // A wild past that has left the window.
        let mut spikes = Spikes::default();
        (0..100).for_each(|i| spikes.push(if i % 2 == 0 { 1e6 } else { -1e6 }));
        (0..1000).for_each(|i| spikes.push(if i % 2 == 0 { 1.0 } else { -1.0 }));
        let before = spikes.spikes;
        spikes.push(9.0);
        assert_eq!(spikes.spikes, before + 1);
    }

    #[test]
    fn a_constant_series_has_none() {
        let mut spikes = Spikes::default();
        (0..50).for_each(|_| spikes.push(2.5));
        spikes.push(2.6);
        assert_eq!(spikes.score(), Some(0.0));
    }
}
