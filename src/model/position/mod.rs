//! How the model knows where a token stands.

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

/// How rotary frequencies change for contexts beyond training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Unchanged.
    None {},
    /// Positions divided by `factor` (Chen et al. 2023).
    Linear {
        /// Context extension.
        factor: f64,
    },
    /// Base multiplied by factor^(d/(d-2)) ("NTK-aware").
    Ntk {
        /// Context extension.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high kept, a linear blend between.
    Llama3 {
        /// Division of the low frequencies; 8 in Llama 3.1, 32 in 3.2.
        factor: f64,
        /// Wavelengths above `original_context / low_frequency` are divided.
        #[serde(default = "one")]
        low_frequency: f64,
        /// Wavelengths below `original_context / high_frequency` are kept.
        #[serde(default = "four")]
        high_frequency: f64,
        /// Context of the original training; 8192 in Llama 3.
        original_context: usize,
    },
    /// YaRN (Peng et al. 2023): per-frequency blend and a factor on the attention.
    Yarn {
        /// Context extension.
        factor: f64,
        /// Context of the original training.
        original_context: usize,
        /// Rotations above which a frequency is kept.
        #[serde(default = "thirty_two")]
        beta_fast: f64,
        /// Rotations below which a frequency is divided.
        #[serde(default = "one")]
        beta_slow: f64,
    },
}

fn one() -> f64 {
    1.0
}
fn four() -> f64 {
    4.0
}
fn thirty_two() -> f64 {
    32.0
}

impl Default for RopeScaling {
    fn default() -> Self {
        Self::None {}
    }
}

/// Learned positions have no options: there is one vector per position of the training context.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnedConfig {}

/// Options of sinusoidal positions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SinusoidalConfig {
    /// Base of the wavelengths.
    pub theta: f64,
}

impl Default for SinusoidalConfig {
    fn default() -> Self {
        Self { theta: 10_000.0 }
    }
}

/// Options of ALiBi.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlibiConfig {
    /// Exponent of the steepest series of slopes: head h of H has slope 2^(-max_exponent · h/H).
    pub max_exponent: f64,
    /// Which layers use the bias, repeated over the layers.
    pub pattern: Vec<Use>,
}

impl Default for AlibiConfig {
    fn default() -> Self {
        Self { max_exponent: 8.0, pattern: vec![Use::On] }
    }
}

/// Options of T5's relative bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct T5Config {
    /// Number of buckets; half of them exact, half logarithmic.
    pub buckets: usize,
    /// Distance from which all share the last bucket.
    pub max_distance: usize,
    /// Which layers use the bias, repeated over the layers.
    pub pattern: Vec<Use>,
}

impl Default for T5Config {
    fn default() -> Self {
        Self { buckets: 32, max_distance: 128, pattern: vec![Use::On] }
    }
}

/// No position information has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoPositionConfig {}

/// STANDIN
#[derive(burn::module::Module, Debug)]
pub struct Position {
    table: Option<burn::module::Param<burn::tensor::Tensor<2>>>,
}
impl PositionConfig {
    /// STANDIN
    pub fn build(&self, _scope: &crate::model::init::Scope, _spec: &crate::model::ModelSpec) -> Position {
        todo!()
    }
    /// STANDIN
    pub fn account(&self, _spec: &crate::model::ModelSpec) -> crate::model::Account {
        todo!()
    }
    /// STANDIN
    pub fn context_limit(&self, _context: usize) -> Option<usize> {
        todo!()
    }
}
impl Position {
    /// STANDIN
    pub fn embed(&self, _x: burn::tensor::Tensor<3>) -> burn::tensor::Tensor<3> {
        todo!()
    }
}
