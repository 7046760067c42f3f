//! Normalisation of the residual stream, of branches, of queries and keys.

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

/// No normalisation has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoNormConfig {}

/// STANDIN
#[derive(burn::module::Module, Debug)]
pub struct Norm {
    gain: Option<burn::module::Param<burn::tensor::Tensor<1>>>,
}
impl NormConfig {
    /// STANDIN
    pub fn build(&self, _scope: &crate::model::init::Scope, _width: usize) -> Norm {
        todo!()
    }
    /// STANDIN
    pub fn account(&self, _width: usize) -> crate::model::Account {
        todo!()
    }
}
impl Norm {
    /// STANDIN
    pub fn forward<const D: usize>(&self, _x: burn::tensor::Tensor<D>) -> burn::tensor::Tensor<D> {
        todo!()
    }
}
