//! The effective-compute multiplier: how much more compute the base needs to be as good as an arm.

use super::{Refusal, mean};

/// The base's losses at these budgets or more make a curve.
pub const FEWEST_BUDGETS: usize = 3;

/// Where an arm's loss lies on the base's curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Multiplier {
    /// The base reaches the arm's loss with this many times the arm's compute.
    Times(f64),
    /// The arm is better than the base at its largest budget: the multiplier is above this, and how far is unknown.
    Above(f64),
    /// The arm is worse than the base at its smallest budget: the multiplier is below this.
    Below(f64),
}

/// An effective-compute multiplier over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Multipliers {
    /// Of the mean losses over seeds.
    pub of_means: Multiplier,
    /// How many seeds.
    pub seeds: usize,
    /// 95 % interval by Student's t over the logarithms of the seeds' own multipliers; none for one seed, and where a
    /// seed's own curve is not monotone or does not reach the arm.
    pub ci95: Option<[f64; 2]>,
}

/// The multiplier of an arm of (`compute`, `loss`) by the `base`'s runs (compute, loss), each with its own finished
/// schedule.
///
/// The logarithm of compute is interpolated against loss by monotone cubics (Fritsch & Carlson 1980), and never
/// extrapolated: beyond the base's losses only the bound is known.
///
/// # Errors
///
/// Fewer than [`FEWEST_BUDGETS`] budgets, or more compute that does not give less loss: on such a curve a loss has no
/// one place.
pub fn multiplier(base: &[(f64, f64)], compute: f64, loss: f64) -> Result<Multiplier, Refusal> {
    // From the best loss to the worst: abscissae must rise.
    let mut curve = base.to_vec();
    curve.sort_by(|a, b| b.0.total_cmp(&a.0));
    curve.dedup_by(|a, b| a.0 == b.0);
    if curve.len() < FEWEST_BUDGETS || curve.len() < base.len() {
        return Err(Refusal::Budgets { needed: FEWEST_BUDGETS, found: curve.len() });
    }
    if !(loss.is_finite() && compute > 0.0 && curve.iter().all(|(c, l)| *c > 0.0 && c.is_finite() && l.is_finite())) {
        return Err(Refusal::NotPositive);
    }
    if let Some(pair) = curve.windows(2).find(|pair| pair[0].1 >= pair[1].1) {
        return Err(Refusal::NotMonotone { less: pair[1], more: pair[0] });
    }
    let (best, worst) = (curve[0], curve[curve.len() - 1]);
    if loss < best.1 {
        return Ok(Multiplier::Above(best.0 / compute));
    }
    if loss > worst.1 {
        return Ok(Multiplier::Below(worst.0 / compute));
    }
    let (x, y): (Vec<f64>, Vec<f64>) = curve.iter().map(|(compute, loss)| (*loss, compute.ln())).unzip();
    Ok(Multiplier::Times((monotone_cubic(&x, &y, loss) - compute.ln()).exp()))
}

/// The multiplier over seeds: `base` and `losses` are indexed by seed, `base` then by `budgets`; a seed's own multiplier
/// compares its arm with its own base runs.
///
/// # Errors
///
/// As [`multiplier`] for the mean losses, or no seed at all.
///
/// # Panics
///
/// `base` and `losses` differ in seeds, or a seed's row differs in length from `budgets`.
pub fn multipliers(budgets: &[f64], base: &[Vec<f64>], compute: f64, losses: &[f64]) -> Result<Multipliers, Refusal> {
    assert_eq!(base.len(), losses.len());
    let seeds = losses.len();
    let curve = |row: &dyn Fn(usize) -> f64| budgets.iter().enumerate().map(|(i, budget)| (*budget, row(i))).collect::<Vec<_>>();
    let average = |values: Vec<f64>| mean(&values).map(|mean| mean.mean).ok_or(Refusal::Seeds { needed: 1, found: 0 });
    let loss = average(losses.to_vec())?;
    let means = (0..budgets.len()).map(|i| average(base.iter().map(|row| row[i]).collect())).collect::<Result<Vec<_>, _>>()?;
    let of_means = multiplier(&curve(&|i| means[i]), compute, loss)?;
    let logs: Option<Vec<f64>> = base
        .iter()
        .zip(losses)
        .map(|(row, loss)| match multiplier(&curve(&|i| row[i]), compute, *loss) {
            Ok(Multiplier::Times(times)) => Some(times.ln()),
            _ => None,
        })
        .collect();
    let ci95 = logs.and_then(|logs| mean(&logs)?.ci95).map(|ci95| ci95.map(f64::exp));
    Ok(Multipliers { of_means, seeds, ci95 })
}

