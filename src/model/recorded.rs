//! A forward pass and its backward pass, by any policy of what is kept between them.

use super::{Loss, Pass, Transformer};
use crate::ops::{Activations, computing, report_kept};
use burn::{
    module::Module,
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Gradients, Int, Tensor},
};

/// A forward pass with what its backward pass needs.
pub struct Recorded {
    /// The loss.
    pub loss: Loss,
    /// Where only the inputs of blocks were kept.
    blocks: Option<Blocks>,
}

/// What is kept to run blocks again.
struct Blocks {
    /// What the first block reads, with the gradients of the embedding behind it.
    embedded: Tensor<3>,
    /// What each block read, without gradients.
    inputs: Vec<Tensor<3>>,
    /// What the last block gave: where the gradients of head and final norm end.
    last: Tensor<3>,
    pass: Pass,
}

impl Transformer {
    /// The mean training loss over all tokens of the batch, ready for its gradients. The model is on a device with
    /// autodiff.
    ///
    /// # Shapes
    ///
    /// - `tokens`, `targets`: `[batch, seq]`; `targets`: `[1, scored]` with [`Pass::scored`]
    pub fn record(&self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>, pass: &Pass) -> Recorded {
        if pass.activations != Activations::Recompute {
            return Recorded { loss: self.loss(tokens, targets, pass), blocks: None };
        }
        computing(pass.precision, || self.record_blocks(tokens, targets, pass))
    }

    fn record_blocks(&self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>, pass: &Pass) -> Recorded {
        let embedded = self.embedding.forward(tokens, &self.position, pass);
        let (model, plain) = (self.valid(), pass.without_gradients());
        let mut x = embedded.clone().inner();
        let mut inputs = Vec::with_capacity(model.layers.len());
        for block in &model.layers {
            report_kept(&x);
            inputs.push(x.clone());
            x = block.forward(x, &model.position, &plain);
        }
        report_kept(&x);
        let last = Tensor::from_inner(x).require_grad();
        let loss = self.loss_of(last.clone(), targets, pass);
        Recorded { loss, blocks: Some(Blocks { embedded, inputs, last, pass: pass.clone() }) }
    }
}

impl Recorded {
    /// Gradients of `share` of the objective, for the parameters of the model that it was recorded with.
    ///
    /// The bits do not depend on what was kept: every operator sees the same numbers, and the gradients of a parameter
    /// that several blocks use are added from the last block to the first, as without running blocks again.
    pub fn backward(self, model: &Transformer, share: f64) -> GradientsParams {
        let objective = self.loss.objective;
        let scaled = if share == 1.0 { objective } else { objective.mul_scalar(share) };
        let mut gradients = scaled.backward();
        let Some(Blocks { embedded, mut inputs, last, pass }) = self.blocks else {
            return GradientsParams::from_grads(gradients, model);
        };
        let mut sum = GradientsAccumulator::new();
        let mut of_output = taken(&last, &mut gradients);
        drop(last);
        sum.accumulate(model, GradientsParams::from_grads(gradients, model));
        for block in model.layers.iter().rev() {
            let x = Tensor::from_inner(inputs.pop().expect("an input for each block")).require_grad();
            let y = computing(pass.precision, || block.forward(x.clone(), &model.position, &pass));
            let mut gradients = product(y, of_output).backward();
            of_output = taken(&x, &mut gradients);
            sum.accumulate(model, GradientsParams::from_grads(gradients, model));
        }
        let gradients = product(embedded, of_output).backward();
        sum.accumulate(model, GradientsParams::from_grads(gradients, model));
        sum.grads()
    }
}

/// The gradient of a leaf.
fn taken(x: &Tensor<3>, gradients: &mut Gradients) -> Tensor<3> {
    x.grad_remove(gradients).expect("the loss depends on every block")
}

/// A scalar whose gradient by `y` is `gradient`, to the bit: 1 · gradient.
fn product(y: Tensor<3>, gradient: Tensor<3>) -> Tensor<1> {
    (y * Tensor::from_inner(gradient)).sum()
}
