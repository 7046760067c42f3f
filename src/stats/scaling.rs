//! Losses over model sizes: L(N) = E + A/N^α (Kaplan 2020; Hoffmann 2022), fitted per arm.

use super::{Mean, Refusal, mean};

/// With this many sizes the floor E is fitted; with one fewer it is 0 and the law a line in logarithms.
pub const FLOOR_SIZES: usize = 4;
/// Exponents are looked for in this range; published ones lie between 0.05 and 0.6.
const EXPONENTS: [f64; 2] = [0.01, 3.0];
/// How many exponents are tried before the best is refined.
const TRIED: usize = 200;

/// A law of loss over size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Law {
    /// E, the loss of a model without end; none where the sizes are too few to tell it from 0.
    pub floor: Option<f64>,
    /// A, what size can take away, in the unit of the loss times size to the α.
    pub scale: f64,
    /// α.
    pub exponent: f64,
}

impl Law {
    /// The law's loss at a size.
    pub fn at(&self, size: f64) -> f64 {
        self.floor.unwrap_or(0.0) + self.scale * size.powf(-self.exponent)
    }
}

/// An arm's law and how well its seeds know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// The law of the mean losses.
    pub law: Law,
    /// How many sizes.
    pub sizes: usize,
    /// How many seeds finished at every size.
    pub seeds: usize,
    /// The largest distance of a mean loss from the law, relative to the loss: above the noise, the law is not one.
    pub residual: f64,
    /// 95 % interval of the floor; none without a floor and for one seed.
    pub floor_ci95: Option<[f64; 2]>,
    /// 95 % interval of the exponent; none for one seed.
    pub exponent_ci95: Option<[f64; 2]>,
    left_out: Option<Vec<Law>>,
}

impl Scaling {
    /// The law at a size with its 95 % interval, for the band of a plot. Beyond the sizes that ran it says what the law
    /// would give if it held there.
    pub fn at(&self, size: f64) -> (f64, Option<[f64; 2]>) {
        let center = self.law.at(size);
        let interval = self.interval(center.ln(), |law| law.at(size).ln()).map(|ci95| ci95.map(f64::exp));
        (center, interval)
    }

    /// Student's interval of the jackknife's pseudo-values (Tukey 1958).
    fn interval(&self, of_all: f64, of: impl Fn(&Law) -> f64) -> Option<[f64; 2]> {
        let seeds = self.seeds as f64;
        let pseudo: Vec<f64> = self.left_out.as_ref()?.iter().map(|law| seeds * of_all - (seeds - 1.0) * of(law)).collect();
        let Mean { mean, ci95, .. } = mean(&pseudo)?;
        let half = ci95?[1] - mean;
        // Around the fit itself rather than the bias-corrected mean: what is plotted lies in its interval.
        Some([of_all - half, of_all + half])
    }
}

/// Fits `losses`, indexed by seed, then by size; seeds that did not finish at every size are left out.
///
/// Least squares of relative residuals: for each exponent the best E ≥ 0 and A are a linear problem, so one number is
/// searched for and no start matters. Hoffmann et al. guard against single bad runs by Huber's loss; here means over
/// seeds are fitted and diverged runs are no losses.
///
/// Intervals leave out one seed at a time and refit (the jackknife), with Student's t for as few as there are. Seeds
/// drawn again with replacement would be the bootstrap, whose intervals from five seeds hold the truth four times in
/// five rather than nineteen in twenty. They take the law as true: other sizes may know better.
///
/// # Errors
///
/// Fewer than three sizes, no seed with all of them, a size or loss that is not positive, or losses that do not fall
/// like a power of size.
///
/// # Panics
///
/// A seed's row differs in length from `sizes`.
pub fn scaling(sizes: &[f64], losses: &[Vec<Option<f64>>]) -> Result<Scaling, Refusal> {
    let mut distinct = sizes.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    if distinct.len() < FLOOR_SIZES - 1 {
        return Err(Refusal::Sizes { needed: FLOOR_SIZES - 1, found: distinct.len() });
    }
    let complete: Vec<Vec<f64>> = losses
        .iter()
        .filter_map(|row| {
            assert_eq!(row.len(), sizes.len());
            row.iter().copied().collect()
        })
        .collect();
    let seeds = complete.len();
    if seeds == 0 {
        return Err(Refusal::Seeds { needed: 1, found: 0 });
    }
    if !sizes.iter().chain(complete.iter().flatten()).all(|value| value.is_finite() && *value > 0.0) {
        return Err(Refusal::NotPositive);
    }
    let fit = |without: Option<usize>| {
        let rows: Vec<&Vec<f64>> = complete.iter().enumerate().filter(|(i, _)| Some(*i) != without).map(|(_, row)| row).collect();
        let means: Vec<f64> = (0..sizes.len()).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64).collect();
        let law = if distinct.len() < FLOOR_SIZES { line(sizes, &means) } else { with_floor(sizes, &means) }?;
        let residual = sizes.iter().zip(&means).map(|(size, loss)| (law.at(*size) / loss - 1.0).abs()).fold(0.0, f64::max);
        Ok((law, residual))
    };
    let (law, residual) = fit(None)?;
    let left_out = (seeds > 1).then(|| (0..seeds).map(|i| Ok(fit(Some(i))?.0)).collect::<Result<Vec<_>, Refusal>>().ok()).flatten();
    let mut scaling = Scaling { law, sizes: distinct.len(), seeds, residual, floor_ci95: None, exponent_ci95: None, left_out };
    scaling.exponent_ci95 = scaling.interval(law.exponent.ln(), |law| law.exponent.ln()).map(|ci95| ci95.map(f64::exp));
    scaling.floor_ci95 = law.floor.and_then(|floor| {
        let [low, high] = scaling.interval(floor, |law| law.floor.unwrap_or(0.0))?;
        Some([low.max(0.0), high])
    });
    Ok(scaling)
}

