//! Normalisation of the residual stream, of branches, of queries and keys.

mod dyt;
mod layer;
mod none;
mod rms;

pub use dyt::{DynamicTanh, DytConfig};
pub use layer::{LayerNorm, LayerNormConfig};
pub use none::{NoNorm, NoNormConfig};
pub use rms::{RmsNorm, RmsNormConfig};

use crate::{
    model::{Account, init::Scope},
    ops,
    settings::Problem,
};
use burn::{module::Module, tensor::Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of normalisation. Source of each in its own file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NormConfig {
    /// RMSNorm (Zhang & Sennrich 2019): LLaMA's.
    Rms(RmsNormConfig),
    /// LayerNorm (Ba et al. 2016), with gain and bias, gain only, or neither.
    Layer(LayerNormConfig),
    /// Dynamic tanh (Zhu et al. 2025): no statistics at all.
    Dyt(DytConfig),
    /// No normalisation.
    None(NoNormConfig),
}

impl Default for NormConfig {
    fn default() -> Self {
        Self::Rms(RmsNormConfig::default())
    }
}

/// A normalisation over the last dimension.
#[derive(Module, Debug)]
pub enum Norm {
    /// Root mean square.
    Rms(RmsNorm),
    /// Mean and variance.
    Layer(LayerNorm),
    /// Dynamic tanh.
    Dyt(DynamicTanh),
    /// The identity.
    None(NoNorm),
}

impl NormConfig {
    /// The norm at the place `scope`, for `width` channels.
    pub fn build(&self, scope: &Scope, width: usize) -> Norm {
        match self {
            Self::Rms(config) => Norm::Rms(config.build(scope, width)),
            Self::Layer(config) => Norm::Layer(config.build(scope, width)),
            Self::Dyt(config) => Norm::Dyt(config.build(scope, width)),
            Self::None(config) => Norm::None(config.build()),
        }
    }

    /// Cost of one row of `width` channels: parameters, no matrix products, and what backward needs in f32, the input
    /// (4 bytes per channel) and the row's statistics (4 bytes each).
    pub fn account(&self, width: usize) -> Account {
        match self {
            Self::Rms(config) => config.account(width),
            Self::Layer(config) => config.account(width),
            Self::Dyt(config) => config.account(width),
            Self::None(config) => config.account(),
        }
    }

    /// Whether the output can be made again from the input: by a norm that is one operator, with no factor behind it.
    pub(super) fn is_cheap(&self, in_block: bool) -> bool {
        match self {
            Self::Rms(config) => !(in_block && config.depth_scale),
            Self::Layer(config) => !(in_block && config.depth_scale),
            Self::Dyt(_) | Self::None(_) => false,
        }
    }

    /// What is added under the root, in norms that divide by one.
    pub fn eps(&self) -> Option<f64> {
        match self {
            Self::Rms(config) => Some(config.eps),
            Self::Layer(config) => Some(config.eps),
            Self::Dyt(_) | Self::None(_) => None,
        }
    }

    /// Values no norm can work with. `key` is where this configuration stands, e.g. `model.norm`.
    pub fn problems(&self, key: &str) -> Vec<Problem> {
        let wrong = |name: &str, value: f64| Problem::new(format!("{key}.{name}"), format!("{value} is not a positive number"));
        match (self, self.eps()) {
            (_, Some(eps)) if !(eps.is_finite() && eps > 0.0) => vec![wrong("eps", eps)],
            (Self::Dyt(config), _) if !config.alpha.is_finite() => {
                vec![Problem::new(format!("{key}.alpha"), format!("{} is not a finite number", config.alpha))]
            }
            _ => Vec::new(),
        }
    }
}

impl Norm {
    /// # Shapes
    ///
    /// - `x`: `[..., width]`
    /// - output: as `x`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Rms(norm) => norm.forward(x),
            Self::Layer(norm) => norm.forward(x),
            Self::Dyt(norm) => norm.forward(x),
            Self::None(norm) => norm.forward(x),
        }
    }

    /// The norm of x + branch, and x + branch; in one pass where the norm has a kernel.
    ///
    /// # Shapes
    ///
    /// - `x`, `branch`: `[..., width]`
    /// - outputs: as `x`
    pub fn forward_sum<const D: usize>(&self, x: Tensor<D>, branch: Tensor<D>) -> [Tensor<D>; 2] {
        match self {
            Self::Rms(norm) => norm.forward_sum(x, branch),
            Self::Layer(norm) => norm.forward_sum(x, branch),
            Self::Dyt(_) | Self::None(_) => {
                let sum = ops::add(x, branch);
                [self.forward(sum.clone()), sum]
            }
        }
    }
}

/// 1/√(layer number from 1) where it is asked for, 1 elsewhere and outside of blocks (LayerNorm scaling, Sun et al.
/// 2025, equation 6).
fn depth_factor(asked: bool, scope: &Scope) -> Option<f64> {
    scope.layer_index().filter(|_| asked).map(|layer| 1.0 / ((layer + 1) as f64).sqrt())
}

/// `y` times the factor, if there is one.
fn scaled<const D: usize>(y: Tensor<D>, factor: Option<f64>) -> Tensor<D> {
    match factor {
        Some(factor) => y.mul_scalar(factor),
        None => y,
    }
}

#[cfg(test)]
mod tests;
