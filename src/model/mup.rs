//! µP: sizes of initial weights and learning rates by which what is tuned at one width holds at others.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The maximal update parametrisation (Yang et al. 2022, arXiv 2203.03466, table 8), by which the best learning rate and
/// initialisation of a narrow model are those of a wide one. At the base width it changes nothing.
///
/// With m = width / base_width, beside what the same model has at the base width:
///
/// | parameter | standard deviation | rate of Adam and AdamW | rate of SGD | multiplier |
/// |---|---|---|---|---|
/// | embedding, positions | the same | the same | · m | |
/// | matrices of the blocks | / √m | / m | the same | |
/// | head | the same | the same | · m | logits / m |
/// | biases, gains | the same | the same | · m | |
///
/// Scores of attention are scaled by √base_head_dim / head_dim, unless `model.attention.scale` is written. Weight decay is
/// divided by what multiplies the rate, so that a step of it stays the same. All sizes inside the blocks are taken to grow with the
/// width. Lion, Adafactor and Muon have no rule in that paper and are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MupConfig {
    /// Width at which initialisation and learning rate are as written.
    pub base_width: usize,
    /// Channels of a head at that width: the model's own if wider models have more heads of the same size, base_width / heads if
    /// they have the same number of larger ones.
    pub base_head_dim: usize,
}

impl MupConfig {
    /// Rules that the section breaks.
    pub fn problems(&self) -> Vec<Problem> {
        let sizes = [("base_width", self.base_width), ("base_head_dim", self.base_head_dim)];
        let broken = sizes.into_iter().filter(|(_, size)| *size == 0);
        broken.map(|(key, _)| Problem::new(format!("model.mup.{key}"), "must be positive")).collect()
    }

    /// How many times the base width a width is.
    pub fn multiple(&self, width: usize) -> f64 {
        width as f64 / self.base_width as f64
    }

    /// The factor on the scores of heads with `head_dim` channels.
    pub(super) fn attention_scale(&self, head_dim: usize) -> f64 {
        // At the base to the bit what it is without.
        if head_dim == self.base_head_dim { 1.0 / (head_dim as f64).sqrt() } else { (self.base_head_dim as f64).sqrt() / head_dim as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_scale_falls_with_the_head_and_is_the_usual_one_at_the_base() {
        let mup = MupConfig { base_width: 48, base_head_dim: 24 };
        assert_eq!(mup.attention_scale(24), 1.0 / 24f64.sqrt());
        assert!((mup.attention_scale(96) * 4.0 - 1.0 / 24f64.sqrt()).abs() < 1e-15);
        assert_eq!(mup.multiple(120), 2.5);
    }

    #[test]
    fn sizes_of_nothing_are_problems() {
        let keys: Vec<_> = MupConfig { base_width: 0, base_head_dim: 0 }.problems().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["model.mup.base_width", "model.mup.base_head_dim"]);
    }
}