/// The monotone cubic through (x, y), x rising, at `at` within: slopes are weighted harmonic means of the neighbours'
/// secants (Fritsch & Butland 1984), so between two points nothing leaves their range.
fn monotone_cubic(x: &[f64], y: &[f64], at: f64) -> f64 {
    let last = x.len() - 1;
    let width = |i: usize| x[i + 1] - x[i];
    let secant = |i: usize| (y[i + 1] - y[i]) / width(i);
    let inner = |i: usize| {
        let (h, k) = (width(i - 1), width(i));
        let (before, after) = (secant(i - 1), secant(i));
        if before * after <= 0.0 {
            return 0.0;
        }
        let (w, v) = (2.0 * k + h, k + 2.0 * h);
        (w + v) / (w / before + v / after)
    };
    // At an end, the slope of the parabola through three points, kept from turning round or overshooting.
    let end = |h: f64, k: f64, near: f64, far: f64| {
        let slope = ((2.0 * h + k) * near - h * far) / (h + k);
        if slope * near <= 0.0 {
            0.0
        } else if near * far <= 0.0 && slope.abs() > 3.0 * near.abs() {
            3.0 * near
        } else {
            slope
        }
    };
    let slope = |i: usize| match i {
        0 => end(width(0), width(1), secant(0), secant(1)),
        i if i == last => end(width(last - 1), width(last - 2), secant(last - 1), secant(last - 2)),
        i => inner(i),
    };
    let i = x.partition_point(|x| *x <= at).clamp(1, last) - 1;
    let (h, s) = (width(i), (at - x[i]) / width(i));
    let r = 1.0 - s;
    y[i] * (1.0 + 2.0 * s) * r * r + h * slope(i) * s * r * r + y[i + 1] * s * s * (3.0 - 2.0 * s) - h * slope(i + 1) * s * s * r
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: [(f64, f64); 4] = [(1e15, 4.0), (4e15, 3.5), (2e16, 3.1), (1e17, 2.9)];

    fn times(result: Result<Multiplier, Refusal>) -> f64 {
        match result.unwrap() {
            Multiplier::Times(times) => times,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn on_the_curve_and_beyond_it() {
        for (compute, loss) in BASE {
            assert!((times(multiplier(&BASE, compute, loss)) - 1.0).abs() < 1e-12);
            assert!((times(multiplier(&BASE, compute / 2.0, loss)) - 2.0).abs() < 1e-12);
        }
        assert_eq!(multiplier(&BASE, 1e17, 2.8), Ok(Multiplier::Above(1.0)));
        assert_eq!(multiplier(&BASE, 1e16, 4.1), Ok(Multiplier::Below(0.1)));
    }

    #[test]
    fn refusals() {
        assert_eq!(multiplier(&BASE[..2], 1e15, 3.7), Err(Refusal::Budgets { needed: 3, found: 2 }));
        let twice = [BASE[0], BASE[0], BASE[1]];
        assert_eq!(multiplier(&twice, 1e15, 3.7), Err(Refusal::Budgets { needed: 3, found: 2 }));
        let turned = [BASE[0], (4e15, 3.0), BASE[2]];
        let refusal = multiplier(&turned, 1e15, 3.7).unwrap_err();
        assert_eq!(refusal, Refusal::NotMonotone { less: (4e15, 3.0), more: (2e16, 3.1) });
        assert!(refusal.to_string().contains("4.000e15"), "{refusal}");
        assert_eq!(multiplier(&BASE, 1e15, f64::NAN), Err(Refusal::NotPositive));
    }

    #[test]
    fn over_seeds() {
        let budgets: Vec<f64> = BASE.iter().map(|(compute, _)| *compute).collect();
        let shift = [0.0, 0.02, -0.01];
        let base: Vec<Vec<f64>> = shift.iter().map(|s| BASE.iter().map(|(_, loss)| loss + s).collect()).collect();
        // What a seed adds to base and arm alike cancels.
        let losses: Vec<f64> = shift.iter().map(|s| 3.5 + s).collect();
        let result = multipliers(&budgets, &base, 2e15, &losses).unwrap();
        let [low, high] = result.ci95.unwrap();
        assert!((low - 2.0).abs() < 1e-9 && (high - 2.0).abs() < 1e-9 && result.seeds == 3, "{result:?}");
        let beyond = multipliers(&budgets, &base, 2e15, &[3.5, 3.5, 2.0]).unwrap();
        assert!(matches!(beyond.of_means, Multiplier::Times(_)) && beyond.ci95.is_none());
        assert_eq!(multipliers(&budgets, &[], 2e15, &[]), Err(Refusal::Seeds { needed: 1, found: 0 }));
    }

    proptest! {
        /// A better arm has the larger multiplier; units of compute do not matter; between two budgets' losses the base
        /// compute lies between those budgets.
        #[test]
        fn monotone(steps in prop::collection::vec((0.1..3.0f64, 0.01..1.0f64), 3..8), a in 0.0..1.0f64, b in 0.0..1.0f64, unit in 1e-3..1e3f64) {
            let (mut compute, mut loss) = (1.0, 9.0);
            let base: Vec<(f64, f64)> = steps.iter().map(|(grow, fall)| { compute *= 1.0 + grow; loss -= fall; (compute, loss) }).collect();
            let span = base[0].1 - loss;
            let (better, worse) = (loss + span * a.min(b), loss + span * a.max(b));
            let (high, low) = (times(multiplier(&base, 1.0, better)), times(multiplier(&base, 1.0, worse)));
            prop_assert!(high >= low * (1.0 - 1e-12));
            let scaled: Vec<(f64, f64)> = base.iter().map(|(c, l)| (c * unit, *l)).collect();
            prop_assert!((times(multiplier(&scaled, unit, better)) / high - 1.0).abs() < 1e-9);
            let more = base.iter().find(|(_, l)| *l <= better).unwrap();
            let less = base.iter().rev().find(|(_, l)| *l >= better).unwrap();
            prop_assert!(high <= more.0 * (1.0 + 1e-9) && high >= less.0 * (1.0 - 1e-9));
        }
    }
}
