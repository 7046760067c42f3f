//! A weighted sum of arms, seed by seed: the difference of two, or an effect of a factorial design.

use super::{
    design::Effect,
    plan::Plan,
    runs::{Runs, value},
};

/// A weighted sum of arms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contrast<'a> {
    /// Weight of each arm; they sum to 0.
    weights: Vec<(&'a str, f64)>,
}

impl<'a> Contrast<'a> {
    /// One arm less another.
    pub fn pair(arm: &'a str, reference: &'a str) -> Self {
        Self { weights: vec![(arm, 1.0), (reference, -1.0)] }
    }

    /// An effect.
    pub fn effect(effect: &'a Effect) -> Self {
        Self { weights: effect.weights.iter().map(|(arm, weight)| (arm.as_str(), *weight)).collect() }
    }

    /// The weight of each arm.
    pub fn weights(&self) -> &[(&'a str, f64)] {
        &self.weights
    }

    /// The arms that it needs.
    pub fn arms(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.weights.iter().map(|(arm, _)| *arm)
    }

    /// Its value for every one of these seeds whose runs all finished.
    pub fn values(&self, seeds: &[u64], runs: &Runs, metric: &str) -> Vec<f64> {
        seeds.iter().filter_map(|seed| self.value(*seed, runs, metric)).collect()
    }

    /// Its value for a seed; none unless all its runs finished.
    pub fn value(&self, seed: u64, runs: &Runs, metric: &str) -> Option<f64> {
        self.weights.iter().map(|(arm, weight)| Some(weight * value(runs, arm, seed, metric)?)).sum()
    }
}

/// All comparisons of a plan, pairs first: the family that the correction covers.
pub(super) fn family(plan: &Plan) -> Vec<Contrast<'_>> {
    let pairs = plan.comparisons().map(|(arm, reference)| Contrast::pair(&arm.name, reference));
    pairs.chain(plan.effects.iter().map(Contrast::effect)).collect()
}
