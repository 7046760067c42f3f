//! Block topology: how the branches are joined to the residual stream, and where the norms stand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Residual connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualConfig {
    /// Where the norms stand and whether the branches run one after the other.
    pub kind: ResidualKind,
    /// Factor on the branches.
    pub scale: BranchScale,
    /// Probability of dropping a channel of a branch's output (Vaswani et al. 2017, section 5.4).
    pub dropout: f64,
}

impl Default for ResidualConfig {
    fn default() -> Self {
        Self { kind: ResidualKind::Pre, scale: BranchScale::default(), dropout: 0.0 }
    }
}

/// Block topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResidualKind {
    /// x + f(norm(x)): GPT-2, LLaMA.
    Pre,
    /// norm(x + f(x)): Vaswani et al. 2017. No final norm.
    Post,
    /// x + norm(f(norm(x))): Gemma 2; Peri-LN (Kim et al. 2025); sandwich (CogView).
    Sandwich,
    /// x + norm(f(x)): OLMo 2.
    Output,
    /// x + attention(norm(x)) + feed_forward(norm(x)) with one shared norm: GPT-J, PaLM, Falcon 7B.
    ParallelShared,
    /// x + attention(norm₁(x)) + feed_forward(norm₂(x)): GPT-NeoX, Falcon 40B.
    Parallel,
}

/// Factor on the branches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BranchScale {
    /// 1.
    None {},
    /// 1/√(2·layers), fixed.
    Depth {},
    /// A learned scalar per branch; 0 at the start is ReZero (Bachlechner et al. 2020).
    Learned {
        /// Initial value.
        #[serde(default)]
        initial: f64,
    },
    /// DeepNorm (Wang et al. 2022): norm(α·x + f(x)), α = (2·layers)^¼, and the values, output and feed-forward
    /// weights start β = (8·layers)^-¼ times as large. Needs `kind = "post"`.
    Deepnorm {},
}

impl Default for BranchScale {
    fn default() -> Self {
        Self::None {}
    }
}
