//! The order of the training windows: a permutation that is computed, not stored.

use crate::random::{Purpose, generator};
use rand::Rng;

const ROUNDS: usize = 8;

/// A permutation of `0..count` keyed by (seed, epoch): a Feistel network over the next even power of two, walked until
/// it lands inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
#[derive(Clone, Debug)]
pub(in crate::data) struct Permutation {
    count: u64,
    half: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of one epoch; `count` must not be 0.
    pub(in crate::data) fn new(seed: u64, epoch: u64, count: u64) -> Self {
        let mut random = generator(seed, Purpose::DataOrder, &epoch.to_string());
        let bits = u64::BITS - (count - 1).leading_zeros();
        Self { count, half: bits.div_ceil(2).max(1), keys: std::array::from_fn(|_| random.next_u64()) }
    }

    /// Where `index` goes.
    pub(in crate::data) fn at(&self, index: u64) -> u64 {
        debug_assert!(index < self.count);
        let mut place = index;
        // The network permutes less than 4 * count numbers, so the walk takes under four steps on average.
        loop {
            place = self.network(place);
            if place < self.count {
                return place;
            }
        }
    }

    fn network(&self, place: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (place >> self.half, place & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        left << self.half | right
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_visits_every_window_once() {
        for count in [1, 2, 3, 5, 64, 65, 1000, 4097] {
            for epoch in 0..3 {
                let order = Permutation::new(7, epoch, count);
                let mut places: Vec<u64> = (0..count).map(|i| order.at(i)).collect();
                places.sort_unstable();
                assert!(places.into_iter().eq(0..count), "{count} {epoch}");
            }
        }
    }

    #[test]
    fn epochs_and_seeds_differ_and_neighbours_part() {
        let places = |seed, epoch| {
            let order = Permutation::new(seed, epoch, 1000);
            (0..1000).map(|i| order.at(i)).collect::<Vec<_>>()
        };
        let base = places(1, 0);
        for other in [places(1, 1), places(2, 0)] {
            let same = base.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same < 12, "{same}");
        }
        // In a random order, |a - b| of neighbours is a third of the length on average, with a deviation of about 8.
        let distance: f64 = base.windows(2).map(|w| w[0].abs_diff(w[1]) as f64).sum::<f64>() / 999.0;
        assert!((300.0..367.0).contains(&distance), "{distance}");
    }
}
