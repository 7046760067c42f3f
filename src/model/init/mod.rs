//! Initialisation: one standard noise per parameter, scaled by the scheme.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scheme. LLaMA's is unpublished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum InitConfig {
    /// Every matrix N(0, std²) (OLMo 2).
    Normal {
        /// Standard deviation.
        #[serde(default = "two_hundredths")]
        std: f64,
    },
    /// N(0, std²), projections that write to the residual stream divided by √(2·layers) (GPT-2).
    Gpt2 {
        /// Standard deviation.
        #[serde(default = "two_hundredths")]
        std: f64,
    },
    /// N(0, 1/fan_in), projections that write to the residual stream 1/√(2·fan_in·layer), cut at 3σ (Mitchell; OLMo 1).
    Mitchell {},
    /// N(0, 2/(5·width)) (Nguyen & Salazar 2019), residual projections 2/(layers·√width) (GPT-NeoX).
    Small {},
    /// Uniform with variance 2/(fan_in + fan_out) (Glorot & Bengio 2010).
    Xavier {
        /// Factor on the standard deviation.
        #[serde(default = "one")]
        gain: f64,
    },
    /// N(0, std²) redrawn beyond `cutoff`·std.
    Truncated {
        /// Standard deviation before the cut.
        #[serde(default = "two_hundredths")]
        std: f64,
        /// In standard deviations.
        #[serde(default = "three")]
        cutoff: f64,
    },
}

fn two_hundredths() -> f64 {
    0.02
}
fn one() -> f64 {
    1.0
}
fn three() -> f64 {
    3.0
}

impl Default for InitConfig {
    fn default() -> Self {
        Self::Gpt2 { std: 0.02 }
    }
}

mod scope;

pub use scope::{Role, Scope};
