//! Effects of a factorial design as weighted sums of its cells.

use super::factors::Factor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A main effect or an interaction: what it is, and with which weights the arms make it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Name: `norm: layer`, `norm: layer × position: rope`.
    pub name: String,
    /// Factors that take part.
    pub factors: Vec<String>,
    /// Their levels, against the base's.
    pub levels: Vec<String>,
    /// Effects that this fraction cannot tell from it.
    pub aliases: Vec<String>,
    /// Weight of each arm; they sum to 0.
    pub weights: BTreeMap<String, f64>,
}

/// Level `level` (0 is the base's) of a factor.
fn level(factor: &Factor, level: usize) -> &str {
    level.checked_sub(1).map_or("base", |at| factor.levels[at].name.as_str())
}

/// The name of an effect of these factors, each at a level.
pub(super) fn name(factors: &[Factor], parts: &[(usize, usize)]) -> String {
    let words: Vec<String> = parts.iter().map(|(at, to)| format!("{}: {}", factors[*at].name, level(&factors[*at], *to))).collect();
    words.join(" × ")
}

/// The effect of taking each factor of `parts` from the base's level to the given one, averaged over all else: for one
/// factor the difference of the means, for two the difference of differences.
pub(super) fn effect(factors: &[Factor], cells: &[Vec<usize>], arms: &[String], parts: &[(usize, usize)], aliases: Vec<String>) -> Effect {
    // +1 at the level, -1 at the base's, nothing at others.
    let sign = |cell: &[usize]| -> f64 {
        parts
            .iter()
            .map(|(at, to)| {
                if cell[*at] == *to {
                    1.0
                } else if cell[*at] == 0 {
                    -1.0
                } else {
                    0.0
                }
            })
            .product()
    };
    let share = cells.iter().filter(|cell| parts.iter().all(|(at, to)| cell[*at] == *to)).count() as f64;
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for (cell, arm) in cells.iter().zip(arms) {
        *weights.entry(arm.clone()).or_default() += sign(cell) / share;
    }
    weights.retain(|_, weight| *weight != 0.0);
    Effect {
        name: name(factors, parts),
        factors: parts.iter().map(|(at, _)| factors[*at].name.clone()).collect(),
        levels: parts.iter().map(|(at, to)| level(&factors[*at], *to).to_string()).collect(),
        aliases,
        weights,
    }
}

impl Effect {
    /// The same with `arm` standing for `merged`, which is the same run.
    pub(in super::super) fn merge(&mut self, merged: &str, arm: &str) {
        if let Some(weight) = self.weights.remove(merged) {
            *self.weights.entry(arm.to_string()).or_default() += weight;
            self.weights.retain(|_, weight| weight.abs() > 1e-12);
        }
    }
}
