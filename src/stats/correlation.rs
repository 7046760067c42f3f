//! Pearson's correlation: how much of the noise of two arms is the seed's, and cancels when seeds are paired.

use super::mean;

/// Pearson's r of the values of two arms over their pairs.
///
/// Pairing pays when it is positive: the variance of a difference is (1 - r) times that of unpaired runs, where both
/// arms spread alike. None below three pairs, where r is ±1 whatever the values, and where an arm has no spread.
///
/// # Panics
///
/// The slices differ in length.
pub fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    assert_eq!(one.len(), other.len());
    if one.len() < 3 {
        return None;
    }
    let (a, b) = (mean(one)?, mean(other)?);
    if a.deviation == 0.0 || b.deviation == 0.0 {
        return None;
    }
    let products: f64 = one.iter().zip(other).map(|(x, y)| (x - a.mean) / a.deviation * ((y - b.mean) / b.deviation)).sum();
    Some((products / (one.len() - 1) as f64).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits() {
        assert_eq!(correlation(&[1.0, 2.0], &[3.0, 4.0]), None);
        assert_eq!(correlation(&[1.0, 1.0, 1.0], &[3.0, 4.0, 5.0]), None);
        assert!((correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap() + 1.0).abs() < 1e-15);
        assert!(correlation(&[1.0, 2.0, 3.0], &[1.0, 0.0, 1.0]).unwrap().abs() < 1e-15);
    }

    proptest! {
        /// Symmetric, and blind to units; r squared is the share of variance that a line explains.
        #[test]
        fn properties(pairs in prop::collection::vec((-1.0..1.0f64, -1.0..1.0f64), 3..12), scale in 0.1..10.0f64, shift in -5.0..5.0f64) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let r = correlation(&x, &y).unwrap();
            prop_assert!((correlation(&y, &x).unwrap() - r).abs() < 1e-12);
            let moved: Vec<f64> = x.iter().map(|v| shift - scale * v).collect();
            prop_assert!((correlation(&moved, &y).unwrap() + r).abs() < 1e-9);
            let (a, b) = (mean(&x).unwrap(), mean(&y).unwrap());
            let slope = r * b.deviation / a.deviation;
            let left: f64 = x.iter().zip(&y).map(|(x, y)| (y - b.mean - slope * (x - a.mean)).powi(2)).sum();
            let all: f64 = y.iter().map(|y| (y - b.mean).powi(2)).sum();
            prop_assert!((left / all - (1.0 - r * r)).abs() < 1e-9);
        }
    }
}
