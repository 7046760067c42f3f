//! Dynamic tanh.

use super::{depth_factor, scaled};
use crate::{
    model::{Account, init::Scope},
    ops,
};
use burn::{
    module::{Module, Param},
    tensor::{FloatDType, Tensor},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of dynamic tanh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DytConfig {
    /// Initial value of the learned scalar inside the tanh.
    pub alpha: f64,
    /// Divide the output by the square root of the layer's number from 1.
    pub depth_scale: bool,
}

impl Default for DytConfig {
    fn default() -> Self {
        Self { alpha: 0.5, depth_scale: false }
    }
}

/// tanh(alpha·x)·gain + bias, in f32, then cast (Zhu et al. 2025, equation 1).
#[derive(Module, Debug)]
pub struct DynamicTanh {
    /// `[1]`.
    pub alpha: Param<Tensor<1>>,
    /// `[width]`, starts at 1.
    pub gain: Param<Tensor<1>>,
    /// `[width]`, starts at 0.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    factor: Option<f64>,
}

impl DytConfig {
    /// The norm at the place `scope`.
    pub fn build(&self, scope: &Scope, width: usize) -> DynamicTanh {
        DynamicTanh {
            alpha: scope.constant("alpha", [1], self.alpha as f32),
            gain: scope.constant("gain", [width], 1.0),
            bias: scope.constant("bias", [width], 0.0),
            factor: depth_factor(self.depth_scale, scope),
        }
    }

    /// No statistics; input and tanh are kept.
    pub fn account(&self, width: usize) -> Account {
        Account { parameters: (2 * width + 1) as u64, ..Account::kept(8 * width) }
    }
}

impl DynamicTanh {
    /// # Shapes
    ///
    /// - `x`: `[..., width]`
    /// - output: as `x`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = FloatDType::from(x.dtype());
        let wide = ops::wide(x.dtype());
        let read = |p: &Param<Tensor<1>>| p.val().cast(wide).unsqueeze::<D>();
        let squashed = (x.cast(wide) * read(&self.alpha)).tanh();
        scaled((squashed * read(&self.gain) + read(&self.bias)).cast(dtype), self.factor)
    }
}