/// A line through logarithms: no floor.
fn line(sizes: &[f64], losses: &[f64]) -> Result<Law, Refusal> {
    let (x, y): (Vec<f64>, Vec<f64>) = sizes.iter().zip(losses).map(|(size, loss)| (size.ln(), loss.ln())).unzip();
    let count = x.len() as f64;
    let (center, height) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let slope =
        x.iter().zip(&y).map(|(x, y)| (x - center) * (y - height)).sum::<f64>() / x.iter().map(|x| (x - center).powi(2)).sum::<f64>();
    if slope >= 0.0 {
        return Err(Refusal::NoExponent { low: 0.0, high: EXPONENTS[1] });
    }
    Ok(Law { floor: None, scale: (height - slope * center).exp(), exponent: -slope })
}

fn with_floor(sizes: &[f64], losses: &[f64]) -> Result<Law, Refusal> {
    let unit = (sizes.iter().map(|size| size.ln()).sum::<f64>() / sizes.len() as f64).exp();
    // The best E and A for an exponent, and the sum of squared relative residuals.
    let solve = |log_exponent: f64| {
        let exponent = log_exponent.exp();
        let rows: Vec<[f64; 2]> = sizes.iter().zip(losses).map(|(size, loss)| [1.0 / loss, (size / unit).powf(-exponent) / loss]).collect();
        let dot = |i: usize, j: usize| rows.iter().map(|row| row[i] * row[j]).sum::<f64>();
        let sum = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>();
        let determinant = dot(0, 0) * dot(1, 1) - dot(0, 1).powi(2);
        let floor = (sum(0) * dot(1, 1) - sum(1) * dot(0, 1)) / determinant;
        let scale = (sum(1) * dot(0, 0) - sum(0) * dot(0, 1)) / determinant;
        let [floor, scale] = match (floor >= 0.0, scale >= 0.0) {
            (true, true) => [floor, scale],
            (false, _) => [0.0, sum(1) / dot(1, 1)],
            (_, false) => [sum(0) / dot(0, 0), 0.0],
        };
        let error: f64 = rows.iter().map(|row| (floor * row[0] + scale * row[1] - 1.0).powi(2)).sum();
        (error, Law { floor: Some(floor), scale: scale * unit.powf(exponent), exponent })
    };
    let [low, high] = EXPONENTS.map(f64::ln);
    let at = |i: usize| low + (high - low) * i as f64 / (TRIED - 1) as f64;
    let best = (0..TRIED).min_by(|a, b| solve(at(*a)).0.total_cmp(&solve(at(*b)).0)).expect("exponents to try");
    if best == 0 || best == TRIED - 1 || solve(at(best)).1.scale == 0.0 {
        return Err(Refusal::NoExponent { low: EXPONENTS[0], high: EXPONENTS[1] });
    }
    // Golden sections between the neighbours of the best.
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut from, mut to) = (at(best - 1), at(best + 1));
    for _ in 0..80 {
        let (a, b) = (to - golden * (to - from), from + golden * (to - from));
        if solve(a).0 < solve(b).0 { to = b } else { from = a }
    }
    Ok(solve((from + to) / 2.0).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use proptest::prelude::*;
    use rand_distr::{Distribution, StandardNormal};

    const SIZES: [f64; 5] = [1e6, 3e6, 1e7, 3e7, 1e8];

    #[test]
    fn refusals() {
        let row = |losses: &[f64]| vec![losses.iter().copied().map(Some).collect::<Vec<_>>()];
        assert_eq!(scaling(&SIZES[..2], &row(&[3.0, 2.0])), Err(Refusal::Sizes { needed: 3, found: 2 }));
        assert_eq!(scaling(&SIZES[..3], &[vec![Some(3.0), None, Some(2.0)]]), Err(Refusal::Seeds { needed: 1, found: 0 }));
        assert_eq!(scaling(&SIZES[..3], &row(&[3.0, 0.0, 2.0])), Err(Refusal::NotPositive));
        for rising in [&[2.0, 3.0, 4.0][..], &[2.0, 3.0, 4.0, 4.5, 5.0]] {
            assert!(matches!(scaling(&SIZES[..rising.len()], &row(rising)), Err(Refusal::NoExponent { .. })));
        }
    }

    #[test]
    fn three_sizes_are_a_line() {
        let law = Law { floor: None, scale: 40.0, exponent: 0.2 };
        let fit = scaling(&SIZES[..3], &[SIZES[..3].iter().map(|size| Some(law.at(*size))).collect()]).unwrap();
        assert!((fit.law.exponent - 0.2).abs() < 1e-12 && (fit.law.scale - 40.0).abs() < 1e-9 && fit.law.floor.is_none());
        assert_eq!((fit.seeds, fit.exponent_ci95, fit.at(1e6).1), (1, None, None));
    }

    /// Of 400 arms of five seeds at five sizes, whose noise is shared in part, the intervals hold the truth 95 times in
    /// 100, within 3.5 standard errors and the three points that five seeds may cost a jackknife.
    #[test]
    fn intervals_cover() {
        let truth = Law { floor: Some(1.7), scale: 400.0, exponent: 0.34 };
        let mut noise = generator(6, Purpose::Sampling, "scaling");
        let mut draw = || -> f64 { StandardNormal.sample(&mut noise) };
        let trials = 400;
        let mut held = [0; 3];
        for _ in 0..trials {
            let losses: Vec<Vec<Option<f64>>> = (0..5)
                .map(|_| {
                    let shared = 0.003 * draw();
                    SIZES.iter().map(|size| Some(truth.at(*size) * (1.0 + shared + 0.003 * draw()))).collect()
                })
                .collect();
            let fit = scaling(&SIZES, &losses).unwrap();
            let intervals = [(fit.exponent_ci95, truth.exponent), (fit.floor_ci95, 1.7), (fit.at(2e7).1, truth.at(2e7))];
            for (held, (interval, value)) in held.iter_mut().zip(intervals) {
                let [low, high] = interval.unwrap();
                *held += usize::from(low <= value && value <= high);
            }
        }
        for held in held {
            let coverage = held as f64 / trials as f64;
            assert!((coverage - 0.95).abs() < 0.03 + 3.5 * (0.95 * 0.05 / trials as f64).sqrt(), "{coverage}");
        }
    }

    proptest! {
        /// Losses that follow a law give it back; other units of size change the scale alone.
        #[test]
        fn exact_laws_are_found(floor in 0.0..3.0f64, part in 0.3..3.0f64, exponent in 0.05..1.0f64) {
            let law = Law { floor: Some(floor), scale: part * 1e6_f64.powf(exponent), exponent };
            let row = |law: &Law, unit: f64| vec![SIZES.iter().map(|size| Some(law.at(*size * unit))).collect::<Vec<_>>()];
            let fit = scaling(&SIZES, &row(&law, 1.0)).unwrap();
            prop_assert!((fit.law.exponent / exponent - 1.0).abs() < 1e-4, "{:?}", fit.law);
            prop_assert!((fit.law.floor.unwrap() - floor).abs() < 1e-3 && fit.residual < 1e-6);
            let thousands = SIZES.map(|size| size / 1e3);
            let other = scaling(&thousands, &row(&law, 1.0)).unwrap();
            prop_assert!((other.law.exponent / fit.law.exponent - 1.0).abs() < 1e-6);
        }
    }
}
