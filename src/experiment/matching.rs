//! Solving a size so that an arm has as many parameters as the base.

use super::spec::{Count, MatchConfig};
use crate::model::{ModelConfig, ModelSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A size that was solved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solved {
    /// The key.
    pub key: String,
    /// Its value in this arm.
    pub value: u64,
    /// Parameters that count, in this arm.
    pub parameters: u64,
    /// Parameters that count, in the base.
    pub target: u64,
    /// Relative mismatch that is left: positive if the arm is larger.
    pub residual: f64,
}

/// Why no size was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The nearest size is further off than the tolerance.
    TooCoarse(Solved),
    /// A larger size had fewer parameters.
    NotMonotone,
    /// No size gives a valid model.
    NoValidSize,
}

/// Sizes beyond this are no models.
const LARGEST: u64 = 1 << 24;

/// Finds the size whose count is nearest to `target`.
///
/// `count` answers with the parameters of a size, none where the size breaks a rule of the model; it must not fall as
/// the size grows. The sizes of `preferred` (those of the arms that this one is compared with) are taken where they are
/// within the tolerance: equal shapes keep equal noise.
///
/// # Errors
///
/// [`Refusal`].
pub fn solve(config: &MatchConfig, target: u64, preferred: &[u64], mut count: impl FnMut(u64) -> Option<u64>) -> Result<Solved, Refusal> {
    let solved = |value: u64, parameters: u64| Solved {
        key: config.parameters.clone(),
        value,
        parameters,
        target,
        residual: (parameters as f64 - target as f64) / target as f64,
    };
    for value in preferred {
        if let Some(near) =
            count(*value).map(|parameters| solved(*value, parameters)).filter(|near| near.residual.abs() <= config.tolerance)
        {
            return Ok(near);
        }
    }
    // Bracket: `low` has too few (or is 0, and no model), `high` has enough.
    let mut low: Option<(u64, u64)> = None;
    let mut high = None;
    let mut size = preferred.first().copied().unwrap_or(1).max(1);
    while high.is_none() && size <= LARGEST {
        match count(size) {
            Some(parameters) if parameters >= target => high = Some((size, parameters)),
            Some(parameters) => {
                if low.is_some_and(|(_, below)| parameters < below) {
                    return Err(Refusal::NotMonotone);
                }
                low = Some((size, parameters));
            }
            None => {}
        }
        size *= 2;
    }
    while let Some((top, most)) = high {
        let bottom = low.map_or(0, |(size, _)| size);
        let Some((size, parameters)) = between(bottom, top, &mut count) else { break };
        if parameters > most || low.is_some_and(|(_, least)| parameters < least) {
            return Err(Refusal::NotMonotone);
        }
        if parameters < target { low = Some((size, parameters)) } else { high = Some((size, parameters)) }
    }
    let best = [low, high]
        .into_iter()
        .flatten()
        .map(|(size, parameters)| solved(size, parameters))
        .min_by(|a, b| a.residual.abs().total_cmp(&b.residual.abs()));
    match best {
        None => Err(Refusal::NoValidSize),
        Some(best) if best.residual.abs() <= config.tolerance => Ok(best),
        Some(best) => Err(Refusal::TooCoarse(best)),
    }
}

/// The valid size nearest to the middle of two, both excluded.
fn between(bottom: u64, top: u64, count: &mut impl FnMut(u64) -> Option<u64>) -> Option<(u64, u64)> {
    let middle = bottom + (top - bottom) / 2;
    (0..=top - bottom)
        .flat_map(|away| [middle.checked_add(away), middle.checked_sub(away)])
        .flatten()
        .filter(|size| *size > bottom && *size < top)
        .find_map(|size| count(size).map(|parameters| (size, parameters)))
}

/// Parameters of a resolved model.
pub fn parameters(model: &ModelSpec, count: Count) -> u64 {
    match count {
        Count::Total => model.account(model.context).parameters,
        Count::NonEmbedding => model.non_embedding_parameters(),
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

    fn config(tolerance: f64) -> MatchConfig {
        MatchConfig { parameters: "model.feed_forward.hidden".into(), count: Count::Total, tolerance }
    }

    /// LLaMA's block against the two-matrix one: 3·d·h = 2·d·4d gives h = 8d/3.
    #[test]
    fn gated_hidden_sizes() {
        let rest = 1000;
        let width = 128;
        let target = rest + 2 * width * 4 * width;
        let solved = solve(&config(0.005), target, &[4 * width], |hidden| Some(rest + 3 * width * hidden)).unwrap();
        assert_eq!(solved.value, 341);
        assert!((solved.residual - (3.0 * 341.0 - 8.0 * 128.0) * 128.0 / target as f64).abs() < 1e-12);
    }

    #[test]
    fn a_preferred_size_within_the_tolerance_stays() {
        let count = |size: u64| Some(1000 + 10 * size);
        assert_eq!(solve(&config(0.01), 2010, &[100], count).unwrap().value, 100);
        assert_eq!(solve(&config(0.001), 2010, &[100], count).unwrap().value, 101);
        assert_eq!(solve(&config(0.01), 2010, &[300, 102], count).unwrap().value, 102);
    }

    #[test]
    fn coarse_constant_falling_and_impossible_sizes_are_refused() {
        match solve(&config(0.005), 1500, &[1], |size| Some(1000 * size)) {
            Err(Refusal::TooCoarse(nearest)) => assert_eq!((nearest.value, nearest.parameters), (1, 1000)),
            other => panic!("{other:?}"),
        }
        assert!(matches!(solve(&config(0.005), 2000, &[4], |_| Some(1000)), Err(Refusal::TooCoarse(_))));
        assert_eq!(solve(&config(0.005), 2000, &[4], |size| Some(1000u64.saturating_sub(size))), Err(Refusal::NotMonotone));
        assert_eq!(solve(&config(0.005), 2000, &[4], |_| None), Err(Refusal::NoValidSize));
        // Already too large at the smallest size.
        assert!(
            matches!(solve(&config(0.005), 10, &[64], |size| Some(100 + size)), Err(Refusal::TooCoarse(nearest)) if nearest.value == 1)
        );
    }

    proptest! {
        /// Against a search through all sizes, with sizes that the model forbids.
        #[test]
        fn nearest_valid_size(step in 1u64..9, slope in 1u64..50, rest in 0u64..5000, wanted in 1u64..600, start in 1u64..600) {
            let count = |size: u64| size.is_multiple_of(step).then(|| rest + slope * size * size);
            let target = rest + slope * wanted * wanted + 7;
            let distance = |size: u64| count(size).map(|n| n.abs_diff(target));
            let best = (1..2000).filter_map(distance).min().unwrap();
            let start = start.next_multiple_of(step);
            let found = match solve(&config(0.0), target, &[start], count) {
                Ok(solved) | Err(Refusal::TooCoarse(solved)) => solved,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(distance(found.value), Some(best));
        }
    }
}
