//! RMSNorm: LLaMA's, Gemma's, nanochat's.

use super::{depth_factor, scaled};
use crate::{
    model::{Account, init::Scope},
    ops::{self, RmsGain},
};
use burn::{
    module::{Module, Param},
    tensor::Tensor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of RMSNorm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RmsNormConfig {
    /// Added to the mean square before the root. LLaMA 7B to 33B: 1e-6; 65B: 1e-5; the released code's default: 1e-5.
    pub eps: f64,
    /// Gemma's form: multiply by 1 + w in f32 before the cast, w starting at 0. Off: LLaMA's, cast first, then w.
    pub unit_offset: bool,
    /// Learn a gain per channel. Off: nanochat's parameter-free form.
    pub gain: bool,
    /// Divide the output by the square root of the layer's number from 1 (LayerNorm scaling, Sun et al. 2025).
    pub depth_scale: bool,
}

impl Default for RmsNormConfig {
    fn default() -> Self {
        Self { eps: 1e-5, unit_offset: false, gain: true, depth_scale: false }
    }
}

/// x / √(mean(x²) + eps), statistics in f32, with a gain (Zhang & Sennrich 2019, equation 4).
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`; starts at 1, or at 0 with a unit offset.
    pub gain: Option<Param<Tensor<1>>>,
    #[module(skip)]
    eps: f64,
    #[module(skip)]
    unit_offset: bool,
    #[module(skip)]
    factor: Option<f64>,
}

impl RmsNormConfig {
    /// The norm at the place `scope`. A unit offset without a gain is the parameter-free form.
    pub fn build(&self, scope: &Scope, width: usize) -> RmsNorm {
        let start = if self.unit_offset { 0.0 } else { 1.0 };
        RmsNorm {
            gain: self.gain.then(|| scope.constant("gain", [width], start)),
            eps: self.eps,
            unit_offset: self.unit_offset,
            factor: depth_factor(self.depth_scale, scope),
        }
    }

    /// The operator keeps two statistics per row.
    pub fn account(&self, width: usize) -> Account {
        Account { parameters: if self.gain { width as u64 } else { 0 }, ..Account::kept(4 * (width + 2)) }
    }
}

impl RmsNorm {
    /// # Shapes
    ///
    /// - `x`: `[..., width]`
    /// - output: as `x`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        scaled(ops::rms_norm(x, self.gain(), self.eps), self.factor)
    }

    /// The norm of x + branch, and x + branch.
    ///
    /// # Shapes
    ///
    /// - `x`, `branch`: `[..., width]`
    /// - outputs: as `x`
    pub fn forward_sum<const D: usize>(&self, x: Tensor<D>, branch: Tensor<D>) -> [Tensor<D>; 2] {
        let [y, sum] = ops::add_rms_norm(x, branch, self.gain(), self.eps);
        [scaled(y, self.factor), sum]
    }

    fn gain(&self) -> RmsGain {
        match &self.gain {
            None => RmsGain::None,
            Some(gain) if self.unit_offset => RmsGain::UnitOffset(gain.val()),
            Some(gain) => RmsGain::AfterCast(gain.val()),
        }
    }
}
