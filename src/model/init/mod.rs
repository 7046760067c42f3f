//! Initialisation: one standard noise per parameter, scaled by the scheme.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scheme. LLaMA's is unpublished.
///
/// Every matrix has one standard normal noise, keyed by seed and path and drawn in row-major order; a scheme only scales
/// it (or maps it to a uniform distribution), so arms with different schemes stay paired. Biases start at 0, gains at 1.
///
/// | scheme | reads the stream | writes to the stream | embedding, positions | head |
/// |---|---|---|---|---|
/// | `normal` | std | std | std | std |
/// | `gpt2` | std | std/√(2·layers) | std | std |
/// | `mitchell`, cut at 3σ | 1/√fan_in | 1/√(2·fan_in·layer), layer from 1 | 1/√width | 1/√width |
/// | `small` | √(2/(5·width)) | 2/(layers·√width) | √(2/(5·width)) | √(2/(5·width)) |
/// | `xavier`, uniform | gain·√(2/(fan_in + fan_out)) | the same | the same on `[vocab, width]` | the same |
/// | `truncated` | std before the cut | std | std | std |
///
/// DeepNorm multiplies all that is read as values or by the feed-forward, and all that is written, by its β.
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

impl InitConfig {
    /// Values that no scheme can draw with. Keys start with `model.init.`.
    pub fn problems(&self) -> Vec<Problem> {
        let positive = |key: &str, value: f64| {
            (!(value.is_finite() && value > 0.0))
                .then(|| Problem::new(format!("model.init.{key}"), format!("{value} is not a positive number")))
        };
        let cut = |value: f64| {
            let help = "few draws fall inside a narrower cut; 2 and 3 are usual";
            (value.is_finite() && value > 0.0 && value < 0.1)
                .then(|| Problem::new("model.init.cutoff", format!("{value} is below 0.1 standard deviations")).help(help))
        };
        match *self {
            Self::Normal { std } | Self::Gpt2 { std } => positive("std", std).into_iter().collect(),
            Self::Mitchell {} | Self::Small {} => Vec::new(),
            Self::Xavier { gain } => positive("gain", gain).into_iter().collect(),
            Self::Truncated { std, cutoff } => {
                [positive("std", std), positive("cutoff", cutoff), cut(cutoff)].into_iter().flatten().collect()
            }
        }
    }
}

mod draw;
mod scope;

pub(crate) use scope::{Divided, Sketched};
pub use scope::{Marks, Role, Scope};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_are_named() {
        let keys = |config: InitConfig| config.problems().into_iter().map(|p| p.key).collect::<Vec<_>>();
        assert!(keys(InitConfig::default()).is_empty());
        assert_eq!(keys(InitConfig::Normal { std: 0.0 }), ["model.init.std"]);
        assert_eq!(keys(InitConfig::Xavier { gain: f64::NAN }), ["model.init.gain"]);
        assert_eq!(keys(InitConfig::Truncated { std: -1.0, cutoff: 0.01 }), ["model.init.std", "model.init.cutoff"]);
    }
}
