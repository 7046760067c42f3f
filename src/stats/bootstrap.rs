//! The bootstrap over items (Efron 1979): how well a set of documents or questions knows the difference of two models.

use super::normal;
use crate::random::{Purpose, generator};
use rand::Rng;

/// Below this many items there is no interval: few items resampled repeat themselves, and the interval is too short.
pub const FEWEST_ITEMS: usize = 20;
/// How many resamples.
const DRAWS: usize = 5_000;

/// A ratio of sums over items, and how well the items know it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Items {
    /// How many items.
    pub items: usize,
    /// Σ amounts / Σ sizes over all items.
    pub estimate: f64,
    /// Standard deviation of the estimate over resamples.
    pub error: f64,
    /// 95 % interval, bias-corrected and accelerated (Efron 1987).
    pub ci95: [f64; 2],
}

/// The ratio Σ `amounts` / Σ `sizes` with its interval over items drawn again; none below [`FEWEST_ITEMS`].
///
/// For two models on the same documents, an amount is the difference of their nats on one document and a size its
/// bytes: both models are drawn together, so what is hard for both cancels. For a plain mean all sizes are 1. The
/// interval speaks of other items from the same source under *these two trained models*; it says nothing about other
/// seeds, which is what verdicts are about. The draws are the same at every call.
///
/// # Panics
///
/// The slices differ in length, or a size is not positive.
pub fn bootstrap(amounts: &[f64], sizes: &[f64]) -> Option<Items> {
    assert_eq!(amounts.len(), sizes.len());
    assert!(sizes.iter().all(|size| *size > 0.0));
    let items = amounts.len();
    if items < FEWEST_ITEMS {
        return None;
    }
    let (amount, size): (f64, f64) = (amounts.iter().sum(), sizes.iter().sum());
    let estimate = amount / size;
    // An item's pull on the ratio; without any, resamples differ by rounding alone.
    let residuals = || amounts.iter().zip(sizes).map(|(a, s)| a - estimate * s);
    let scale = amounts.iter().fold(0.0, |largest: f64, a| largest.max(a.abs()));
    if residuals().all(|residual| residual.abs() <= 1e-12 * scale) {
        return Some(Items { items, estimate, error: 0.0, ci95: [estimate; 2] });
    }
    let mut noise = generator(0, Purpose::Resampling, "bootstrap");
    let mut draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let (mut amount, mut size) = (0.0, 0.0);
            for _ in 0..items {
                let item = ((noise.next_u32() as u64 * items as u64) >> 32) as usize;
                amount += amounts[item];
                size += sizes[item];
            }
            amount / size
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    let error = super::mean(&draws)?.deviation;
    let left_out: Vec<f64> = amounts.iter().zip(sizes).map(|(a, s)| (amount - a) / (size - s)).collect();
    let [low, high] = corrected(&draws, estimate, &left_out).map(|share| at(&draws, share));
    Some(Items { items, estimate, error, ci95: [low, high] })
}

/// The shares of the sorted resamples between which the corrected 95 % interval lies.
fn corrected(draws: &[f64], estimate: f64, left_out: &[f64]) -> [f64; 2] {
    let count = draws.len() as f64;
    let (below, above) = (draws.partition_point(|d| *d < estimate), draws.partition_point(|d| *d <= estimate));
    let bias = -normal::upper(((below + above) as f64 / 2.0).clamp(0.5, count - 0.5) / count);
    let center = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let moment = |power| left_out.iter().map(|value| (center - value).powi(power)).sum::<f64>();
    let acceleration = moment(3) / (6.0 * moment(2).powf(1.5));
    [0.025, 0.975].map(|share| {
        let z = bias - normal::upper(share);
        normal::below(bias + z / (1.0 - acceleration * z))
    })
}

/// The value below which a share of the sorted numbers lies, between neighbours by a line.
fn at(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (index, rest) = (place as usize, place.fract());
    sorted[index] + rest * (sorted[(index + 1).min(sorted.len() - 1)] - sorted[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Exp1, StandardNormal};

    #[test]
    fn limits() {
        assert_eq!(bootstrap(&[1.0; 19], &[1.0; 19]), None);
        let same = bootstrap(&[0.3; 20], &[0.1; 20]).unwrap();
        assert!((same.estimate - 3.0).abs() < 1e-12 && same.error == 0.0 && same.ci95 == [same.estimate; 2]);
    }

    /// A shift of every item's ratio, a unit, a swap of the models: the interval follows.
    #[test]
    fn follows_shift_unit_and_swap() {
        let mut noise = generator(1, Purpose::Sampling, "items");
        let sizes: Vec<f64> = (0..60)
            .map(|_| {
                100.0
                    * (1.0 + {
                        let e: f64 = Exp1.sample(&mut noise);
                        e
                    })
            })
            .collect();
        let amounts: Vec<f64> = sizes
            .iter()
            .map(|size| {
                size * {
                    let z: f64 = StandardNormal.sample(&mut noise);
                    0.1 + z
                }
            })
            .collect();
        let first = bootstrap(&amounts, &sizes).unwrap();
        let moved: Vec<f64> = amounts.iter().zip(&sizes).map(|(a, s)| 3.0 * s - 2.0 * a).collect();
        let second = bootstrap(&moved, &sizes).unwrap();
        assert!((second.estimate - (3.0 - 2.0 * first.estimate)).abs() < 1e-12);
        for (a, b) in first.ci95.into_iter().zip(second.ci95.into_iter().rev()) {
            assert!((b - (3.0 - 2.0 * a)).abs() < 1e-9, "{first:?} {second:?}");
        }
        assert!(first.ci95[0] < first.estimate && first.estimate < first.ci95[1]);
    }

    /// Of 600 intervals from 80 skewed documents of unequal size, 95 % hold the truth, within three standard errors
    /// and the two points that skewed samples of this size cost any bootstrap.
    #[test]
    fn interval_covers() {
        let trials = 600;
        let mut noise = generator(2, Purpose::Sampling, "coverage of items");
        let held = (0..trials)
            .filter(|_| {
                let (mut amounts, mut sizes) = (Vec::new(), Vec::new());
                for _ in 0..80 {
                    let (size, skewed): (f64, f64) = (Exp1.sample(&mut noise), Exp1.sample(&mut noise));
                    sizes.push(1.0 + size);
                    amounts.push((1.0 + size) * (skewed - 1.0));
                }
                let [low, high] = bootstrap(&amounts, &sizes).unwrap().ci95;
                low <= 0.0 && 0.0 <= high
            })
            .count();
        let coverage = held as f64 / trials as f64;
        assert!((coverage - 0.95).abs() < 0.02 + 3.0 * (0.95 * 0.05 / trials as f64).sqrt(), "{coverage}");
    }
}
