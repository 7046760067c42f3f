//! Norms before and after each branch: CogView (Ding et al. 2021), Gemma 2, Peri-LN (Kim et al. 2025).

use super::{scale::Scale, site::Site};
use crate::{
    model::{Pass, dropout::Dropout, norm::Norm},
    ops,
};
use burn::{module::Module, tensor::Tensor};

/// x + norm(f(norm(x))), attention first.
#[derive(Module, Debug)]
pub struct Sandwich {
    attention_norm: Norm,
    attention_output_norm: Norm,
    feed_forward_norm: Norm,
    feed_forward_output_norm: Norm,
    attention_scale: Scale,
    feed_forward_scale: Scale,
    attention_dropout: Dropout,
    feed_forward_dropout: Dropout,
}

impl Sandwich {
    pub(super) fn build(site: &Site) -> Self {
        Self {
            attention_norm: site.norm("attention_norm"),
            attention_output_norm: site.norm("attention_output_norm"),
            feed_forward_norm: site.norm("feed_forward_norm"),
            feed_forward_output_norm: site.norm("feed_forward_output_norm"),
            attention_scale: site.scale("attention_scale"),
            feed_forward_scale: site.scale("feed_forward_scale"),
            attention_dropout: site.dropout("attention_dropout"),
            feed_forward_dropout: site.dropout("feed_forward_dropout"),
        }
    }

    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        attention: impl FnOnce(Tensor<3>) -> Tensor<3>,
        feed_forward: impl FnOnce(Tensor<3>) -> Tensor<3>,
        pass: &Pass,
    ) -> Tensor<3> {
        let branch = attention(self.attention_norm.forward(x.clone()));
        let branch = self.attention_output_norm.forward(branch);
        let branch = self.attention_scale.forward(self.attention_dropout.forward(branch, pass));
        let [normed, x] = self.feed_forward_norm.forward_sum(x, branch);
        let branch = self.feed_forward_output_norm.forward(feed_forward(normed));
        ops::add(x, self.feed_forward_scale.forward(self.feed_forward_dropout.forward(branch, pass)))
    }
}
