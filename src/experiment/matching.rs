//! Solving a size, or a number of steps, so that an arm has as many parameters, or takes as many FLOPs or as much time, as the
//! arm it is matched to.

use super::spec::{Count, MatchConfig};
use crate::model::{ModelConfig, ModelSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was solved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solved {
    /// The key.
    pub key: String,
    /// Its value in this arm.
    pub value: u64,
    /// What was made equal.
    #[serde(default)]
    pub quantity: Quantity,
    /// How much of it this arm has.
    #[serde(alias = "parameters")]
    pub achieved: f64,
    /// How much of it the arm has that this one is matched to.
    pub target: f64,
    /// Relative mismatch that is left: positive if this arm has more.
    pub residual: f64,
}

/// What is made equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Parameters.
    #[default]
    Parameters,
    /// Training FLOPs per token.
    FlopsPerToken,
    /// Training FLOPs in all.
    Flops,
    /// Wall-clock time of training.
    Time,
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Parameters => "parameters",
            Self::FlopsPerToken => "FLOPs per token",
            Self::Flops => "FLOPs",
            Self::Time => "seconds",
        })
    }
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The nearest value is further off than the tolerance.
    TooCoarse(Solved),
    /// A larger size had less.
    NotMonotone,
    /// No size gives a valid model.
    NoValidSize,
    /// All sizes have the same.
    Constant,
}

/// Sizes beyond this are no models.
const LARGEST: u64 = 1 << 24;

/// What is solved for what.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The key whose value is looked for.
    pub key: &'a str,
    /// What is made equal.
    pub quantity: Quantity,
    /// How much of it there should be.
    pub target: f64,
    /// Largest relative mismatch.
    pub tolerance: f64,
}

impl Task<'_> {
    fn solved(&self, value: u64, achieved: f64) -> Solved {
        let residual = (achieved - self.target) / self.target;
        Solved { key: self.key.into(), value, quantity: self.quantity, achieved, target: self.target, residual }
    }

    fn within(&self, solved: Solved) -> Result<Solved, Refusal> {
        if solved.residual.abs() <= self.tolerance { Ok(solved) } else { Err(Refusal::TooCoarse(solved)) }
    }

    /// The number of steps nearest to the target, each step costing so much.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooCoarse`].
    pub fn steps(&self, per_step: f64) -> Result<Solved, Refusal> {
        let steps = (self.target / per_step).round().clamp(1.0, 1e15) as u64;
        self.within(self.solved(steps, steps as f64 * per_step))
    }

    /// The size that comes nearest to the target.
    ///
    /// `amount` answers with how much a size has, none where the size breaks a rule of the model; it must not fall as the
    /// size grows. The sizes of `preferred` (those of the arms that this one is compared with) are taken where they are
    /// within the tolerance: equal shapes keep equal noise.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn size(&self, preferred: &[u64], mut amount: impl FnMut(u64) -> Option<f64>) -> Result<Solved, Refusal> {
        let first = preferred.first().copied().unwrap_or(1).max(1);
        // Even where the arm is matched already: the size would be named as what made it so.
        if is_constant(first, &mut amount) {
            return Err(Refusal::Constant);
        }
        for value in preferred {
            if let Some(near) = amount(*value).and_then(|amount| self.within(self.solved(*value, amount)).ok()) {
                return Ok(near);
            }
        }
        // Bracket: `low` has too little (or is 0, and no model), `high` has enough.
        let mut low: Option<(u64, f64)> = None;
        let mut high = None;
        let mut size = first;
        while high.is_none() && size <= LARGEST {
            match amount(size) {
                Some(much) if much >= self.target => high = Some((size, much)),
                Some(much) => {
                    if low.is_some_and(|(_, below)| much < below) {
                        return Err(Refusal::NotMonotone);
                    }
                    low = Some((size, much));
                }
                None => {}
            }
            size *= 2;
        }
        while let Some((top, most)) = high {
            let bottom = low.map_or(0, |(size, _)| size);
            let Some((size, much)) = between(bottom, top, &mut amount) else { break };
            if much > most || low.is_some_and(|(_, least)| much < least) {
                return Err(Refusal::NotMonotone);
            }
            if much < self.target { low = Some((size, much)) } else { high = Some((size, much)) }
        }
        let best = [low, high]
            .into_iter()
            .flatten()
            .map(|(size, much)| self.solved(size, much))
            .min_by(|a, b| a.residual.abs().total_cmp(&b.residual.abs()));
        best.map_or(Err(Refusal::NoValidSize), |best| self.within(best))
    }
}

/// Whether valid sizes around `size`, two or more, all have the same.
fn is_constant(size: u64, amount: &mut impl FnMut(u64) -> Option<f64>) -> bool {
    let sizes = [size, 2 * size, 4 * size, 8 * size, size / 2, size / 4, size / 8].into_iter().filter(|size| *size > 0);
    let mut known = None;
    let mut count = 0;
    let same = sizes.filter_map(amount).all(|much| {
        count += 1;
        *known.get_or_insert(much) == much
    });
    same && count > 1
}

