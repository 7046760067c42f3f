//! Two one-sided tests (Schuirmann 1987): "no difference that matters" as a finding, not as the lack of one.

use super::{
    mean,
    mean::moments,
    normal,
    power::{fewest, over_spread},
    student,
};

/// What paired differences say of a margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equivalence {
    /// How many pairs.
    pub pairs: usize,
    /// The margin: differences within ±margin do not matter.
    pub margin: f64,
    /// The larger of the two one-sided p values: of "the true difference is -margin or less" and of "+margin or more".
    pub p: f64,
    /// The 1 - 2α interval of the mean difference; it lies within ±margin exactly where p < α.
    pub interval: [f64; 2],
    /// Whether p ≤ α.
    pub equivalent: bool,
}

/// Tests whether the mean difference lies within ±`margin`; none below two pairs.
///
/// The margin is declared before anything trains; one chosen after looking makes anything equivalent. A difference
/// can be real and within the margin at once: then it exists and does not matter.
///
/// Over a family of comparisons this p goes through [`holm`](super::holm) as the p of the differences does, as a second
/// family: the chance of any false "they differ" stays below α, and so does that of any false "they are equivalent".
/// Where both together must stay below α, test each comparison at α/m: in one comparison at most one of the two claims
/// can be false, since a true difference is not both 0 and beyond the margin.
///
/// # Panics
///
/// The margin is not positive, or `alpha` is outside (0, 0.5).
pub fn equivalence(differences: &[f64], margin: f64, alpha: f64) -> Option<Equivalence> {
    assert!(margin > 0.0 && alpha > 0.0 && alpha < 0.5);
    if differences.len() < 2 {
        return None;
    }
    let m = mean(differences)?;
    let (pairs, freedom) = (m.count, (m.count - 1) as f64);
    let error = m.deviation / (pairs as f64).sqrt();
    let half = student::upper(alpha, freedom) * error;
    let interval = [m.mean - half, m.mean + half];
    let p = equivalence_p(differences, margin)?;
    Some(Equivalence { pairs, margin, p, interval, equivalent: p <= alpha })
}

/// Probability that [`equivalence`] at level `alpha` finds `pairs` differences of true mean `delta` and standard deviation
/// `deviation` within ±`margin`; exact for normal differences.
///
/// # Panics
///
/// Fewer than two pairs.
pub fn equivalence_power(deviation: f64, delta: f64, margin: f64, pairs: usize, alpha: f64) -> f64 {
    assert!(pairs >= 2);
    if deviation == 0.0 {
        return if delta.abs() < margin { 1.0 } else { 0.0 };
    }
    let (freedom, unit) = ((pairs - 1) as f64, (pairs as f64).sqrt() / deviation);
    let critical = student::upper(alpha, freedom);
    // The mean must lie closer to 0 than margin - critical·s; a sample with s beyond the reach cannot conclude.
    over_spread(freedom, margin * unit / critical, |s| {
        normal::below((margin - delta) * unit - critical * s) - normal::below((-margin - delta) * unit + critical * s)
    })
}

/// How many pairs it takes to find arms of true difference `delta` (mostly 0) equivalent with probability `wanted`; none
/// where [`MOST_PAIRS`](super::MOST_PAIRS) do not suffice, as beyond the margin.
pub fn pairs_for_equivalence(deviation: f64, delta: f64, margin: f64, alpha: f64, wanted: f64) -> Option<usize> {
    if !deviation.is_finite() || delta.is_nan() || delta.abs() >= margin {
        return None;
    }
    fewest(|pairs| equivalence_power(deviation, delta, margin, pairs, alpha) >= wanted)
}

