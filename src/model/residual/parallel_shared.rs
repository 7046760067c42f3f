//! Both branches read one norm: GPT-J, PaLM (Chowdhery et al. 2022, section 2), Falcon 7B.

use super::{scale::Scale, site::Site};
use crate::{
    model::{Pass, dropout::Dropout, norm::Norm},
    ops,
};
use burn::{module::Module, tensor::Tensor};

/// x + attention(norm(x)) + feed_forward(norm(x)). The one norm is `attention_norm`.
#[derive(Module, Debug)]
pub struct ParallelShared {
    attention_norm: Norm,
    attention_scale: Scale,
    feed_forward_scale: Scale,
    attention_dropout: Dropout,
    feed_forward_dropout: Dropout,
}

impl ParallelShared {
    pub(super) fn build(site: &Site) -> Self {
        Self {
            attention_norm: site.norm("attention_norm"),
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
        let normed = self.attention_norm.forward(x.clone());
        let attended = self.attention_scale.forward(self.attention_dropout.forward(attention(normed.clone()), pass));
        let fed = self.feed_forward_scale.forward(self.feed_forward_dropout.forward(feed_forward(normed), pass));
        ops::add(ops::add(x, attended), fed)
    }
}
