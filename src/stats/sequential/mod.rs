//! Looking after every seed, and stopping when the question is decided, without more false findings (Lan & DeMets 1983).

mod chain;
mod levels;

use super::{equivalence::equivalence_p, mean, paired::paired_p, student};
use levels::{levels, smallest_alpha};

/// The fewest pairs of a first look: two leave one degree of freedom, and no level that anything could reach.
pub const FIRST_LOOK: usize = 3;
/// The most pairs of a last look.
pub const LAST_LOOK: usize = 100;
/// The looks of one comparison: after each pair from the fewest to the most, a paired t test at a level of its own.
///
/// The levels are such that samples without an effect stop at any look with probability α in all. Of it,
/// 2 - 2Φ(z₁₋α⁄₂/√(n/max)) is spent by look n: the function of Lan & DeMets that behaves like O'Brien & Fleming's borders.
/// Little is spent on early looks, where few pairs know little anyway, and the last look has nearly the level of a test
/// without looks. For normal differences of unknown spread the levels are exact (see the source of `chain`), not carried over
/// from the normal distribution, which three pairs are far from. A look that is skipped only makes errors rarer.
///
/// **A family.** [`Looks::family`] gives each of m comparisons the level α/m (Bonferroni), so that each may stop on its
/// own and any false finding stays below α. At the end [`Looks::p`], which is a p value at whatever look one stops,
/// enters [`holm`](super::holm) with the others at α: that finds all that the looks found, and perhaps more.
///
/// **Equivalence** is looked for in the same runs with levels of its own that spend α too. Within a comparison the two
/// claims share one α: a true difference is not both 0 and beyond the margin, so at most one of them can be false.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    min: usize,
    max: usize,
    alpha: f64,
    difference: Vec<f64>,
    equivalence: Vec<f64>,
}

/// Why looking stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The arms differ.
    Differs,
    /// The arms differ by less than the margin.
    Equivalent,
}

/// When looking stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// After how many pairs.
    pub pairs: usize,
    /// What was found.
    pub finding: Finding,
}

impl Looks {
    /// Looks at `min` to `max` pairs that spend `alpha`; none unless 3 ≤ min ≤ max ≤ 100 and 0 < alpha ≤ 0.5.
    pub fn new(min: usize, max: usize, alpha: f64) -> Option<Self> {
        if min < FIRST_LOOK || max < min || max > LAST_LOOK || !(alpha > 0.0 && alpha <= 0.5) {
            return None;
        }
        let [difference, equivalence] = [true, false].map(|both| levels(min, max, max, alpha, both));
        Some(Self { min, max, alpha, difference, equivalence })
    }

    /// The looks of each of `comparisons` that together spend `alpha`.
    pub fn family(min: usize, max: usize, alpha: f64, comparisons: usize) -> Option<Self> {
        Self::new(min, max, alpha / comparisons.max(1) as f64)
    }

    /// The pairs of the first and of the last look.
    pub fn range(&self) -> (usize, usize) {
        (self.min, self.max)
    }

    /// The level of the look at `pairs` pairs: the p of the paired t test that stops there. None where there is no look.
    pub fn level(&self, pairs: usize) -> Option<f64> {
        self.difference.get(pairs.checked_sub(self.min)?).copied()
    }

    /// The level of the look at `pairs` pairs for the p of [`equivalence`](super::equivalence).
    pub fn equivalence_level(&self, pairs: usize) -> Option<f64> {
        self.equivalence.get(pairs.checked_sub(self.min)?).copied()
    }

    /// The first look that decides, at `differences` in the order of their seeds; equivalence is looked for where there
    /// is a `margin`.
    pub fn decided(&self, differences: &[f64], margin: Option<f64>) -> Option<Stop> {
        (self.min..=self.max.min(differences.len())).find_map(|pairs| {
            let seen = &differences[..pairs];
            let stop = |finding| Some(Stop { pairs, finding });
            if paired_p(seen)? <= self.level(pairs)? {
                return stop(Finding::Differs);
            }
            if equivalence_p(seen, margin?)? <= self.equivalence_level(pairs)? { stop(Finding::Equivalent) } else { None }
        })
    }

