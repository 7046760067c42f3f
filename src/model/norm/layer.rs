//! LayerNorm: GPT-2's, with less and less learned.

use super::{depth_factor, scaled};
use crate::{
    model::{Account, init::Scope},
    ops,
};
use burn::{
    module::{Module, Param},
    tensor::Tensor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of LayerNorm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LayerNormConfig {
    /// Added to the variance before the root.
    pub eps: f64,
    /// Learn a gain per channel. Off, with `bias` off: OLMo 1's non-parametric form.
    pub gain: bool,
    /// Learn a bias per channel. Off: PaLM, MPT.
    pub bias: bool,
    /// Divide the output by the square root of the layer's number from 1 (LayerNorm scaling, Sun et al. 2025).
    pub depth_scale: bool,
}

impl Default for LayerNormConfig {
    fn default() -> Self {
        Self { eps: 1e-5, gain: true, bias: true, depth_scale: false }
    }
}

/// (x - mean) / √(var + eps) · gain + bias, all in f32 (Ba et al. 2016, equation 4).
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`, starts at 1.
    pub gain: Option<Param<Tensor<1>>>,
    /// `[width]`, starts at 0.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    eps: f64,
    #[module(skip)]
    factor: Option<f64>,
}

impl LayerNormConfig {
    /// The norm at the place `scope`.
    pub fn build(&self, scope: &Scope, width: usize) -> LayerNorm {
        LayerNorm {
            gain: self.gain.then(|| scope.constant("gain", [width], 1.0)),
            bias: self.bias.then(|| scope.constant("bias", [width], 0.0)),
            eps: self.eps,
            factor: depth_factor(self.depth_scale, scope),
        }
    }

    /// Two statistics per row.
    pub fn account(&self, width: usize) -> Account {
        Account { parameters: (usize::from(self.gain) * width + usize::from(self.bias) * width) as u64, ..Account::kept(4 * (width + 2)) }
    }
}

impl LayerNorm {
    /// # Shapes
    ///
    /// - `x`: `[..., width]`
    /// - output: as `x`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let [gain, bias] = [&self.gain, &self.bias].map(|p| p.as_ref().map(Param::val));
        scaled(ops::layer_norm(x, gain, bias, self.eps), self.factor)
    }

    /// The norm of x + branch, and x + branch.
    ///
    /// # Shapes
    ///
    /// - `x`, `branch`: `[..., width]`
    /// - outputs: as `x`
    pub fn forward_sum<const D: usize>(&self, x: Tensor<D>, branch: Tensor<D>) -> [Tensor<D>; 2] {
        let [gain, bias] = [&self.gain, &self.bias].map(|p| p.as_ref().map(Param::val));
        let [y, sum] = ops::add_layer_norm(x, branch, gain, bias, self.eps);
        [scaled(y, self.factor), sum]
    }
}
