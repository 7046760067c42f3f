//! Whether a difference between two arms shrinks or grows with the size of the model.

use super::{Paired, contrasts, paired};

/// What becomes of a difference as models grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It gets smaller.
    Shrinks,
    /// It gets larger.
    Grows,
    /// The line through it changes its sign within the sizes: the better arm at one end is the worse at the other.
    Reverses,
    /// These seeds cannot tell.
    Undecided,
}

/// A difference over sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The change of the difference per tenfold size: its mean over seeds, interval and p.
    pub slope: Paired,
    /// The difference at the smallest and at the largest size, on the line through all.
    pub ends: [f64; 2],
    /// The reading.
    pub direction: Direction,
}

/// The slope of a difference against the logarithm of size; `differences` are indexed by seed, then by size.
///
/// Each seed has a slope of its own, and these are tested against 0 as pairs are: exact whatever sizes of one seed have
/// in common, and however noise changes with size. A line through all points at once would take each point for a
/// witness of its own. Seeds without a value at every size are left out. The direction is undecided where p > `alpha`;
/// which of the others it is follows from the line's ends. None without seeds and without two sizes.
///
/// # Panics
///
/// A seed's row differs in length from `sizes`.
pub fn trend(sizes: &[f64], differences: &[Vec<Option<f64>>], alpha: f64) -> Option<Trend> {
    let x: Vec<f64> = sizes.iter().map(|size| size.log10()).collect();
    let count = x.len() as f64;
    let center = x.iter().sum::<f64>() / count;
    let spread: f64 = x.iter().map(|x| (x - center).powi(2)).sum();
    // Also where a size is not positive, and its logarithm no number.
    if !(spread > 0.0 && spread.is_finite()) {
        return None;
    }
    let complete: Vec<Vec<Option<f64>>> = differences.iter().filter(|row| row.iter().all(Option::is_some)).cloned().collect();
    let slope = paired(&contrasts(&complete, &x.iter().map(|x| (x - center) / spread).collect::<Vec<_>>()))?;
    let level = paired(&contrasts(&complete, &vec![1.0 / count; x.len()]))?.delta;
    let (low, high) = (x.iter().copied().fold(f64::INFINITY, f64::min), x.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    let ends = [low, high].map(|x| level + slope.delta * (x - center));
    let direction = match slope.p {
        Some(p) if p <= alpha => match ends {
            [first, last] if first * last < 0.0 => Direction::Reverses,
            [first, last] if last.abs() < first.abs() => Direction::Shrinks,
            _ => Direction::Grows,
        },
        _ => Direction::Undecided,
    };
    Some(Trend { slope, ends, direction })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use rand_distr::{Distribution, StandardNormal};

    const SIZES: [f64; 3] = [1e6, 1e7, 1e8];

    fn rows(values: &[[f64; 3]]) -> Vec<Vec<Option<f64>>> {
        values.iter().map(|row| row.iter().copied().map(Some).collect()).collect()
    }

    #[test]
    fn directions() {
        let wobble = [[0.01, 0.0, -0.01], [-0.01, 0.01, 0.0], [0.0, -0.01, 0.01]];
        let read = |line: [f64; 3]| {
            let values = wobble.map(|noise| [line[0] + noise[0], line[1] + noise[1], line[2] + noise[2]]);
            trend(&SIZES, &rows(&values), 0.05).unwrap()
        };
        assert_eq!(read([-0.9, -0.6, -0.3]).direction, Direction::Shrinks);
        assert_eq!(read([0.3, 0.6, 0.9]).direction, Direction::Grows);
        assert_eq!(read([0.3, 0.0, -0.3]).direction, Direction::Reverses);
        assert_eq!(read([0.3, 0.3, 0.3]).direction, Direction::Undecided);
        let trend = read([-0.9, -0.6, -0.3]);
        assert!((trend.slope.delta - 0.3).abs() < 1e-12 && (trend.ends[0] + 0.9).abs() < 1e-12 && (trend.ends[1] + 0.3).abs() < 1e-12);
    }

    #[test]
    fn limits() {
        assert_eq!(trend(&SIZES, &[vec![Some(1.0), None, Some(2.0)]], 0.05), None);
        assert_eq!(trend(&[1e6], &[vec![Some(1.0)]], 0.05), None);
        assert_eq!(trend(&[0.0, 1e6, 1e7], &rows(&[[1.0, 2.0, 3.0]]), 0.05), None);
        let one = trend(&SIZES, &rows(&[[1.0, 2.0, 3.0]]), 0.05).unwrap();
        assert_eq!((one.slope.pairs, one.slope.p, one.direction), (1, None, Direction::Undecided));
    }

    /// Where sizes of one seed share noise and large models are noisier, a trend that is not there is found 5 % of the time.
    #[test]
    fn level_holds() {
        let mut noise = generator(7, Purpose::Sampling, "trend");
        let mut draw = || -> f64 { StandardNormal.sample(&mut noise) };
        let trials = 4000;
        let found = (0..trials)
            .filter(|_| {
                let values: Vec<[f64; 3]> = (0..4)
                    .map(|_| {
                        let shared = draw();
                        [1.0, 2.0, 4.0].map(|spread| 0.5 + spread * (shared + draw()))
                    })
                    .collect();
                trend(&SIZES, &rows(&values), 0.05).unwrap().direction != Direction::Undecided
            })
            .count();
        assert!((found as f64 / trials as f64 - 0.05).abs() < 3.5 * (0.05 * 0.95 / trials as f64).sqrt(), "{found} of {trials}");
    }
}