    /// Whether no comparison of the family needs another pair: each is decided or has had its last look.
    pub fn settled(&self, family: &[Vec<f64>], margin: Option<f64>) -> bool {
        family.iter().all(|differences| differences.len() >= self.max || self.decided(differences, margin).is_some())
    }

    /// The sequential p of "no difference": the smallest α at which these looks would have stopped by now.
    ///
    /// It never rises with further pairs and holds wherever one stops, for whatever reason. It depends on the first and
    /// last look, not on the α of these. Above 0.5 it is 1. None before the first look.
    pub fn p(&self, differences: &[f64]) -> Option<f64> {
        self.smallest(differences, true, paired_p)
    }

    /// The sequential p of "the difference is as large as the margin".
    pub fn equivalence_p(&self, differences: &[f64], margin: f64) -> Option<f64> {
        self.smallest(differences, false, |seen| equivalence_p(seen, margin))
    }

    /// The interval of the mean difference at the last look so far, at that look's level: with probability 1 - α all
    /// such intervals hold the truth (Jennison & Turnbull 1989), so it holds wherever one stops. None before the first
    /// look that could stop.
    pub fn interval(&self, differences: &[f64]) -> Option<[f64; 2]> {
        let pairs = differences.len().min(self.max);
        let level = self.level(pairs)?;
        let m = mean(&differences[..pairs])?;
        if m.deviation == 0.0 {
            return Some([m.mean; 2]);
        }
        if level == 0.0 {
            return None;
        }
        let half = student::upper(level / 2.0, (pairs - 1) as f64) * m.deviation / (pairs as f64).sqrt();
        Some([m.mean - half, m.mean + half])
    }

