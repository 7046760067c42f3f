//! Token embedding.

use crate::model::norm::{NoNormConfig, NormConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Token embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// The head uses the embedding's matrix (Press & Wolf 2017). LLaMA: no.
    pub tied: bool,
    /// Multiply embeddings by √width (Vaswani et al. 2017, section 3.4; Gemma).
    pub scale: bool,
    /// Normalisation of the embedded tokens (BLOOM, nanochat).
    pub norm: NormConfig,
    /// Probability of dropping a channel of the embedded tokens, positions included.
    pub dropout: f64,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self { tied: false, scale: false, norm: NormConfig::None(NoNormConfig {}), dropout: 0.0 }
    }
}
