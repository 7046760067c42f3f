//! How the model knows where a token stands.

mod alibi;
mod learned;
mod none;
mod places;
mod rope;
mod scaling;
mod sinusoidal;
mod t5;

pub use alibi::{Alibi, AlibiConfig};
pub use learned::{LearnedConfig, LearnedPosition};
pub use none::{NoPosition, NoPositionConfig};
pub use places::Places;
pub use rope::{Pairing, Rope, RopeConfig};
pub use scaling::RopeScaling;
pub use sinusoidal::{Sinusoidal, SinusoidalConfig};
pub use t5::{RelativeBias, T5Config};

use crate::{
    model::{Account, ModelSpec, init::Scope},
    ops::{Rotation, ScoreBias},
    settings::Problem,
};
use burn::{module::Module, tensor::Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of position information. Source of each in its own file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PositionConfig {
    /// Rotary embedding of queries and keys (Su et al. 2021): LLaMA's.
    Rope(RopeConfig),
    /// A learned vector per absolute position, added to the embedding (GPT-2).
    Learned(LearnedConfig),
    /// Fixed sines and cosines added to the embedding (Vaswani et al. 2017, section 3.5).
    Sinusoidal(SinusoidalConfig),
    /// A linear penalty on distance added to the scores (ALiBi, Press et al. 2021).
    Alibi(AlibiConfig),
    /// A learned bias per bucket of distance and head, shared by the layers (T5, Raffel et al. 2020).
    T5(T5Config),
    /// No position information (NoPE, Kazemnejad et al. 2023).
    None(NoPositionConfig),
}

impl Default for PositionConfig {
    fn default() -> Self {
        Self::Rope(RopeConfig::default())
    }
}

/// Whether a layer uses the position information; a pattern of these repeats over the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// The layer uses it.
    On,
    /// The layer does without (NoPE).
    Off,
}

impl Use {
    /// Whether `layer`, from 0, uses it under a repeated pattern.
    pub(super) fn at(pattern: &[Self], layer: usize) -> bool {
        pattern[layer % pattern.len()] == Self::On
    }

    fn problem(pattern: &[Self]) -> Option<Problem> {
        let help = "write at least one of \"on\", \"off\"";
        pattern.is_empty().then(|| Problem::new("model.position.pattern", "the pattern is empty").help(help))
    }
}

/// Position information of a model, shared by its layers.
#[derive(Module, Debug)]
pub enum Position {
    /// Rotary.
    Rope(Rope),
    /// A learned table.
    Learned(LearnedPosition),
    /// A fixed table.
    Sinusoidal(Sinusoidal),
    /// A linear penalty on distance.
    Alibi(Alibi),
    /// A learned bias by distance.
    T5(RelativeBias),
    /// Nothing.
    None(NoPosition),
}

impl PositionConfig {
    /// The position information at the place `scope`.
    pub fn build(&self, scope: &Scope, spec: &ModelSpec) -> Position {
        match self {
            Self::Rope(config) => Position::Rope(config.build(spec.attention.head_dim, spec.context)),
            Self::Learned(config) => Position::Learned(config.build(scope, spec.context, spec.width)),
            Self::Sinusoidal(config) => Position::Sinusoidal(config.build(spec.context, spec.width)),
            Self::Alibi(config) => Position::Alibi(config.build(spec.attention.heads)),
            Self::T5(config) => Position::T5(config.build(scope, spec.attention.heads)),
            Self::None(config) => Position::None(config.build()),
        }
    }

    /// Cost: parameters only. There is no matrix product, and backward needs nothing that is not kept anyway.
    pub fn account(&self, spec: &ModelSpec) -> Account {
        let parameters = match self {
            Self::Learned(_) => spec.context * spec.width,
            Self::T5(config) => config.buckets * spec.attention.heads,
            Self::Rope(_) | Self::Sinusoidal(_) | Self::Alibi(_) | Self::None(_) => 0,
        };
        Account { parameters: parameters as u64, ..Account::default() }
    }

    /// The longest sequence it is defined for, after training on `context` tokens; none if there is no limit.
    pub fn context_limit(&self, context: usize) -> Option<usize> {
        matches!(self, Self::Learned(_)).then_some(context)
    }

    /// Rules that it breaks for heads of `head_dim` channels. Keys start with `model.position.`.
    pub fn problems(&self, head_dim: usize) -> Vec<Problem> {
        match self {
            Self::Rope(config) => config.problems(head_dim),
            Self::Sinusoidal(config) => config.problems(),
            Self::Alibi(config) => config.problems(),
            Self::T5(config) => config.problems(),
            Self::Learned(_) | Self::None(_) => Vec::new(),
        }
    }
}

impl Position {
    /// Adds absolute positions from 0 on to embedded tokens; the identity for kinds that act inside attention.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    ///
    /// # Panics
    ///
    /// Learned positions, if seq is beyond the training context: see [`PositionConfig::context_limit`].
    pub fn embed(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Learned(position) => position.embed(x),
            Self::Sinusoidal(position) => position.embed(x),
            Self::Rope(_) | Self::Alibi(_) | Self::T5(_) | Self::None(_) => x,
        }
    }

    /// [`Position::embed`] for tokens that continue others.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[rows, count, width]`
    ///
    /// # Panics
    ///
    /// Learned positions, beyond the training context: see [`PositionConfig::context_limit`].
    pub fn embed_at(&self, x: Tensor<3>, places: &Places) -> Tensor<3> {
        match self {
            Self::Learned(position) => position.embed_at(x, places),
            Self::Sinusoidal(position) => position.embed_at(x, places),
            Self::Rope(_) | Self::Alibi(_) | Self::T5(_) | Self::None(_) => x,
        }
    }

    /// The rotation of tokens that continue others, for the layers that [rotate](Position::rotates): of `count` positions if
    /// all rows [share](Places::shared) them, else of `rows · count`, row by row.
    pub fn rotation_at(&self, places: &Places) -> Option<Rotation> {
        match self {
            Self::Rope(rope) => Some(match places.shared() {
                Some(range) => rope.rotation(range),
                None => rope.rotation(places.positions()),
            }),
            _ => None,
        }
    }

    /// Whether `layer`, from 0, rotates queries and keys.
    pub fn rotates(&self, layer: usize) -> bool {
        matches!(self, Self::Rope(rope) if rope.rotates(layer))
    }

    /// Rotates queries and keys of `layer`, from 0; the identity for other kinds. Keys stand at positions from 0 on,
    /// queries at the last of them.
    ///
    /// # Shapes
    ///
    /// - `q`: `[batch, heads, query_seq, head_dim]`, `k`: `[batch, kv_heads, key_seq, head_dim]`
    /// - output: the same
    pub fn rotate(&self, q: Tensor<4>, k: Tensor<4>, layer: usize) -> (Tensor<4>, Tensor<4>) {
        match self {
            Self::Rope(rope) => rope.rotate(q, k, layer),
            _ => (q, k),
        }
    }

    /// The rotation of queries and keys of `layer`, from 0, at positions from 0 to `seq`.
    pub fn rotation(&self, layer: usize, seq: usize) -> Option<Rotation> {
        match self {
            Self::Rope(rope) => rope.rotation_of(layer, seq),
            _ => None,
        }
    }

    /// What `layer`, from 0, adds to the scores.
    pub fn bias(&self, layer: usize) -> ScoreBias {
        match self {
            Self::Alibi(alibi) => alibi.bias(layer),
            Self::T5(bias) => bias.bias(layer),
            _ => ScoreBias::None,
        }
    }
}

#[cfg(test)]
mod tests;
