//! What a design can say at best, before anything has trained.

use super::{FEWEST_PAIRS, detectable, student};

/// What a number of pairs can show at a level, whatever the arms turn out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// How many pairs.
    pub pairs: usize,
    /// The |t| that a paired t test must reach. Its p has no smallest value, so a design of two pairs or more can always
    /// reach α in theory; whether in practice is what the next two say.
    pub required_t: f64,
    /// The same in the data's terms: the mean difference seen, in standard deviations of the differences.
    pub required_effect: f64,
    /// The true difference, in standard deviations of the differences, that is found with probability
    /// [`POWER`](super::POWER).
    pub detectable: f64,
    /// The smallest p of the sign-flip test, 2/2ⁿ; none below [`FEWEST_PAIRS`], where there is no such test.
    pub sign_flip_p: Option<f64>,
}

/// What `pairs` pairs can show at level `alpha`; none below two pairs, which no verdict can follow from.
///
/// For a comparison in a family of m, `alpha` is the experiment's over m: Holm's first step.
pub fn reach(pairs: usize, alpha: f64) -> Option<Reach> {
    let detectable = detectable(1.0, pairs, alpha)?;
    let required_t = student::upper(alpha / 2.0, (pairs - 1) as f64);
    let sign_flip_p = (pairs >= FEWEST_PAIRS).then(|| 2.0 * 0.5_f64.powf(pairs as f64));
    Some(Reach { pairs, required_t, required_effect: required_t / (pairs as f64).sqrt(), detectable, sign_flip_p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{paired, sign_flip};

    #[test]
    fn edges_are_edges() {
        assert_eq!(reach(1, 0.05), None);
        for pairs in [2, 5, 9] {
            let reach = reach(pairs, 0.05).unwrap();
            // Differences whose mean is the required one, with standard deviation 1.
            let raw: Vec<f64> = (0..pairs).map(|i| (i * i) as f64).collect();
            let spread = crate::stats::mean(&raw).unwrap();
            let differences: Vec<f64> = raw.iter().map(|d| (d - spread.mean) / spread.deviation + reach.required_effect).collect();
            assert!((paired(&differences).unwrap().p.unwrap() - 0.05).abs() < 1e-9);
            let strongest: Vec<f64> = (1..=pairs).map(|i| i as f64).collect();
            assert_eq!(sign_flip(&strongest).map(|test| test.p), reach.sign_flip_p);
            assert!(reach.detectable > reach.required_effect);
        }
    }
}
