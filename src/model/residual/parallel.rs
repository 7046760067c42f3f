//! Both branches read the block's input, each through a norm of its own: GPT-NeoX, Falcon 40B.

use super::{scale::Scale, site::Site};
use crate::{
    model::{Pass, dropout::Dropout, norm::Norm},
    ops,
};
use burn::{module::Module, tensor::Tensor};

/// x + attention(norm₁(x)) + feed_forward(norm₂(x)).
#[derive(Module, Debug)]
pub struct Parallel {
    attention_norm: Norm,
    feed_forward_norm: Norm,
    attention_scale: Scale,
    feed_forward_scale: Scale,
    attention_dropout: Dropout,
    feed_forward_dropout: Dropout,
}

impl Parallel {
    pub(super) fn build(site: &Site) -> Self {
        Self {
            attention_norm: site.norm("attention_norm"),
            feed_forward_norm: site.norm("feed_forward_norm"),
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
        let attended = attention(self.attention_norm.forward(x.clone()));
        let fed = feed_forward(self.feed_forward_norm.forward(x.clone()));
        let attended = self.attention_scale.forward(self.attention_dropout.forward(attended, pass));
        let fed = self.feed_forward_scale.forward(self.feed_forward_dropout.forward(fed, pass));
        ops::add(ops::add(x, attended), fed)
    }
}