/// The p of [`equivalence`] alone: that of the border which the mean difference is nearer to.
pub(super) fn equivalence_p(differences: &[f64], margin: f64) -> Option<f64> {
    let (pairs, delta, deviation) = moments(differences)?;
    if pairs < 2 {
        return None;
    }
    let (inside, error) = (margin - delta.abs(), deviation / (pairs as f64).sqrt());
    if error == 0.0 {
        return Some(if inside > 0.0 { 0.0 } else { 1.0 });
    }
    let tail = student::two_sided_p(inside / error, (pairs - 1) as f64) / 2.0;
    Some(if inside > 0.0 { tail } else { 1.0 - tail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use proptest::prelude::*;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn limits() {
        assert_eq!(equivalence(&[0.0], 1.0, 0.05), None);
        let same = equivalence(&[0.0; 3], 0.1, 0.05).unwrap();
        assert_eq!((same.p, same.interval, same.equivalent), (0.0, [0.0, 0.0], true));
        assert_eq!(equivalence(&[0.1; 3], 0.1, 0.05).unwrap().p, 1.0);
        // On the border the data say nothing of which side.
        assert_eq!(equivalence(&[0.0, 1.0, 2.0], 1.0, 0.05).unwrap().p, 0.5);
    }

    /// The chance of a finding is what simulation finds, and as many pairs as were said are the fewest.
    #[test]
    fn power_is_reached() {
        let mut noise = generator(4, Purpose::Sampling, "equivalence");
        for (delta, margin, pairs) in [(0.0, 2.0, 5), (0.5, 1.5, 8), (0.0, 0.5, 12)] {
            let trials = 10_000;
            let found = (0..trials)
                .filter(|_| {
                    let differences: Vec<f64> = (0..pairs)
                        .map(|_| {
                            delta + {
                                let z: f64 = StandardNormal.sample(&mut noise);
                                z
                            }
                        })
                        .collect();
                    equivalence(&differences, margin, 0.05).unwrap().equivalent
                })
                .count() as f64
                / trials as f64;
            let expected = equivalence_power(1.0, delta, margin, pairs, 0.05);
            let error = (expected * (1.0 - expected) / trials as f64).sqrt();
            assert!((found - expected).abs() < 3.5 * error, "{found} {expected}");
        }
        let pairs = pairs_for_equivalence(1.0, 0.1, 0.6, 0.05, 0.8).unwrap();
        assert!(equivalence_power(1.0, 0.1, 0.6, pairs, 0.05) >= 0.8 && equivalence_power(1.0, 0.1, 0.6, pairs - 1, 0.05) < 0.8);
        assert_eq!(pairs_for_equivalence(1.0, 0.6, 0.6, 0.05, 0.8), None);
        assert_eq!(pairs_for_equivalence(0.0, 0.0, 0.6, 0.05, 0.8), Some(2));
        // On the border it is the level, once there are pairs enough to conclude at all.
        assert!((equivalence_power(1.0, 1.0, 1.0, 60, 0.05) - 0.05).abs() < 1e-6);
    }

    proptest! {
        /// The interval decides as p does; the larger of two one-sided tests; a wider margin is easier; sign and unit do not matter.
        #[test]
        fn properties(differences in prop::collection::vec(-1.0..1.0f64, 2..9), margin in 0.01..2.0f64, alpha in 0.001..0.3f64, scale in 1e-3..1e3f64) {
            let test = equivalence(&differences, margin, alpha).unwrap();
            prop_assert!((0.0..=1.0).contains(&test.p));
            let within = -margin < test.interval[0] && test.interval[1] < margin;
            prop_assert!((test.p - alpha).abs() < 1e-9 || test.equivalent == within, "{test:?}");
            let t = |border: f64| { // One-sided test against a border, by the paired test of shifted differences.
                let shifted: Vec<f64> = differences.iter().map(|d| d - border).collect();
                let two = crate::stats::paired(&shifted).unwrap();
                if (two.delta < 0.0) == (border > 0.0) { two.p.unwrap() / 2.0 } else { 1.0 - two.p.unwrap() / 2.0 }
            };
            prop_assert!((test.p - t(margin).max(t(-margin))).abs() < 1e-9);
            prop_assert!(equivalence(&differences, margin * 1.5, alpha).unwrap().p <= test.p + 1e-12);
            let moved: Vec<f64> = differences.iter().map(|d| -scale * d).collect();
            prop_assert!((equivalence(&moved, scale * margin, alpha).unwrap().p - test.p).abs() < 1e-9);
        }
    }
}
