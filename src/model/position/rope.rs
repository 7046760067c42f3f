//! Rotary position embedding.

use super::{RopeScaling, Use};
use crate::{
    ops::{self, Rotation},
    settings::Problem,
};
use burn::{module::Module, tensor::Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::Arc};

/// Options of rotary embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RopeConfig {
    /// Base of the frequencies. LLaMA 1 and 2: 10,000; Llama 3 and OLMo 2: 500,000.
    pub theta: f64,
    /// Share of each head that is rotated, from the front. GPT-NeoX: 0.25; LLaMA: 1.
    pub fraction: f64,
    /// Which channels form a pair.
    pub pairing: Pairing,
    /// How frequencies change for contexts beyond training.
    pub scaling: RopeScaling,
    /// Which layers rotate, repeated over the layers. SmolLM3: `["on", "on", "on", "off"]`.
    pub pattern: Vec<Use>,
}

impl Default for RopeConfig {
    fn default() -> Self {
        Self { theta: 10_000.0, fraction: 1.0, pairing: Pairing::Interleaved, scaling: RopeScaling::default(), pattern: vec![Use::On] }
    }
}

/// Which channels of a head rotate together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Neighbours (0, 1), (2, 3), …: the LLaMA release, GPT-J.
    Interleaved,
    /// Halves (0, d/2), (1, d/2 + 1), …: GPT-NeoX, `transformers`.
    Half,
}

/// Cosines and sines by position and pair. Kept on the host: they are no parameters, and each use uploads the rows that
/// it needs to whatever device its input is on, with gradients or without.
#[derive(Module, Debug)]
pub struct Rope {
    #[module(skip)]
    frequencies: Vec<f64>,
    #[module(skip)]
    magnitude: f64,
    #[module(skip)]
    head_dim: usize,
    #[module(skip)]
    pairing: Pairing,
    #[module(skip)]
    pattern: Vec<Use>,
    #[module(skip)]
    table: Arc<Table>,
}

/// Row-major `[positions, pairs]`.
#[derive(Debug)]
struct Table {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Positions whose angles are kept at most: 64 MiB of them in a head of 128 channels, whatever context a model claims.
const KEPT: usize = 1 << 17;

impl RopeConfig {
    /// The tables of a training context, or of the beginning of a very long one; angles of later positions are computed when
    /// these come, in f64 as all.
    pub fn build(&self, head_dim: usize, context: usize) -> Rope {
        let frequencies = self.scaling.frequencies(self.theta, self.rotated(head_dim));
        let magnitude = self.scaling.magnitude();
        let table = Arc::new(table(&frequencies, magnitude, 0..context.min(KEPT)));
        Rope { frequencies, magnitude, head_dim, pairing: self.pairing, pattern: self.pattern.clone(), table }
    }

    /// Channels of a head that rotate: fraction × head_dim, rounded down.
    pub fn rotated(&self, head_dim: usize) -> usize {
        (self.fraction * head_dim as f64 + 1e-9) as usize
    }

    /// Rules broken for heads of `head_dim` channels.
    pub fn problems(&self, head_dim: usize) -> Vec<Problem> {
        let mut problems: Vec<Problem> = theta_problem(self.theta).into_iter().collect();
        let rotated = self.rotated(head_dim);
        if !(self.fraction > 0.0 && self.fraction <= 1.0) {
            problems.push(Problem::new("model.position.fraction", format!("{} is not above 0 and at most 1", self.fraction)));
        } else if rotated < 2 || rotated % 2 == 1 {
            let message = format!("rope rotates pairs, but {} of {head_dim} channels per head are {rotated}", self.fraction);
            let help =
                "choose model.attention.heads, model.attention.head_dim or model.position.fraction so that it is even and at least 2";
            problems.push(Problem::new("model.position.fraction", message).help(help));
        } else {
            problems.extend(self.scaling.problems(rotated));
        }
        problems.extend(Use::problem(&self.pattern));
        problems
    }
}

/// The rule for a base of wavelengths.
pub(super) fn theta_problem(theta: f64) -> Option<Problem> {
    let wrong = !(theta.is_finite() && theta > 1.0);
    wrong.then(|| Problem::new("model.position.theta", format!("{theta} is not a number above 1")).help("10000 is usual"))
}

fn table(frequencies: &[f64], magnitude: f64, positions: Range<usize>) -> Table {
    let angles = || positions.clone().flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
    Table { cos: angles().map(|a| (magnitude * a.cos()) as f32).collect(), sin: angles().map(|a| (magnitude * a.sin()) as f32).collect() }
}

impl Rope {
    /// Rotates queries and keys of `layer`, if its pattern says so. Keys stand at positions from 0 on, queries at the
    /// last of them.
    ///
    /// # Shapes
    ///
    /// - `q`: `[batch, heads, query_seq, head_dim]`, `k`: `[batch, kv_heads, key_seq, head_dim]`
    /// - output: the same
    pub fn rotate(&self, q: Tensor<4>, k: Tensor<4>, layer: usize) -> (Tensor<4>, Tensor<4>) {
        let ([_, _, queries, _], [_, _, keys, _]) = (q.dims(), k.dims());
        let Some(all) = self.rotation_of(layer, keys) else { return (q, k) };
        let q = if queries == keys { ops::rotary(q, &all) } else { ops::rotary(q, &self.rotation(keys - queries..keys)) };
        (q, ops::rotary(k, &all))
    }

    /// Whether the pattern says that `layer` rotates.
    pub fn rotates(&self, layer: usize) -> bool {
        Use::at(&self.pattern, layer)
    }

    /// The rotation of `layer` at positions from 0 to `seq`, if its pattern says so.
    pub fn rotation_of(&self, layer: usize, seq: usize) -> Option<Rotation> {
        self.rotates(layer).then(|| self.rotation(0..seq))
    }

    /// The rotation of these positions.
    pub fn rotation(&self, positions: impl Iterator<Item = usize>) -> Rotation {
        let pairs = self.frequencies.len();
        let (mut cos, mut sin) = (vec![], vec![]);
        for p in positions {
            let row = p * pairs..(p + 1) * pairs;
            if row.end <= self.table.cos.len() {
                cos.extend_from_slice(&self.table.cos[row.clone()]);
                sin.extend_from_slice(&self.table.sin[row]);
            } else {
                let Table { cos: more_cos, sin: more_sin } = table(&self.frequencies, self.magnitude, p..p + 1);
                cos.extend(more_cos);
                sin.extend(more_sin);
            }
        }
        Rotation::new(&cos, &sin, pairs, self.head_dim, self.pairing == Pairing::Interleaved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_no_longer_than_is_kept_whatever_context_is_claimed() {
        let positions = |context| RopeConfig::default().build(2, context).table.cos.len();
        assert_eq!([16, KEPT, 1 << 24].map(positions), [16, KEPT, KEPT]);
    }
}