/// The valid size nearest to the middle of two, both excluded.
fn between(bottom: u64, top: u64, amount: &mut impl FnMut(u64) -> Option<f64>) -> Option<(u64, f64)> {
    let middle = bottom + (top - bottom) / 2;
    (0..=top - bottom)
        .flat_map(|away| [middle.checked_add(away), middle.checked_sub(away)])
        .flatten()
        .filter(|size| *size > bottom && *size < top)
        .find_map(|size| amount(size).map(|much| (size, much)))
}

/// How much of the quantity that its size decides a resolved model has.
pub fn amount(model: &ModelSpec, matching: &MatchConfig) -> f64 {
    match (&matching.parameters, matching.count) {
        (None, _) => model.account(model.context).flops_per_token,
        (Some(_), Count::Total) => model.account(model.context).parameters as f64,
        (Some(_), Count::NonEmbedding) => model.non_embedding_parameters() as f64,
    }
}

/// The model with another value at `key` (`model.feed_forward.hidden`); none if there is no such key, or it holds no
/// number.
pub fn with_size(model: &ModelConfig, key: &str, value: u64) -> Option<ModelConfig> {
    let mut tree = serde_json::to_value(model).ok()?;
    let pointer = format!("/{}", key.strip_prefix("model.")?.replace('.', "/"));
    *tree.pointer_mut(&pointer)? = Value::from(value);
    serde_json::from_value(tree).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(target: u64, tolerance: f64) -> Task<'static> {
        Task { key: "model.feed_forward.hidden", quantity: Quantity::Parameters, target: target as f64, tolerance }
    }

    /// LLaMA's block against the two-matrix one: 3·d·h = 2·d·4d gives h = 8d/3.
    #[test]
    fn gated_hidden_sizes() {
        let rest = 1000;
        let width = 128;
        let target = rest + 2 * width * 4 * width;
        let solved = task(target, 0.005).size(&[4 * width], |hidden| Some((rest + 3 * width * hidden) as f64)).unwrap();
        assert_eq!(solved.value, 341);
        assert!((solved.residual - (3.0 * 341.0 - 8.0 * 128.0) * 128.0 / target as f64).abs() < 1e-12);
    }

    #[test]
    fn a_preferred_size_within_the_tolerance_stays() {
        let amount = |size: u64| Some((1000 + 10 * size) as f64);
        assert_eq!(task(2010, 0.01).size(&[100], amount).unwrap().value, 100);
        assert_eq!(task(2010, 0.001).size(&[100], amount).unwrap().value, 101);
        assert_eq!(task(2010, 0.01).size(&[300, 102], amount).unwrap().value, 102);
    }

    #[test]
    fn coarse_constant_falling_and_impossible_sizes_are_refused() {
        match task(1500, 0.005).size(&[1], |size| Some(1000.0 * size as f64)) {
            Err(Refusal::TooCoarse(nearest)) => assert_eq!((nearest.value, nearest.achieved), (1, 1000.0)),
            other => panic!("{other:?}"),
        }
        assert_eq!(task(2000, 0.005).size(&[4], |_| Some(1000.0)), Err(Refusal::Constant));
        // Heads of a width of 16: only its divisors are valid, and none changes anything. Equal or not, the size did not do it.
        let heads = |size: u64| 16u64.is_multiple_of(size).then_some(1000.0);
        assert_eq!(task(1000, 0.005).size(&[2], heads), Err(Refusal::Constant));
        assert_eq!(task(1000, 0.005).size(&[16], heads), Err(Refusal::Constant));
        assert_eq!(task(2000, 0.005).size(&[4], |size| Some(1000.0 - size as f64)), Err(Refusal::NotMonotone));
        assert_eq!(task(2000, 0.005).size(&[4], |_| None), Err(Refusal::NoValidSize));
        // Already too large at the smallest size.
        let large = task(10, 0.005).size(&[64], |size| Some(100.0 + size as f64));
        assert!(matches!(large, Err(Refusal::TooCoarse(nearest)) if nearest.value == 1));
    }

    #[test]
    fn steps_are_rounded() {
        let solved = task(1000, 0.01).steps(3.0).unwrap();
        assert_eq!((solved.value, solved.achieved), (333, 999.0));
        assert!(matches!(task(1000, 0.01).steps(400.0), Err(Refusal::TooCoarse(nearest)) if nearest.value == 3));
        assert!(matches!(task(1000, 0.01).steps(1e6), Err(Refusal::TooCoarse(nearest)) if nearest.value == 1));
    }

    proptest! {
        /// Against a search through all sizes, with sizes that the model forbids.
        #[test]
        fn nearest_valid_size(step in 1u64..9, slope in 1u64..50, rest in 0u64..5000, wanted in 1u64..600, start in 1u64..600) {
            let amount = |size: u64| size.is_multiple_of(step).then(|| (rest + slope * size * size) as f64);
            let target = rest + slope * wanted * wanted + 7;
            let distance = |size: u64| amount(size).map(|n| (n - target as f64).abs());
            let best = (1..2000).filter_map(distance).min_by(f64::total_cmp).unwrap();
            let start = start.next_multiple_of(step);
            let found = match task(target, 0.0).size(&[start], amount) {
                Ok(solved) | Err(Refusal::TooCoarse(solved)) => solved,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(distance(found.value), Some(best));
        }
    }
}
