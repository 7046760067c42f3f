//! What goes on inside a forward pass, block by block.

use super::{Pass, Transformer, attention::Spread, transformer::Block};
use crate::ops::{computing, square_norm};
use burn::{
    module::Module,
    tensor::{Int, Tensor},
};

/// What a block did with a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activity {
    /// Root of the mean square of the residual stream behind the block.
    pub stream_rms: f64,
    /// How its attention was spread.
    pub spread: Spread,
    /// Share of hidden units of the feed-forward that were never active.
    pub dead_units: f64,
}

impl Transformer {
    /// Runs `tokens`, `[batch, seq]`, through the blocks and tells what each did. The model may be on a device with autodiff;
    /// nothing is recorded for gradients, and nothing in the model changes.
    pub fn activity(&self, tokens: Tensor<2, Int>, pass: &Pass) -> Vec<Activity> {
        let (model, pass) = (self.valid(), pass.without_gradients());
        computing(pass.precision, || {
            let mut x = model.embedding.forward(tokens.inner(), &model.position, &pass);
            let mut blocks = Vec::with_capacity(model.layers.len());
            for block in &model.layers {
                let (output, spread, dead_units) = block.watched(x, &model, &pass);
                x = output;
                blocks.push(Activity { stream_rms: rms(x.clone()), spread, dead_units });
            }
            blocks
        })
    }
}

impl Block {
    /// The block's own forward pass, and what its two branches did with what they read.
    fn watched(&self, x: Tensor<3>, model: &Transformer, pass: &Pass) -> (Tensor<3>, Spread, f64) {
        let (mut spread, mut dead) = (None, None);
        let attention = |x: Tensor<3>| {
            spread = Some(self.attention.spread(x.clone(), &model.position, pass));
            self.attention.forward(x, &model.position, pass)
        };
        let feed_forward = |x: Tensor<3>| {
            dead = Some(self.feed_forward.dead_units(x.clone()));
            self.feed_forward.forward(x, pass)
        };
        let output = self.residual.forward(x, attention, feed_forward, pass);
        (output, spread.expect("every topology has the branch"), dead.expect("every topology has the branch"))
    }
}

fn rms(x: Tensor<3>) -> f64 {
    let count = x.shape().num_elements() as f64;
    (f64::from(square_norm(x).into_scalar::<f32>()) / count).sqrt()
}
