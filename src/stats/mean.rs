//! A mean and how well few numbers know it.

use super::student;

/// A sample by its mean and its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// How many numbers.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n - 1; 0 for a single number.
    pub deviation: f64,
    /// 95 % interval of the mean by Student's t; none for a single number.
    pub ci95: Option<[f64; 2]>,
}

/// Mean, spread and 95 % interval; none without numbers.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let (count, mean, deviation) = moments(values)?;
    if count == 1 {
        return Some(Mean { count, mean, deviation, ci95: None });
    }
    let half = student::critical(0.95, (count - 1) as f64) * deviation / (count as f64).sqrt();
    Some(Mean { count, mean, deviation, ci95: Some([mean - half, mean + half]) })
}

/// How many numbers, their mean and their standard deviation with n - 1, 0 for a single one; none without numbers.
pub(super) fn moments(values: &[f64]) -> Option<(usize, f64, f64)> {
    let count = values.len();
    let first = *values.first()?;
    // Around the first value: equal numbers give exactly their value, and exactly no spread.
    let shift = values.iter().map(|v| v - first).sum::<f64>() / count as f64;
    if count == 1 {
        return Some((count, first, 0.0));
    }
    let deviation = (values.iter().map(|v| (v - first - shift).powi(2)).sum::<f64>() / (count - 1) as f64).sqrt();
    Some((count, first + shift, deviation))
}

/// The middle value, or the mean of the middle two; none without numbers.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use rand_distr::{Distribution, StandardNormal};

    /// Moore & McCabe, "Introduction to the Practice of Statistics": vitamin C in eight samples of corn soy blend.
    #[test]
    fn textbook_interval() {
        let m = mean(&[26.0, 31.0, 23.0, 22.0, 11.0, 22.0, 14.0, 31.0]).unwrap();
        assert_eq!((m.count, m.mean), (8, 22.5));
        assert!((m.deviation - 7.191).abs() < 5e-4, "{m:?}");
        let [low, high] = m.ci95.unwrap();
        assert!((low - 16.49).abs() < 0.01 && (high - 28.51).abs() < 0.01, "{m:?}");
    }

    #[test]
    fn few_and_equal_numbers() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[0.1]), Some(Mean { count: 1, mean: 0.1, deviation: 0.0, ci95: None }));
        assert_eq!(mean(&[0.1; 7]), Some(Mean { count: 7, mean: 0.1, deviation: 0.0, ci95: Some([0.1, 0.1]) }));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    /// Of 4,000 intervals from three numbers each, 95 % hold the true mean, within 3.5 binomial standard errors.
    #[test]
    fn interval_covers() {
        let mut noise = generator(1, Purpose::Sampling, "coverage");
        let trials = 4000;
        let mut held = 0;
        for _ in 0..trials {
            let values: [f64; 3] = std::array::from_fn(|_| {
                let z: f64 = StandardNormal.sample(&mut noise);
                3.0 + 0.2 * z
            });
            let [low, high] = mean(&values).unwrap().ci95.unwrap();
            held += usize::from(low <= 3.0 && 3.0 <= high);
        }
        let coverage = held as f64 / trials as f64;
        assert!((coverage - 0.95).abs() < 3.5 * (0.95 * 0.05 / trials as f64).sqrt(), "{coverage}");
    }
}