    fn smallest(&self, differences: &[f64], both_sides: bool, p: impl Fn(&[f64]) -> Option<f64>) -> Option<f64> {
        let last = differences.len().min(self.max);
        if last < self.min {
            return None;
        }
        let observed = (self.min..=last).map(|pairs| p(&differences[..pairs])).collect::<Option<Vec<f64>>>()?;
        Some(smallest_alpha(self.min, self.max, &observed, both_sides))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use crate::stats::{normal, paired};
    use proptest::prelude::*;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn refusals_and_one_look() {
        assert_eq!(Looks::new(2, 10, 0.05), None);
        assert_eq!(Looks::new(5, 4, 0.05), None);
        assert_eq!(Looks::new(3, 10, 0.0), None);
        let one = Looks::new(5, 5, 0.05).unwrap();
        assert_eq!((one.level(4), one.level(5), one.level(6)), (None, Some(0.05), None));
        let differences = [0.1, 0.3, 0.2, -0.1, 0.2];
        let (p, raw) = (one.p(&differences).unwrap(), paired(&differences).unwrap().p.unwrap());
        assert!((p / raw - 1.0).abs() < 1e-6);
        let [low, high] = one.interval(&differences).unwrap();
        let ci95 = paired(&differences).unwrap().ci95.unwrap();
        assert!((low - ci95[0]).abs() < 1e-12 && (high - ci95[1]).abs() < 1e-12);
    }

    #[test]
    fn limits() {
        let looks = Looks::new(3, 10, 0.05).unwrap();
        assert_eq!((looks.p(&[1.0, 2.0]), looks.decided(&[1.0, 1.0], None), looks.interval(&[1.0, 1.0])), (None, None, None));
        assert_eq!(looks.decided(&[0.1; 4], None), Some(Stop { pairs: 3, finding: Finding::Differs }));
        assert_eq!((looks.p(&[0.1; 4]), looks.interval(&[0.1; 4])), (Some(0.0), Some([0.1; 2])));
        assert_eq!((looks.p(&[0.0; 4]), looks.decided(&[0.0; 4], None)), (Some(1.0), None));
        assert_eq!(looks.decided(&[0.0; 4], Some(0.1)), Some(Stop { pairs: 3, finding: Finding::Equivalent }));
        assert!(looks.settled(&[vec![0.1; 3], vec![0.0, 1.0, -1.0, 0.5, 0.1, -0.7, 0.2, 0.1, 0.0, 0.3]], None));
        assert!(!looks.settled(&[vec![0.1; 3], vec![0.0, 1.0, -1.0]], None));
    }

    /// The chance to stop first at each look is what was to be spent there, in 100,000 samples; two-sided and one-sided.
    #[test]
    fn every_look_spends_its_share() {
        let (min, max, alpha, trials) = (3, 8, 0.1, 100_000);
        let looks = Looks::new(min, max, alpha).unwrap();
        let mut noise = generator(5, Purpose::Sampling, "spending");
        let (mut differs, mut inside) = (vec![0; max + 1], vec![0; max + 1]);
        for _ in 0..trials {
            let (mut sum, mut squares) = (0.0, 0.0);
            let (mut two, mut one) = (false, false);
            for pairs in 1..=max {
                let x: f64 = StandardNormal.sample(&mut noise);
                (sum, squares) = (sum + x, squares + x * x);
                let Some(level) = looks.level(pairs) else { continue };
                let n = pairs as f64;
                let t = sum * ((n - 1.0) / (n * squares - sum * sum)).sqrt();
                let p = student::two_sided_p(t, n - 1.0);
                if !two && p <= level {
                    (two, differs[pairs]) = (true, differs[pairs] + 1);
                }
                if !one && t > 0.0 && p / 2.0 <= looks.equivalence_level(pairs).unwrap() {
                    (one, inside[pairs]) = (true, inside[pairs] + 1);
                }
            }
        }
        let z = normal::upper(alpha / 2.0);
        let spent = |pairs: usize| if pairs < min { 0.0 } else { 2.0 * normal::below(-z / (pairs as f64 / max as f64).sqrt()) };
        for pairs in min..=max {
            let share = spent(pairs) - spent(pairs - 1);
            let error = (share / trials as f64).sqrt();
            for found in [differs[pairs], inside[pairs]] {
                assert!((found as f64 / trials as f64 - share).abs() < 4.0 * error, "{pairs}: {found} for {share}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        /// Sequential p ≤ α exactly where looks at α have stopped; it never rises; the interval agrees with the last look.
        #[test]
        fn p_is_the_smallest_alpha(noise in prop::collection::vec(-1.0..1.0f64, 8), shift in -1.0..1.0f64, alpha in 0.001..0.4f64) {
            let differences: Vec<f64> = noise.iter().map(|d| d + shift).collect();
            let looks = Looks::new(3, 8, alpha).unwrap();
            let mut before = 1.0;
            for pairs in [3, 5, 8] {
                let seen = &differences[..pairs];
                let p = looks.p(seen).unwrap();
                prop_assert!((0.0..=before * (1.0 + 1e-6)).contains(&p));
                before = p;
                if (p / alpha - 1.0).abs() > 1e-5 {
                    prop_assert_eq!(p < alpha, looks.decided(seen, None).is_some());
                    let mirrored: Vec<f64> = seen.iter().map(|d| -7.0 * d).collect();
                    prop_assert!((looks.p(&mirrored).unwrap() / p - 1.0).abs() < 1e-5);
                    let equivalent = looks.equivalence_p(seen, 0.4).unwrap();
                    if (equivalent / alpha - 1.0).abs() > 1e-5 && p > alpha {
                        prop_assert_eq!(equivalent < alpha, looks.decided(seen, Some(0.4)).is_some());
                    }
                }
                let [low, high] = looks.interval(seen).unwrap();
                let raw = paired(seen).unwrap().p.unwrap();
                let level = looks.level(pairs).unwrap();
                prop_assert!((raw / level - 1.0).abs() < 1e-6 || (raw <= level) == (low > 0.0 || high < 0.0));
                prop_assert!(p >= raw.min(0.5) * (1.0 - 1e-6) || pairs > 3);
            }
        }
    }
}
