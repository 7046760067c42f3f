//! Levels that spend α look by look, and the α that levels met by given p values would have spent.

use super::chain::Chain;
use crate::stats::normal;

/// No sequential p is told apart below this …
const SMALLEST_P: f64 = 1e-9;
/// … nor is less than this spent: it is left to later looks.
const SMALLEST_SHARE: f64 = 1e-12;

/// Levels of the looks at `min` to `last` pairs, of `max` planned.
pub(super) fn levels(min: usize, last: usize, max: usize, alpha: f64, both_sides: bool) -> Vec<f64> {
    if min == max {
        return vec![alpha];
    }
    let z = normal::upper(alpha / 2.0);
    let spent = |pairs: usize| {
        let share = if pairs == max { alpha } else { 2.0 * normal::below(-z / (pairs as f64 / max as f64).sqrt()) };
        if share < SMALLEST_SHARE { 0.0 } else { share }
    };
    let mut chain = Chain::new(min, both_sides, spent(min));
    let mut levels = vec![chain.level()];
    for pairs in min + 1..=last {
        chain = chain.next(spent(pairs) - spent(pairs - 1));
        levels.push(chain.level());
    }
    levels
}

/// The smallest α at which looks from `min` pairs on, of `max` planned, would have stopped at one of the `observed` p.
pub(super) fn smallest_alpha(min: usize, max: usize, observed: &[f64], both_sides: bool) -> f64 {
    if observed.contains(&0.0) {
        return 0.0;
    }
    // How far the best look is from stopping at α, on the logarithm of its level.
    let excess = |log_alpha: f64| {
        let levels = levels(min, min + observed.len() - 1, max, log_alpha.exp(), both_sides);
        levels.iter().zip(observed).map(|(level, p)| (level / p).ln()).fold(f64::NEG_INFINITY, f64::max)
    };
    // No level is above α, so the answer is not below the smallest p.
    let smallest = observed.iter().copied().fold(0.5, f64::min);
    let (mut low, mut high) = (smallest.max(SMALLEST_P).ln(), 0.5_f64.ln());
    let (mut below, mut above) = (excess(low), excess(high));
    if below >= 0.0 {
        return low.exp();
    }
    if above < 0.0 {
        return 1.0;
    }
    // False position, halving the weight of an end that stays (the Illinois rule); the answer is the end that stops.
    let mut side = 0;
    for step in 0..60 {
        if high - low < 1e-7 {
            break;
        }
        let guess = if below.is_finite() && step % 8 != 7 { low + (high - low) * below / (below - above) } else { (low + high) / 2.0 };
        let middle = guess.clamp(low + 4e-8, high - 4e-8);
        let value = excess(middle);
        if value < 0.0 {
            (low, below) = (middle, value);
            above *= if side == -1 { 0.5 } else { 1.0 };
            side = -1;
        } else {
            (high, above) = (middle, value);
            below *= if side == 1 { 0.5 } else { 1.0 };
            side = 1;
        }
    }
    high.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A larger α stops wherever a smaller does: what makes the sequential p a p value.
    #[test]
    fn borders_are_nested() {
        for (min, max) in [(3, 10), (4, 8), (5, 20), (3, 30)] {
            for both in [true, false] {
                let mut before = vec![0.0; max - min + 1];
                for step in 0..=24 {
                    let alpha = 0.5 * 10_f64.powf(-(24.0 - step as f64) / 3.0);
                    let levels = levels(min, max, max, alpha, both);
                    assert!(levels.iter().zip(&before).all(|(level, before)| level >= before), "{min} {max} {alpha}: {levels:?}");
                    assert!(levels.iter().all(|level| *level <= alpha));
                    before = levels;
                }
            }
        }
    }
}
