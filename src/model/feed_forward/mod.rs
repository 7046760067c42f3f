//! The position-wise feed-forward branch.

mod glu;
mod hidden;
mod mlp;

pub use glu::Glu;
pub use hidden::{Hidden, HiddenRule, Matched};
pub use mlp::Mlp;

use super::{Account, init::Scope};
use crate::{ops::Activation, settings::Problem};
use burn::{module::Module, tensor::Tensor};
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

/// The branch as built.
#[derive(Module, Debug)]
pub enum FeedForward {
    /// One projection up, an activation, one down.
    Mlp(Mlp),
    /// Two projections up, one of them gating the other, one down.
    Glu(Glu),
}

impl FeedForwardKind {
    /// Whether the activation is applied to a projection of its own that multiplies another.
    pub fn is_gated(self) -> bool {
        match self {
            Self::Relu | Self::Gelu | Self::GeluTanh | Self::Silu | Self::Relu2 => false,
            Self::Glu | Self::Bilinear | Self::Reglu | Self::Geglu | Self::GegluTanh | Self::Swiglu => true,
        }
    }

    /// The activation, of the gate where there is one.
    pub(super) fn activation(self) -> Activation {
        match self {
            Self::Relu | Self::Reglu => Activation::Relu,
            Self::Gelu | Self::Geglu => Activation::Gelu,
            Self::GeluTanh | Self::GegluTanh => Activation::GeluTanh,
            Self::Silu | Self::Swiglu => Activation::Silu,
            Self::Relu2 => Activation::Relu2,
            Self::Glu => Activation::Sigmoid,
            Self::Bilinear => Activation::Identity,
        }
    }
}

impl FeedForwardConfig {
    /// Computes the hidden size of a branch on `width` channels.
    ///
    /// # Errors
    ///
    /// A size or a factor that is not positive; `"matched"`, which only an experiment can replace by a number.
    pub fn resolve(&self, width: usize) -> Result<FeedForwardSpec, Vec<Problem>> {
        match self.hidden.size(width) {
            Ok(hidden) => Ok(FeedForwardSpec { kind: self.kind, hidden, bias: self.bias }),
            Err(problem) => Err(vec![problem]),
        }
    }
}

impl FeedForwardSpec {
    /// Builds the branch on `width` channels.
    pub fn build(&self, scope: &Scope, width: usize) -> FeedForward {
        if self.kind.is_gated() {
            FeedForward::Glu(Glu::build(self, scope, width))
        } else {
            FeedForward::Mlp(Mlp::build(self, scope, width))
        }
    }

    /// Cost of the branch on `width` channels.
    pub fn account(&self, width: usize) -> Account {
        if self.kind.is_gated() { Glu::account(self, width) } else { Mlp::account(self, width) }
    }
}

impl FeedForward {
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Mlp(branch) => branch.forward(x),
            Self::Glu(branch) => branch.forward(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_of_gated_and_ungated_branches() {
        let parameters = |kind, bias| FeedForwardSpec { kind, hidden: 6, bias }.account(4).parameters;
        assert_eq!(parameters(FeedForwardKind::Relu, false), 2 * 4 * 6);
        assert_eq!(parameters(FeedForwardKind::Relu, true), 2 * 4 * 6 + 6 + 4);
        assert_eq!(parameters(FeedForwardKind::Swiglu, false), 3 * 4 * 6);
        assert_eq!(parameters(FeedForwardKind::Swiglu, true), 3 * 4 * 6 + 6 + 6 + 4);
    }

    #[test]
    fn flops_are_six_per_weight() {
        let account = FeedForwardSpec { kind: FeedForwardKind::Geglu, hidden: 6, bias: false }.account(4);
        assert_eq!(account.flops_per_token, 6.0 * account.parameters as f64);
    }
}
