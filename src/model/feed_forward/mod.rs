//! The position-wise feed-forward branch.

mod glu;
mod hidden;
mod mlp;

pub use glu::Glu;
pub use hidden::{Hidden, HiddenRule, Matched};
pub use mlp::Mlp;

use super::{Account, Pass, init::Scope};
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

/// Activations below this count as none. A ReLU that is off gives 0; GELU and SiLU only come near it.
pub const DEAD: f64 = 1e-6;

impl FeedForward {
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(branch) => branch.forward(x, pass),
            Self::Glu(branch) => branch.forward(x, pass),
        }
    }

    /// The share of hidden units that are dead when it reads `x`, `[batch, seq, width]`: whose activation, of the gate where
    /// there is one, is smaller than [`DEAD`] in size at every token.
    pub fn dead_units(&self, x: Tensor<3>) -> f64 {
        let units = match self {
            Self::Mlp(branch) => branch.units(x),
            Self::Glu(branch) => branch.units(x),
        };
        let [batch, seq, hidden] = units.dims();
        let largest = units.abs().reshape([batch * seq, hidden]).max_dim(0).into_data();
        largest.iter::<f64>().filter(|size| *size < DEAD).count() as f64 / hidden as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::init::{InitConfig, Role},
        ops::check::{noise, values},
    };
    use burn::tensor::TensorData;

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

    #[test]
    fn dead_units_are_those_that_no_token_wakes() {
        let device = burn::tensor::Device::flex();
        let scope = Scope::new(5, &InitConfig::Normal { std: 0.5 }, 1, 4, 1.0, &device);
        let dead =
            |kind: FeedForwardKind, x: &Tensor<3>| FeedForwardSpec { kind, hidden: 24, bias: false }.build(&scope, 4).dead_units(x.clone());
        let x: Tensor<3> = Tensor::from_data(TensorData::new(noise("x", 12), [1, 3, 4]), &device);
        // The gate of one and the projection of the other, by hand.
        for (kind, name) in [(FeedForwardKind::Relu, "up"), (FeedForwardKind::Reglu, "gate")] {
            let weights = values(scope.child(name).matrix("weight", 4, 24, Role::Hidden).val());
            let tokens: Vec<Vec<f64>> = values(x.clone()).chunks(4).map(<[f64]>::to_vec).collect();
            let product = |token: &[f64], unit: usize| token.iter().enumerate().map(|(i, v)| v * weights[i * 24 + unit]).sum::<f64>();
            let asleep = (0..24).filter(|unit| tokens.iter().all(|token| product(token, *unit) <= 0.0)).count();
            assert!(asleep > 0 && asleep < 24);
            assert_eq!(dead(kind, &x), asleep as f64 / 24.0, "{kind:?}");
        }
        for kind in [FeedForwardKind::Gelu, FeedForwardKind::Swiglu, FeedForwardKind::Glu, FeedForwardKind::Bilinear] {
            assert_eq!(dead(kind, &x), 0.0, "{kind:?}");
        }
        assert_eq!(dead(FeedForwardKind::Silu, &x.mul_scalar(0.0)), 1.0);
    }
}
