//! Welch's t test (Welch 1947): two arms as independent samples of unequal spread, as if seeds were not paired.

use super::{mean, student};

/// What two independent samples say of the difference of their means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// How many values the arm and the reference have.
    pub counts: [usize; 2],
    /// Mean of the arm less mean of the reference.
    pub delta: f64,
    /// Degrees of freedom by Satterthwaite's rule; none where neither sample has a spread.
    pub freedom: Option<f64>,
    /// 95 % interval of the difference.
    pub ci95: [f64; 2],
    /// Two-sided p of "the means are equal".
    pub p: f64,
}

/// Welch's test of `arm` against `reference`; none unless both have two values.
///
/// Beside the paired test, never in its place: it uses every finished run, those without a partner included, and where
/// it is much the surer of the two, seeds were paired for nothing. Samples without any spread follow the limit, as in
/// [`paired`](super::paired).
pub fn welch(arm: &[f64], reference: &[f64]) -> Option<Welch> {
    if arm.len() < 2 || reference.len() < 2 {
        return None;
    }
    let (a, b) = (mean(arm)?, mean(reference)?);
    let counts = [a.count, b.count];
    let delta = a.mean - b.mean;
    if a.deviation == 0.0 && b.deviation == 0.0 {
        return Some(Welch { counts, delta, freedom: None, ci95: [delta; 2], p: if delta == 0.0 { 1.0 } else { 0.0 } });
    }
    // Spreads in units of the larger: squares of tiny ones do not vanish.
    let unit = a.deviation.max(b.deviation);
    let [u, v] = [(a.deviation / unit).powi(2) / a.count as f64, (b.deviation / unit).powi(2) / b.count as f64];
    let freedom = (u + v).powi(2) / (u * u / (a.count - 1) as f64 + v * v / (b.count - 1) as f64);
    let error = unit * (u + v).sqrt();
    let half = student::critical(0.95, freedom) * error;
    Some(Welch {
        counts,
        delta,
        freedom: Some(freedom),
        ci95: [delta - half, delta + half],
        p: student::two_sided_p(delta / error, freedom),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sleep data as two samples: t = 1.8608, df = 17.776, p = 0.07939, interval -0.2054832 to 3.3654832 (R's `t.test`).
    #[test]
    fn sleep_data() {
        let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let test = welch(&two, &one).unwrap();
        assert!((test.freedom.unwrap() - 17.776).abs() < 5e-4 && (test.p - 0.07939).abs() < 5e-6, "{test:?}");
        assert!((test.ci95[0] + 0.2054832).abs() < 5e-8 && (test.ci95[1] - 3.3654832).abs() < 5e-8, "{test:?}");
    }

    #[test]
    fn limits() {
        assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
        let same = welch(&[1.0, 1.0], &[1.0, 1.0, 1.0]).unwrap();
        assert_eq!((same.delta, same.freedom, same.ci95, same.p), (0.0, None, [0.0, 0.0], 1.0));
        assert_eq!(welch(&[2.0, 2.0], &[1.0, 1.0]).unwrap().p, 0.0);
        // One arm without spread: all degrees of freedom are the other's.
        assert_eq!(welch(&[1.0, 1.0, 1.0], &[1.0, 2.0, 4.0]).unwrap().freedom, Some(2.0));
    }

    proptest! {
        #[test]
        fn properties(a in prop::collection::vec(-1.0..1.0f64, 2..9), b in prop::collection::vec(-1.0..1.0f64, 2..9), shift in -9.0..9.0f64, scale in 1e-3..1e3f64) {
            let test = welch(&a, &b).unwrap();
            let freedom = test.freedom.unwrap();
            prop_assert!((0.0..=1.0).contains(&test.p));
            let least = (a.len().min(b.len()) - 1) as f64;
            prop_assert!(freedom > least - 1e-9 && freedom < (a.len() + b.len() - 2) as f64 + 1e-9);
            prop_assert!((test.p - 0.05).abs() < 1e-9 || (test.p < 0.05) == (test.ci95[0] > 0.0 || test.ci95[1] < 0.0));
            let mirrored = welch(&b, &a).unwrap();
            prop_assert!((mirrored.delta + test.delta).abs() < 1e-12 && (mirrored.p - test.p).abs() < 1e-12);
            let map = |values: &[f64]| values.iter().map(|v| shift + scale * v).collect::<Vec<_>>();
            let moved = welch(&map(&a), &map(&b)).unwrap();
            prop_assert!((moved.delta - scale * test.delta).abs() < 1e-9 * scale.max(1.0));
            prop_assert!((moved.p - test.p).abs() < 1e-6);
        }
    }
}
