//! Norm after each join: Vaswani et al. 2017, section 3.1; with a factor on the stream DeepNorm (Wang et al. 2022).

use super::{scale::Scale, site::Site};
use crate::model::{Pass, dropout::Dropout, norm::Norm};
use burn::{module::Module, tensor::Tensor};

/// norm(α·x + f(x)), attention first; α is 1 but for DeepNorm.
#[derive(Module, Debug)]
pub struct Post {
    attention_norm: Norm,
    feed_forward_norm: Norm,
    attention_scale: Scale,
    feed_forward_scale: Scale,
    attention_dropout: Dropout,
    feed_forward_dropout: Dropout,
    #[module(skip)]
    stream_scale: f64,
}

impl Post {
    pub(super) fn build(site: &Site) -> Self {
        Self {
            attention_norm: site.norm("attention_norm"),
            feed_forward_norm: site.norm("feed_forward_norm"),
            attention_scale: site.scale("attention_scale"),
            feed_forward_scale: site.scale("feed_forward_scale"),
            attention_dropout: site.dropout("attention_dropout"),
            feed_forward_dropout: site.dropout("feed_forward_dropout"),
            stream_scale: site.stream_scale(),
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
        let branch = self.attention_scale.forward(self.attention_dropout.forward(attention(x.clone()), pass));
        let [x, _] = self.attention_norm.forward_sum(self.stream(x), branch);
        let branch = self.feed_forward_scale.forward(self.feed_forward_dropout.forward(feed_forward(x.clone()), pass));
        let [x, _] = self.feed_forward_norm.forward_sum(self.stream(x), branch);
        x
    }

    fn stream(&self, x: Tensor<3>) -> Tensor<3> {
        if self.stream_scale == 1.0 { x } else { x * self.stream_scale }
    }
}
