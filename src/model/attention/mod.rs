//! Causal self-attention with any number of key-value heads.

mod cache;
mod extend;
mod module;
mod probe;
mod resolve;

pub use cache::KeyValue;
pub use extend::Extension;
pub use module::Attention;
pub use probe::Spread;

use crate::model::norm::NormConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Attention as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionConfig {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads: `heads` for multi-head (the default), 1 for multi-query, between for grouped-query attention.
    pub kv_heads: Option<usize>,
    /// Channels of a head; width / heads by default.
    pub head_dim: Option<usize>,
    /// Normalisation of queries and keys, before rotation.
    pub qk_norm: QkNormConfig,
    /// Factor on the scores; 1/√head_dim by default.
    pub scale: Option<f64>,
    /// Scores s become c·tanh(s/c). Gemma 2: 50.
    pub soft_cap: Option<f64>,
    /// Keys that a query of a `window` layer sees, itself included; needed when the pattern has such layers.
    pub window: Option<usize>,
    /// Which layers see the whole context and which a window, repeated over the layers. Gemma 2: `["window", "full"]`.
    pub pattern: Vec<Span>,
    /// Whether tokens see only their own document where a sequence holds several (Llama 3, Grattafiori et al. 2024,
    /// section 3.2; "intra-document causal masking", Zhao et al. 2024). Documents are told apart by the token that opens them.
    pub document_mask: bool,
    /// Biases of the projections: `true`, `false`, or one switch each.
    pub bias: BiasConfig,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self {
            heads: 4,
            kv_heads: None,
            head_dim: None,
            qk_norm: QkNormConfig::default(),
            scale: None,
            soft_cap: None,
            window: None,
            pattern: vec![Span::Full],
            document_mask: false,
            bias: BiasConfig::All(false),
        }
    }
}

/// What a layer's queries see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// All earlier tokens.
    Full,
    /// The last `window` tokens.
    Window,
}

/// Where queries and keys are normalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum QkNormConfig {
    /// Nowhere.
    None {},
    /// Each head by itself, one gain of head_dim for all heads (Qwen 3, Gemma 3).
    PerHead {
        /// The normalisation.
        #[serde(default)]
        norm: NormConfig,
    },
    /// The whole projection before it is split into heads (OLMo 2).
    FullWidth {
        /// The normalisation.
        #[serde(default)]
        norm: NormConfig,
    },
}

impl Default for QkNormConfig {
    fn default() -> Self {
        Self::None {}
    }
}

/// Biases of the projections as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BiasConfig {
    /// All or none.
    All(bool),
    /// One switch for each projection.
    Each(AttentionBias),
}

/// Biases of the projections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionBias {
    /// On the queries.
    pub query: bool,
    /// On the keys.
    pub key: bool,
    /// On the values.
    pub value: bool,
    /// On the output projection.
    pub output: bool,
}

/// Attention as resolved: every size explicit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionSpec {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Normalisation of queries and keys.
    pub qk_norm: QkNormConfig,
    /// Factor on the scores.
    pub scale: f64,
    /// Soft cap of the scores.
    pub soft_cap: Option<f64>,
    /// Keys that a query of a `window` layer sees.
    pub window: Option<usize>,
    /// One entry per layer.
    pub spans: Vec<Span>,
    /// Whether tokens see only their own document.
    // Left out where off, so that runs from before there was a choice keep their identity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub document_mask: bool,
    /// Biases of the projections.
    pub bias: AttentionBias,
}

impl AttentionSpec {
    /// Keys that a query of `layer`, from 0, sees at most; none if there is no limit.
    pub fn window_at(&self, layer: usize) -> Option<usize> {
        self.window.filter(|_| self.spans[layer % self.spans.len()] == Span::Window)
    }
}
