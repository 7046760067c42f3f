//! The paired t test: the same seed under two arms is one pair, and pairs are independent.

use super::{mean, mean::moments, student};

/// What paired differences say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// How many pairs.
    pub pairs: usize,
    /// Mean difference.
    pub delta: f64,
    /// Standard deviation of the differences with n - 1.
    pub deviation: f64,
    /// 95 % interval of the mean difference; none for a single pair that differs.
    pub ci95: Option<[f64; 2]>,
    /// Two-sided p of "the mean difference is 0"; none for a single pair that differs.
    pub p: Option<f64>,
}

/// The paired t test of `differences`; none without pairs.
///
/// Where the formula has no value it follows its limit: all differences exactly zero give Δ 0, interval [0, 0] and p 1,
/// whatever their number; several equal differences that are not zero give an interval of no width and p 0.
pub fn paired(differences: &[f64]) -> Option<Paired> {
    let m = mean(differences)?;
    let p = paired_p(differences);
    let ci95 = if differences.iter().all(|d| *d == 0.0) { Some([0.0, 0.0]) } else { m.ci95 };
    // Negative zeros are zeros.
    Some(Paired { pairs: m.count, delta: m.mean + 0.0, deviation: m.deviation, ci95, p })
}

/// The p of [`paired`] alone, for those who ask often.
pub(super) fn paired_p(differences: &[f64]) -> Option<f64> {
    let (pairs, delta, deviation) = moments(differences)?;
    if differences.iter().all(|d| *d == 0.0) {
        return Some(1.0);
    }
    match (pairs, deviation) {
        (1, _) => None,
        (_, 0.0) => Some(0.0),
        _ => Some(student::two_sided_p(delta / (deviation / (pairs as f64).sqrt()), (pairs - 1) as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use proptest::prelude::*;
    use rand_distr::{Distribution, StandardNormal};

    /// Student's sleep data (1908), drug 2 minus drug 1: t = 4.0621, df = 9, p = 0.002833, interval 0.7001 to 2.4599, as
    /// in the documentation of R's `t.test`.
    #[test]
    fn sleep_data() {
        let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let differences: Vec<f64> = one.iter().zip(two).map(|(a, b)| b - a).collect();
        let test = paired(&differences).unwrap();
        assert!((test.delta - 1.58).abs() < 1e-12);
        assert!((test.p.unwrap() - 0.002833).abs() < 5e-7, "{test:?}");
        let [low, high] = test.ci95.unwrap();
        assert!((low - 0.7001142).abs() < 5e-8 && (high - 2.4598858).abs() < 5e-8, "{test:?}");
    }

    #[test]
    fn limits() {
        assert_eq!(paired(&[]), None);
        let zero = Paired { pairs: 3, delta: 0.0, deviation: 0.0, ci95: Some([0.0, 0.0]), p: Some(1.0) };
        assert_eq!(paired(&[0.0, -0.0, 0.0]), Some(zero));
        assert_eq!(paired(&[0.0]), Some(Paired { pairs: 1, ..zero }));
        let one = paired(&[0.3]).unwrap();
        assert_eq!((one.delta, one.ci95, one.p), (0.3, None, None));
        let same = paired(&[0.1, 0.1]).unwrap();
        assert_eq!((same.delta, same.ci95, same.p), (0.1, Some([0.1, 0.1]), Some(0.0)));
        // One seed of three differs: the formula holds, and nothing is significant.
        let p = paired(&[0.0, 0.0, 0.1]).unwrap().p.unwrap();
        assert!((p - 0.4226497308103742).abs() < 1e-12, "t = 1 with two degrees of freedom: 1 - 1/√3, not {p}");
    }

    /// Without an effect, p is uniform: 5 % of tests are below 0.05 and half are below 0.5.
    #[test]
    fn level_holds() {
        let mut noise = generator(2, Purpose::Sampling, "level");
        let trials = 4000;
        let (mut five, mut fifty) = (0, 0);
        for _ in 0..trials {
            let differences: [f64; 5] = std::array::from_fn(|_| StandardNormal.sample(&mut noise));
            let p = paired(&differences).unwrap().p.unwrap();
            five += usize::from(p < 0.05);
            fifty += usize::from(p < 0.5);
        }
        for (count, share) in [(five, 0.05_f64), (fifty, 0.5)] {
            let error = (share * (1.0 - share) / trials as f64).sqrt();
            assert!((count as f64 / trials as f64 - share).abs() < 3.5 * error, "{count} of {trials} for {share}");
        }
    }

    proptest! {
        /// The interval excludes 0 exactly where p < 0.05, and swapping the arms mirrors everything.
        #[test]
        fn interval_and_p_agree(differences in prop::collection::vec(-1.0..1.0f64, 2..8)) {
            let test = paired(&differences).unwrap();
            let ([low, high], p) = (test.ci95.unwrap(), test.p.unwrap());
            prop_assert!((p - 0.05).abs() < 1e-9 || (p < 0.05) == (low > 0.0 || high < 0.0));
            let mirrored = paired(&differences.iter().map(|d| -d).collect::<Vec<_>>()).unwrap();
            prop_assert!((mirrored.delta + test.delta).abs() < 1e-12);
            prop_assert!((mirrored.p.unwrap() - p).abs() < 1e-9);
        }
    }
}
