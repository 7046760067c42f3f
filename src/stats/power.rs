//! Power of the paired t test: what a number of pairs could have seen.

use super::{normal, student};
use statrs::function::gamma::ln_gamma;

/// The power that [`detectable`] asks for.
pub const POWER: f64 = 0.8;
/// The most pairs that any answer speaks of.
pub const MOST_PAIRS: usize = 10_000;

/// The smallest true difference that a two-sided paired t test at level `alpha` finds with probability [`POWER`].
///
/// `deviation` is the standard deviation of the differences, in practice the sample's own. Exact for normal
/// differences, by the noncentral t distribution; the usual (t₁₋α⁄₂ + t₀.₈)·s/√n is 14 % too small for two pairs. None
/// below two pairs.
pub fn detectable(deviation: f64, pairs: usize, alpha: f64) -> Option<f64> {
    if pairs < 2 {
        return None;
    }
    let freedom = (pairs - 1) as f64;
    // Bracket: power rises from alpha with the noncentrality, and one far above the critical value is near 1.
    let (mut low, mut high) = (0.0, student::upper(alpha / 2.0, freedom) * 4.0 + 4.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if power(middle, pairs, alpha) < POWER { low = middle } else { high = middle }
    }
    Some(high * deviation / (pairs as f64).sqrt())
}

/// Probability that the paired t test at level `alpha` rejects, when the true mean is `noncentrality` standard errors
/// from 0: P(|T'| > t₁₋α⁄₂) of the noncentral t distribution.
///
/// # Panics
///
/// Fewer than two pairs.
pub fn power(noncentrality: f64, pairs: usize, alpha: f64) -> f64 {
    assert!(pairs >= 2);
    let freedom = (pairs - 1) as f64;
    let critical = student::upper(alpha / 2.0, freedom);
    // T' = (Z + δ)/S with S = √(χ²/df): P(|Z + δ| > critical·s), over all s. Beyond nine deviations of Z nothing is left.
    let reach = (noncentrality.abs() + 9.0) / critical;
    over_spread(freedom, reach, |s| normal::below(noncentrality - critical * s) + normal::below(-noncentrality - critical * s))
}

/// How many pairs the two-sided paired t test at level `alpha` needs to find a true difference `delta` with probability
/// `wanted`, differences having the standard deviation `deviation`: how many seeds would settle it.
///
/// At most [`MOST_PAIRS`]; none where those do not suffice, as where `delta` is 0. Fed with the difference and spread of
/// few seeds it is a guess, and an optimistic one where the difference was looked at because it is large.
pub fn pairs_needed(deviation: f64, delta: f64, alpha: f64, wanted: f64) -> Option<usize> {
    if delta == 0.0 || deviation.is_nan() || delta.is_nan() {
        return None;
    }
    fewest(|pairs| deviation == 0.0 || power(delta.abs() / deviation * (pairs as f64).sqrt(), pairs, alpha) >= wanted)
}

