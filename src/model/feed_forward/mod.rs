//! The position-wise feed-forward branch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Feed-forward as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeedForwardConfig {
    /// Activation, and whether it gates a second projection.
    pub kind: FeedForwardKind,
    /// Hidden size: a number, a multiple of the width, LLaMA's rule, or `"matched"`.
    pub hidden: Hidden,
    /// Biases on all projections.
    pub bias: bool,
}

impl Default for FeedForwardConfig {
    fn default() -> Self {
        Self { kind: FeedForwardKind::Swiglu, hidden: Hidden::Rule(HiddenRule::Llama { multiple_of: 256 }), bias: false }
    }
}

/// Activation, and whether it gates a second projection (Shazeer 2020, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedForwardKind {
    /// max(x, 0) (Vaswani et al. 2017, equation 2).
    Relu,
    /// x·Φ(x), exact (Hendrycks & Gimpel 2016).
    Gelu,
    /// GELU by its tanh approximation (GPT-2).
    GeluTanh,
    /// x·σ(x), also called Swish.
    Silu,
    /// max(x, 0)² (Primer, So et al. 2021).
    Relu2,
    /// σ gate (Dauphin et al. 2016).
    Glu,
    /// No activation on the gate.
    Bilinear,
    /// ReLU gate.
    Reglu,
    /// GELU gate, exact.
    Geglu,
    /// GELU gate by its tanh approximation (Gemma).
    GegluTanh,
    /// SiLU gate: LLaMA's.
    Swiglu,
}

/// Hidden size as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hidden {
    /// Channels.
    Size(usize),
    /// By a rule.
    Rule(HiddenRule),
    /// `"matched"`: solved by the experiment's `[match]`.
    Matched(Matched),
}

/// A rule for the hidden size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum HiddenRule {
    /// `factor` × width, rounded down.
    Multiple {
        /// 4 in most ungated models.
        factor: f64,
    },
    /// int(2·4·width / 3), rounded up to a multiple (LLaMA release, `model.py`).
    Llama {
        /// 256 in LLaMA.
        #[serde(default = "two_hundred_and_fifty_six")]
        multiple_of: usize,
    },
}

fn two_hundred_and_fifty_six() -> usize {
    256
}

/// The word `matched`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// Solved by the experiment's `[match]`.
    Matched,
}

/// Feed-forward as resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedForwardSpec {
    /// Activation, and whether it gates.
    pub kind: FeedForwardKind,
    /// Channels.
    pub hidden: usize,
    /// Biases on all projections.
    pub bias: bool,
}
