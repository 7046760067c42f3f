//! A model as written and as resolved.

use super::{
    attention::{AttentionConfig, AttentionSpec},
    embedding::EmbeddingConfig,
    feed_forward::{FeedForwardConfig, FeedForwardSpec},
    head::HeadConfig,
    init::InitConfig,
    norm::NormConfig,
    position::PositionConfig,
    residual::ResidualConfig,
};
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model as written: rules and defaults allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Blocks.
    pub layers: usize,
    /// Channels of the residual stream.
    pub width: usize,
    /// Training context in tokens.
    pub context: usize,
    /// Vocabulary; the tokenizer's by default.
    pub vocab: Option<usize>,
    /// Every norm of the blocks, and the final one.
    pub norm: NormConfig,
    /// A norm before the head. By default: yes, except with `residual.kind = "post"`.
    pub final_norm: Option<bool>,
    /// Block topology.
    pub residual: ResidualConfig,
    /// Attention.
    pub attention: AttentionConfig,
    /// Positions.
    pub position: PositionConfig,
    /// Feed-forward.
    pub feed_forward: FeedForwardConfig,
    /// Embedding.
    pub embedding: EmbeddingConfig,
    /// Head and loss.
    pub head: HeadConfig,
    /// Initialisation.
    pub init: InitConfig,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            layers: 4,
            width: 128,
            context: 128,
            vocab: None,
            norm: NormConfig::default(),
            final_norm: None,
            residual: ResidualConfig::default(),
            attention: AttentionConfig::default(),
            position: PositionConfig::default(),
            feed_forward: FeedForwardConfig::default(),
            embedding: EmbeddingConfig::default(),
            head: HeadConfig::default(),
            init: InitConfig::default(),
        }
    }
}

/// A model as resolved: every size explicit, every cross-field rule checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Blocks.
    pub layers: usize,
    /// Channels of the residual stream.
    pub width: usize,
    /// Training context in tokens.
    pub context: usize,
    /// Vocabulary.
    pub vocab: usize,
    /// Every norm of the blocks, and the final one.
    pub norm: NormConfig,
    /// A norm before the head.
    pub final_norm: bool,
    /// Block topology.
    pub residual: ResidualConfig,
    /// Attention.
    pub attention: AttentionSpec,
    /// Positions.
    pub position: PositionConfig,
    /// Feed-forward.
    pub feed_forward: FeedForwardSpec,
    /// Embedding.
    pub embedding: EmbeddingConfig,
    /// Head and loss.
    pub head: HeadConfig,
    /// Initialisation.
    pub init: InitConfig,
}

impl ModelConfig {
    /// Checks every cross-field rule and fills every size. `vocab` is the tokenizer's size, where there is one.
    ///
    /// # Errors
    ///
    /// All broken rules at once; keys start with `model.`.
    pub fn resolve(&self, vocab: Option<usize>) -> Result<ModelSpec, Vec<Problem>> {
        let _ = vocab;
        todo!()
    }
}
