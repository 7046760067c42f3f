//! Attention with linear biases.

use super::Use;
use crate::{ops::ScoreBias, settings::Problem};
use burn::module::Module;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Fixed slopes per head.
#[derive(Module, Debug)]
pub struct Alibi {
    #[module(skip)]
    slopes: Vec<f32>,
    #[module(skip)]
    pattern: Vec<Use>,
}

impl AlibiConfig {
    /// The slopes of `heads` heads.
    pub fn build(&self, heads: usize) -> Alibi {
        let slopes = self.slopes(heads).into_iter().map(|s| s as f32).collect();
        Alibi { slopes, pattern: self.pattern.clone() }
    }

    /// 2^(-max_exponent·h/H) for h = 1 to H. If H is no power of two: those of the next lower power P, then the first,
    /// third, … of those of 2P (Press et al. 2021, section 3 and the released `get_slopes`).
    pub fn slopes(&self, heads: usize) -> Vec<f64> {
        let series = |n: usize| (1..=n).map(move |h| (-self.max_exponent * h as f64 / n as f64).exp2());
        let lower = if heads.is_power_of_two() { heads } else { heads.next_power_of_two() / 2 };
        series(lower).chain(series(2 * lower).step_by(2)).take(heads).collect()
    }

    /// Broken rules.
    pub fn problems(&self) -> Vec<Problem> {
        // Beyond 64 the smallest slopes times any distance vanish beside the scores.
        let exponent = (!(self.max_exponent > 0.0 && self.max_exponent <= 64.0)).then(|| {
            let message = format!("{} is not above 0 and at most 64", self.max_exponent);
            Problem::new("model.position.max_exponent", message).help("the paper uses 8")
        });
        exponent.into_iter().chain(Use::problem(&self.pattern)).collect()
    }
}

impl Alibi {
    /// What `layer` adds to the scores.
    pub fn bias(&self, layer: usize) -> ScoreBias {
        if Use::at(&self.pattern, layer) { ScoreBias::Alibi(self.slopes.clone()) } else { ScoreBias::None }
    }
}
