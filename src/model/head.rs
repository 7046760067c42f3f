//! Language-model head: logits and loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Language-model head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// A bias per vocabulary entry (GPT-J, Phi).
    pub bias: bool,
    /// Logits z become c·tanh(z/c). Gemma 2: 30; nanochat: 15.
    pub soft_cap: Option<f64>,
    /// Weight of the squared log-partition in the training loss (PaLM: 1e-4). Not part of validation.
    pub z_loss: f64,
    /// Probability mass spread evenly over the vocabulary in the training loss (Vaswani et al. 2017: 0.1).
    pub label_smoothing: f64,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self { bias: false, soft_cap: None, z_loss: 0.0, label_smoothing: 0.0 }
    }
}
