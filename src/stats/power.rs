//! Power of the paired t test: what a number of pairs could have seen.

use super::student;
use statrs::function::{erf::erfc, gamma::ln_gamma};

/// The power that [`detectable`] asks for.
pub const POWER: f64 = 0.8;

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
    let (mut low, mut high) = (0.0, student::critical(1.0 - alpha, freedom) * 4.0 + 4.0);
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
    let critical = student::critical(1.0 - alpha, freedom);
    // T' = (Z + δ)/S with S = √(χ²/df): integrate P(|Z + δ| > critical·s) over the density of S, by Simpson's rule.
    let log_constant = std::f64::consts::LN_2 + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let density = |s: f64| {
        if s == 0.0 {
            return if freedom == 1.0 { log_constant.exp() } else { 0.0 };
        }
        (log_constant + (freedom - 1.0) * s.ln() - freedom * s * s / 2.0).exp()
    };
    let integrand = |s: f64| (normal(noncentrality - critical * s) + normal(-noncentrality - critical * s)) * density(s);
    let intervals = 2000;
    // Beyond nine standard deviations of S, or of Z, nothing is left.
    let top = (1.0 + 9.0 / freedom.sqrt()).min((noncentrality.abs() + 9.0) / critical);
    let width = top / intervals as f64;
    let sum: f64 = (0..=intervals)
        .map(|i| {
            let weight = if i == 0 || i == intervals { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
            weight * integrand(width * i as f64)
        })
        .sum();
    sum * width / 3.0
}

/// Distribution function of the standard normal.
fn normal(x: f64) -> f64 {
    erfc(-x / std::f64::consts::SQRT_2) / 2.0
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
