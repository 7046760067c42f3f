//! Draws that tasks are made of, from one stream.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A number below `count`, which must not be 0.
pub(super) fn below(random: &mut ChaCha8Rng, count: usize) -> usize {
    // The bias of this is below count / 2^64.
    ((u128::from(random.next_u64()) * count as u128) >> 64) as usize
}

/// A number in `range`, both ends included.
pub(super) fn within(random: &mut ChaCha8Rng, range: std::ops::RangeInclusive<usize>) -> usize {
    range.start() + below(random, range.end() - range.start() + 1)
}

/// A number in [0, 1).
pub(super) fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// `some` different numbers below `count`, in random order; `some` must be at most `count`.
pub(super) fn distinct(random: &mut ChaCha8Rng, some: usize, count: usize) -> Vec<usize> {
    debug_assert!(some <= count);
    if some * 8 < count {
        // Few of many: a number that is there already is drawn again.
        let mut found: Vec<usize> = Vec::with_capacity(some);
        while found.len() < some {
            let next = below(random, count);
            if !found.contains(&next) {
                found.push(next);
            }
        }
        return found;
    }
    let mut all: Vec<usize> = (0..count).collect();
    for place in 0..some {
        let other = place + below(random, count - place);
        all.swap(place, other);
    }
    all.truncate(some);
    all
}

/// `some` different places of `weights`, one after the other, each in proportion to the weights that are left. Weights are
/// positive, and no fewer than `some`.
pub(super) fn weighted(random: &mut ChaCha8Rng, some: usize, weights: &[f64]) -> Vec<usize> {
    debug_assert!(some <= weights.len());
    let mut left = weights.to_vec();
    (0..some)
        .map(|_| {
            let mut rest = unit(random) * left.iter().sum::<f64>();
            // Where rounding leaves something of the rest, the last place that is left.
            let mut last = 0;
            for (place, weight) in left.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                last = place;
                if rest < *weight {
                    break;
                }
                rest -= weight;
            }
            left[last] = 0.0;
            last
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};

    fn random() -> ChaCha8Rng {
        generator(1, Purpose::Synthetic, "draws")
    }

    #[test]
    fn distinct_numbers_are_even_and_differ() {
        let mut random = random();
        for (some, count) in [(1, 1), (3, 3), (2, 5), (3, 100), (100, 100)] {
            let mut seen = vec![0usize; count];
            for _ in 0..2000 {
                let mut found = distinct(&mut random, some, count);
                seen[found[0]] += 1;
                found.sort_unstable();
                found.dedup();
                assert!(found.len() == some && found.iter().all(|number| *number < count));
            }
            // The first of each draw is even over all: within six deviations of a binomial share.
            let (share, draws) = (1.0 / count as f64, 2000.0);
            let deviation = (draws * share * (1.0 - share)).sqrt();
            assert!(seen.iter().all(|hits| (*hits as f64 - draws * share).abs() <= 6.0 * deviation), "{some} of {count}: {seen:?}");
        }
    }

    #[test]
    fn weighted_places_follow_their_weights() {
        let mut random = random();
        let weights = [4.0, 2.0, 1.0, 1.0];
        let (mut first, mut second) = ([0usize; 4], [0usize; 4]);
        for _ in 0..20_000 {
            let found = weighted(&mut random, 2, &weights);
            assert_ne!(found[0], found[1]);
            first[found[0]] += 1;
            second[found[1]] += 1;
        }
        for place in 0..4 {
            let of_first = weights[place] / 8.0;
            // Over what was drawn before it.
            let of_second: f64 = (0..4).filter(|k| *k != place).map(|k| weights[k] / 8.0 * weights[place] / (8.0 - weights[k])).sum();
            for (hits, share) in [(first[place], of_first), (second[place], of_second)] {
                let deviation = (20_000.0 * share * (1.0 - share)).sqrt();
                assert!((hits as f64 - 20_000.0 * share).abs() < 6.0 * deviation, "{place}: {hits} {share}");
            }
        }
        assert_eq!(weighted(&mut random, 4, &weights).iter().sum::<usize>(), 6);
    }

    #[test]
    fn ends_are_drawn() {
        let mut random = random();
        let found: Vec<usize> = (0..200).map(|_| within(&mut random, 3..=5)).collect();
        assert!([3, 4, 5].iter().all(|number| found.contains(number)) && found.iter().all(|number| (3..=5).contains(number)));
        assert!((0..1000).map(|_| unit(&mut random)).all(|number| (0.0..1.0).contains(&number)));
    }
}
