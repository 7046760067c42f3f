//! The sign-flip permutation test (Fisher 1935): without an effect, each pair's difference is as likely with either sign.

use super::mean;
use crate::random::{Purpose, generator};
use rand::Rng;

/// Below this many pairs there is no test: five have 32 equally likely sign patterns, and the smallest two-sided p,
/// 2/32 = 0.0625, is no evidence at the usual level whatever the data.
pub const FEWEST_PAIRS: usize = 6;
/// Up to this many pairs every sign pattern is counted.
const EXACT: usize = 30;
/// How many sign patterns are drawn beyond.
const DRAWS: usize = 99_999;

/// What the sign-flip test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignFlip {
    /// How many pairs.
    pub pairs: usize,
    /// Mean difference.
    pub delta: f64,
    /// Two-sided p of "the differences are symmetric around 0".
    pub p: f64,
    /// Whether all 2ⁿ patterns were counted, or a fixed number of random ones.
    pub exact: bool,
}

/// The two-sided sign-flip test of `differences` by the size of their mean; none below [`FEWEST_PAIRS`].
///
/// It assumes no normal distribution, only that without an effect the arms could be swapped in every pair. Its p is
/// the share of sign patterns whose mean is as far from 0 as the one observed, exact up to 30 pairs; beyond, (b + 1)/(m + 1)
/// of m = 99,999 random patterns of which b are as far (Phipson & Smyth 2010), the same at every call.
pub fn sign_flip(differences: &[f64]) -> Option<SignFlip> {
    let pairs = differences.len();
    if pairs < FEWEST_PAIRS {
        return None;
    }
    let delta = mean(differences)?.mean;
    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let observed = differences.iter().sum::<f64>().abs();
    // Patterns that tie with the observed one must not be told from it by rounding.
    let reach = observed - 1e-12 * sizes.iter().sum::<f64>();
    if pairs <= EXACT {
        let p = if reach <= 0.0 { 1.0 } else { 2.0 * count(&sizes, reach) as f64 / (1u64 << pairs) as f64 };
        return Some(SignFlip { pairs, delta, p: p.min(1.0), exact: true });
    }
    let mut noise = generator(pairs as u64, Purpose::Resampling, "sign-flip");
    let far = (0..DRAWS)
        .filter(|_| {
            let sum: f64 = sizes
                .chunks(64)
                .map(|chunk| {
                    let signs = noise.next_u64();
                    chunk.iter().enumerate().map(|(i, size)| if signs >> i & 1 == 0 { *size } else { -size }).sum::<f64>()
                })
                .sum();
            sum.abs() >= reach
        })
        .count();
    Some(SignFlip { pairs, delta, p: (far + 1) as f64 / (DRAWS + 1) as f64, exact: false })
}

/// How many sign patterns of `sizes` sum to `reach` or more: all sums of either half, sorted, meet in the middle.
fn count(sizes: &[f64], reach: f64) -> u64 {
    let sums = |half: &[f64]| {
        let mut sums = vec![0.0];
        for size in half {
            sums = sums.iter().flat_map(|sum| [sum - size, sum + size]).collect();
        }
        sums.sort_by(f64::total_cmp);
        sums
    };
    let (left, right) = sizes.split_at(sizes.len() / 2);
    let (left, right) = (sums(left), sums(right));
    let mut start = right.len();
    left.iter()
        .map(|sum| {
            while start > 0 && sum + right[start - 1] >= reach {
                start -= 1;
            }
            (right.len() - start) as u64
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fisher (1935, section 21) on Darwin's maize: 15 pairs, of whose 32,768 sums 863 exceed the observed 314 and as
    /// many again tie or exceed it on the other side: p = 1726/32768 = 0.0527.
    #[test]
    fn darwins_maize() {
        let eighths = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
        let test = sign_flip(&eighths).unwrap();
        assert_eq!((test.pairs, test.exact), (15, true));
        assert_eq!(test.p, 1726.0 / 32768.0);
    }

    #[test]
    fn limits() {
        assert_eq!(sign_flip(&[1.0; 5]), None);
        assert_eq!(sign_flip(&[1.0; 6]).unwrap().p, 2.0 / 64.0);
        assert_eq!(sign_flip(&[0.0; 6]).unwrap().p, 1.0);
        assert_eq!(sign_flip(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0]).unwrap().p, 1.0);
        let many = sign_flip(&[0.1; 40]).unwrap();
        assert_eq!((many.p, many.exact), (1e-5, false));
        assert_eq!(sign_flip(&[0.0; 40]).unwrap().p, 1.0);
    }

    /// Random patterns answer as all of them: 31 pairs, of which the last is 0 and changes nothing.
    #[test]
    fn drawing_agrees_with_counting() {
        let differences: Vec<f64> = (0..30).map(|i| (i as f64 * 1.7).sin() + 0.3).collect();
        let exact = sign_flip(&differences).unwrap();
        let drawn = sign_flip(&[&differences[..], &[0.0]].concat()).unwrap();
        assert!(exact.exact && !drawn.exact);
        let error = (exact.p * (1.0 - exact.p) / DRAWS as f64).sqrt();
        assert!((exact.p - drawn.p).abs() < 4.0 * error, "{} {}", exact.p, drawn.p);
    }

    proptest! {
        /// Against listing every pattern; and signs, order and unit do not matter.
        #[test]
        fn properties(differences in prop::collection::vec((-20i32..20).prop_map(|d| d as f64 / 8.0), 6..11), scale in 1e-3..1e3f64) {
            let test = sign_flip(&differences).unwrap();
            let sum: f64 = differences.iter().sum();
            let patterns = 1 << differences.len();
            let far = (0..patterns).filter(|pattern| {
                let flipped: f64 = differences.iter().enumerate().map(|(i, d)| if pattern >> i & 1 == 0 { *d } else { -d }).sum();
                flipped.abs() >= sum.abs()
            }).count();
            prop_assert_eq!(test.p, far as f64 / patterns as f64);
            let mut moved: Vec<f64> = differences.iter().map(|d| -scale * d).collect();
            moved.reverse();
            prop_assert_eq!(sign_flip(&moved).unwrap().p, test.p);
        }
    }
}