/// The fewest pairs, from two to [`MOST_PAIRS`], that are `enough`: a property that more pairs do not lose.
pub(super) fn fewest(enough: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (1, 2);
    while !enough(high) {
        if high == MOST_PAIRS {
            return None;
        }
        (low, high) = (high, (2 * high).min(MOST_PAIRS));
    }
    while high - low > 1 {
        let middle = (low + high) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// ∫ `integrand`(s) f(s) ds up to `reach`, f being the density of S = √(χ²/`freedom`), the sample's standard deviation
/// in units of the true one; by Simpson's rule.
pub(super) fn over_spread(freedom: f64, reach: f64, integrand: impl Fn(f64) -> f64) -> f64 {
    let log_constant = std::f64::consts::LN_2 + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let density = |s: f64| {
        if s == 0.0 {
            return if freedom == 1.0 { log_constant.exp() } else { 0.0 };
        }
        (log_constant + (freedom - 1.0) * s.ln() - freedom * s * s / 2.0).exp()
    };
    // S has a standard deviation near √(1/2df): twelve of them hold all of it.
    let (low, high) = ((1.0 - 9.0 / freedom.sqrt()).max(0.0), (1.0 + 9.0 / freedom.sqrt()).min(reach));
    if high <= low {
        return 0.0;
    }
    let intervals = 2000;
    let width = (high - low) / intervals as f64;
    let sum: f64 = (0..=intervals)
        .map(|i| {
            let weight = if i == 0 || i == intervals { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
            let s = low + width * i as f64;
            weight * integrand(s) * density(s)
        })
        .sum();
    sum * width / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::{Purpose, generator},
        stats::paired,
    };
    use rand_distr::{Distribution, StandardNormal};

    /// Noncentralities by mpmath: adaptive quadrature of the same integral, bisection.
    #[test]
    fn agrees_with_high_precision() {
        let table = [
            (1, 0.05, 16.3340089),
            (2, 0.05, 5.65348927),
            (4, 0.05, 3.76105955),
            (9, 0.05, 3.14963289),
            (29, 0.05, 2.89874285),
            (4, 0.005, 7.05557403),
        ];
        for (freedom, alpha, expected) in table {
            let pairs = freedom + 1;
            let value = detectable(1.0, pairs, alpha).unwrap() * (pairs as f64).sqrt();
            assert!((value / expected - 1.0).abs() < 1e-6, "{freedom}: {value} is not {expected}");
        }
        assert_eq!(detectable(1.0, 1, 0.05), None);
        assert_eq!(detectable(0.0, 5, 0.05), Some(0.0));
    }

    /// Without an effect the test rejects at its level.
    #[test]
    fn power_of_nothing_is_alpha() {
        for pairs in [2, 3, 5, 30] {
            for alpha in [0.05, 0.005] {
                assert!((power(0.0, pairs, alpha) - alpha).abs() < 1e-7, "{pairs} {alpha}");
            }
        }
    }

    /// As many pairs as were said are enough, one fewer is not; a detectable effect needs the pairs it was detectable for.
    #[test]
    fn needed_pairs_are_the_fewest() {
        for (delta, alpha, wanted) in [(5.0, 0.05, 0.8), (1.0, 0.05, 0.8), (0.3, 0.005, 0.9), (0.05, 0.05, 0.8)] {
            let pairs = pairs_needed(1.0, -delta, alpha, wanted).unwrap();
            assert!(power(delta * (pairs as f64).sqrt(), pairs, alpha) >= wanted);
            assert!(pairs == 2 || power(delta * (pairs as f64 - 1.0).sqrt(), pairs - 1, alpha) < wanted, "{pairs}");
        }
        for pairs in [2, 3, 5, 17] {
            assert_eq!(pairs_needed(0.2, detectable(0.2, pairs, 0.05).unwrap() * (1.0 + 1e-9), 0.05, POWER), Some(pairs));
        }
        // R: power.t.test(delta = 0.5, sd = 1, power = 0.8, type = "paired") asks for 33.37 pairs.
        assert_eq!(pairs_needed(1.0, 0.5, 0.05, 0.8), Some(34));
        assert_eq!(pairs_needed(1.0, 0.0, 0.05, 0.8), None);
        assert_eq!(pairs_needed(1.0, 1e-4, 0.05, 0.8), None);
        assert_eq!(pairs_needed(0.0, 0.1, 0.05, 0.8), Some(2));
    }

    /// An effect of the detectable size is detected in 80 % of simulated experiments.
    #[test]
    fn simulation() {
        let effect = detectable(1.0, 5, 0.05).unwrap();
        let mut noise = generator(3, Purpose::Sampling, "power");
        let trials = 4000;
        let found = (0..trials)
            .filter(|_| {
                let differences: [f64; 5] = std::array::from_fn(|_| {
                    let z: f64 = StandardNormal.sample(&mut noise);
                    effect + z
                });
                paired(&differences).unwrap().p.unwrap() < 0.05
            })
            .count();
        let error = (POWER * (1.0 - POWER) / trials as f64).sqrt();
        assert!((found as f64 / trials as f64 - POWER).abs() < 3.5 * error, "{found} of {trials}");
    }
}
