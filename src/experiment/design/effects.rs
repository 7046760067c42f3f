//! Effects of a factorial design as weighted sums of its cells.

use super::factors::Factor;
use crate::settings::Problem;
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
    /// Effects that these cells cannot tell from it.
    pub aliases: Vec<String>,
    /// Weight of each arm; they sum to 0.
    pub weights: BTreeMap<String, f64>,
}

/// The cells of a factorial design, from which its effects are made once it is known which of them are the same run.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Cells {
    pub(super) factors: Vec<Factor>,
    /// The level of every factor in each cell; 0 is the base's.
    pub(super) levels: Vec<Vec<usize>>,
    /// The arm of each cell.
    pub(super) arms: Vec<String>,
    /// Whether these are not all combinations.
    pub(super) fraction: bool,
    /// Whether interactions are compared too.
    pub(super) interactions: bool,
}

/// Factors that are taken from the base's level to another: the factor, its level.
type Part = (usize, usize);

impl Cells {
    /// Whether these are not all combinations: then every cell counts for every effect.
    pub fn is_fraction(&self) -> bool {
        self.fraction
    }

    /// Main effects, then interactions of two. `same` names the arm that an arm is the same run as.
    ///
    /// An effect that is a multiple of one before it is an alias of that one: it would be the same comparison twice. What
    /// changes no run has no effect.
    ///
    /// # Errors
    ///
    /// A factor that changes no cell.
    pub fn effects(&self, same: &BTreeMap<String, String>) -> Result<Vec<Effect>, Problem> {
        let runs: Vec<&str> = self.arms.iter().map(|arm| same.get(arm).unwrap_or(arm).as_str()).collect();
        let cells: BTreeMap<&[usize], &str> = self.levels.iter().map(Vec::as_slice).zip(runs).collect();
        let mut found: Vec<Effect> = Vec::new();
        let mut changes = vec![false; self.factors.len()];
        for parts in self.parts() {
            let weights = if self.fraction { of_fraction(&cells, &parts) } else { of_all(&cells, &parts) };
            if weights.is_empty() {
                continue;
            }
            parts.iter().for_each(|(factor, _)| changes[*factor] = true);
            match found.iter_mut().find(|other| is_multiple(&other.weights, &weights)) {
                Some(other) => other.aliases.push(self.name(&parts)),
                None if parts.len() == 1 || self.interactions => found.push(self.effect(&parts, weights)),
                None => {}
            }
        }
        match changes.iter().position(|changes| !changes) {
            Some(index) => {
                let message = format!("factor `{}` changes no cell", self.factors[index].name);
                let help = "mend its condition; a factor whose condition asks for another conditional one stands after that";
                Err(Problem::new(format!("factor[{index}]"), message).help(help))
            }
            None => Ok(found),
        }
    }

    /// Every level of every factor, then every two of different factors.
    fn parts(&self) -> Vec<Vec<Part>> {
        let levels = |at: usize| (1..=self.factors[at].levels.len()).map(move |level| (at, level));
        let count = self.factors.len();
        let mut parts: Vec<Vec<Part>> = (0..count).flat_map(levels).map(|part| vec![part]).collect();
        for a in 0..count {
            for b in a + 1..count {
                parts.extend(levels(a).flat_map(|first| levels(b).map(move |second| vec![first, second])));
            }
        }
        parts
    }

    fn level(&self, (factor, level): Part) -> &str {
        &self.factors[factor].levels[level - 1].name
    }

    fn name(&self, parts: &[Part]) -> String {
        let words: Vec<String> = parts.iter().map(|part| format!("{}: {}", self.factors[part.0].name, self.level(*part))).collect();
        words.join(" × ")
    }

    fn effect(&self, parts: &[Part], weights: BTreeMap<String, f64>) -> Effect {
        Effect {
            name: self.name(parts),
            factors: parts.iter().map(|(at, _)| self.factors[*at].name.clone()).collect(),
            levels: parts.iter().map(|part| self.level(*part).to_string()).collect(),
            aliases: vec![],
            weights,
        }
    }
}

/// The effect of taking each factor of `parts` from the base's level to the given one, averaged over all else: for one factor
/// the difference of the means, for two the difference of differences.
///
/// Cells in which such a step changes nothing, because a condition does not hold, tell nothing of it and are left out.
fn of_all(cells: &BTreeMap<&[usize], &str>, parts: &[Part]) -> BTreeMap<String, f64> {
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    let mut count = 0.0;
    for (cell, _) in cells.iter().filter(|(cell, _)| parts.iter().all(|(at, to)| cell[*at] == *to)) {
        // The cell itself, then those with some of the factors (as bits) at the base's level.
        let corner = |back: usize| {
            let mut levels = cell.to_vec();
            parts.iter().enumerate().filter(|(bit, _)| back >> bit & 1 == 1).for_each(|(_, (at, _))| levels[*at] = 0);
            cells[levels.as_slice()]
        };
        let corners: Vec<&str> = (0..1 << parts.len()).map(corner).collect();
        let changes = |back: usize| (0..parts.len()).all(|bit| corners[back] != corners[back ^ 1 << bit]);
        if !(0..corners.len()).all(changes) {
            continue;
        }
        count += 1.0;
        for (back, run) in corners.iter().enumerate() {
            *weights.entry(run.to_string()).or_default() += if back.count_ones() % 2 == 0 { 1.0 } else { -1.0 };
        }
    }
    weights.values_mut().for_each(|weight| *weight /= count);
    weights.retain(|_, weight| *weight != 0.0);
    weights
}

/// The same of a fraction of two levels, in which half of the cells have each level and all count.
fn of_fraction(cells: &BTreeMap<&[usize], &str>, parts: &[Part]) -> BTreeMap<String, f64> {
    let share = cells.keys().filter(|cell| parts.iter().all(|(at, to)| cell[*at] == *to)).count() as f64;
    let sign = |cell: &[usize]| -> f64 { parts.iter().map(|(at, to)| if cell[*at] == *to { 1.0 } else { -1.0 }).product() };
    cells.iter().map(|(cell, run)| (run.to_string(), sign(cell) / share)).collect()
}

/// Whether two effects are the same comparison but for a factor.
fn is_multiple(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> bool {
    let mut pairs = a.iter().zip(b);
    let Some(((_, x), (_, y))) = a.iter().zip(b).next() else { return false };
    a.len() == b.len() && pairs.all(|((arm, one), (other, two))| (one * y - two * x).abs() < 1e-9 && arm == other)
}
