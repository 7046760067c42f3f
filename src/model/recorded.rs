//! A forward pass and its backward pass, by any policy of what is kept between them.

use super::{Loss, Pass, Transformer, transformer::Block};
use crate::ops::{Activations, computing, keeping, report_kept};
use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Gradients, Int, Tensor},
};
use std::convert::Infallible;

/// A forward pass with what its backward pass needs.
pub struct Recorded {
    /// The loss.
    pub loss: Loss,
    /// Where blocks have a backward pass each.
    blocks: Option<Blocks>,
}

/// Blocks that are not on the tape of the loss.
struct Blocks {
    /// What the first block reads, with the gradients of the embedding behind it.
    embedded: Tensor<3>,
    /// What there is of each block.
    each: Vec<Piece>,
    /// What the last block gave: where the gradients of head and final norm end.
    last: Tensor<3>,
    pass: Pass,
}

/// Hands out a block by its number, and hears which will be needed next.
pub type HandOut<'a, E> = &'a mut dyn FnMut(usize, Option<usize>) -> Result<Block, E>;

/// What is kept of a block.
struct Piece {
    /// What it read: without gradients where it is run again, else where its gradients end.
    x: Tensor<3>,
    /// What it gave, and itself with the parameters that are on the tape; none where it is run again.
    ran: Option<Box<(Tensor<3>, Block)>>,
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
        let Ok(recorded) = self.record_in_parts(tokens, targets, pass, &mut |index, _| self.held(index));
        recorded
    }

    /// [`Transformer::record`], with a backward pass for each block, so that its gradients can be taken while those before it
    /// are still to come: see [`Recorded::backward_each`]. `block` hands out the blocks, which need not be there all at once.
    ///
    /// # Shapes
    ///
    /// - `tokens`, `targets`: `[batch, seq]`; `targets`: `[1, scored]` with [`Pass::scored`]
    ///
    /// # Errors
    ///
    /// Those of `block`.
    pub fn record_in_parts<E>(
        &self,
        tokens: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        pass: &Pass,
        block: HandOut<'_, E>,
    ) -> Result<Recorded, E> {
        let again = pass.activations == Activations::Recompute;
        let kept = if again { Activations::All } else { pass.activations };
        computing(pass.precision, || keeping(kept, || self.record_blocks(tokens, targets, pass, again, block)))
    }

    /// The block, which is there.
    pub fn held(&self, index: usize) -> Result<Block, Infallible> {
        Ok(self.layers[index].clone())
    }

    fn record_blocks<E>(
        &self,
        tokens: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        pass: &Pass,
        again: bool,
        hand_out: HandOut<'_, E>,
    ) -> Result<Recorded, E> {
        let embedded = self.embedding.forward(tokens, &self.position, pass);
        let plain = again.then(|| (self.position.valid(), pass.without_gradients()));
        let mut x = embedded.clone().inner();
        let (mut each, last) = (Vec::with_capacity(self.layers.len()), self.layers.len() - 1);
        for index in 0..=last {
            // The last one is the first of the way back.
            let block = hand_out(index, if index < last { Some(index + 1) } else { again.then_some(last) })?;
            match &plain {
                Some((position, plain)) => {
                    report_kept(&x);
                    each.push(Piece { x: x.clone(), ran: None });
                    x = block.valid().forward(x, position, plain);
                }
                None => {
                    let input = Tensor::from_inner(x).require_grad();
                    let y = block.forward(input.clone(), &self.position, pass);
                    x = y.clone().inner();
                    each.push(Piece { x: input, ran: Some(Box::new((y, block))) });
                }
            }
        }
        report_kept(&x);
        let last = Tensor::from_inner(x).require_grad();
        let loss = self.loss_of(last.clone(), targets, pass);
        Ok(Recorded { loss, blocks: Some(Blocks { embedded, each, last, pass: pass.clone() }) })
    }

    /// The parameters of each block, and at last those outside of blocks.
    pub fn parameter_groups(&self) -> Vec<Vec<ParamId>> {
        let outside = [ids(&self.embedding), ids(&self.position), ids(&self.readout), ids(&self.final_norm), ids(&self.head)].concat();
        self.layers.iter().map(ids).chain([outside]).collect()
    }

    /// All parameters in the order in which [`Recorded::backward_each`] is done with them: what is behind the blocks, the
    /// blocks from the last to the first, and what is before them, or used by several.
    pub fn backward_order(&self) -> Vec<ParamId> {
        let behind = ids(&self.readout).into_iter().chain(ids(&self.final_norm)).chain(ids(&self.head));
        let blocks = self.layers.iter().rev().flat_map(ids);
        behind.chain(blocks).chain(ids(&self.embedding)).chain(ids(&self.position)).collect()
    }
}

impl Recorded {
    /// Gradients of `share` of the objective, for the parameters of the model that it was recorded with.
    ///
    /// The bits do not depend on what was kept: every operator sees the same numbers, and the gradients of a parameter
    /// that several blocks use are added from the last block to the first, as without running blocks again.
    pub fn backward(self, model: &Transformer, share: f64) -> GradientsParams {
        let mut sum = GradientsAccumulator::new();
        let Ok(()) = self.backward_each(model, share, &mut |index, _| model.held(index), &mut |_, part| {
            sum.accumulate(model, part);
            Ok(())
        });
        sum.grads()
    }

    /// [`Recorded::backward`], handing over the gradients of each part of the model as soon as they are complete, with its
    /// name: `head`, `layers.7`, …, `embedding`; all at once, as `model`, where the blocks have no backward passes of their own.
    ///
    /// # Errors
    ///
    /// Those of `block`, which hands out the blocks that are run again, and of `deliver`.
    pub fn backward_each<E>(
        self,
        model: &Transformer,
        share: f64,
        block: HandOut<'_, E>,
        deliver: &mut dyn FnMut(&str, GradientsParams) -> Result<(), E>,
    ) -> Result<(), E> {
        let objective = self.loss.objective;
        let scaled = if share == 1.0 { objective } else { objective.mul_scalar(share) };
        let mut gradients = scaled.backward();
        let Some(Blocks { embedded, mut each, last, pass }) = self.blocks else {
            return deliver("model", GradientsParams::from_grads(gradients, model));
        };
        // What several parts use is complete after the last of them.
        let mut late = GradientsAccumulator::new();
        let mut of_output = taken(&last, &mut gradients);
        drop(last);
        let mut behind = GradientsAccumulator::new();
        behind.accumulate(model, GradientsParams::from_module(&mut gradients, &model.readout));
        behind.accumulate(model, GradientsParams::from_module(&mut gradients, &model.final_norm));
        behind.accumulate(model, GradientsParams::from_module(&mut gradients, &model.head));
        late.accumulate(model, GradientsParams::from_grads(gradients, model));
        deliver("head", behind.grads())?;
        for index in (0..model.layers.len()).rev() {
            let Piece { x, ran } = each.pop().expect("a piece for each block");
            let (x, y, own) = match ran {
                Some(ran) => (x, ran.0, ran.1),
                None => {
                    let own = block(index, index.checked_sub(1))?;
                    let x = Tensor::from_inner(x).require_grad();
                    let y = computing(pass.precision, || own.forward(x.clone(), &model.position, &pass));
                    (x, y, own)
                }
            };
            let mut gradients = product(y, of_output).backward();
            of_output = taken(&x, &mut gradients);
            let own = GradientsParams::from_module(&mut gradients, &own);
            late.accumulate(model, GradientsParams::from_grads(gradients, model));
            deliver(&format!("layers.{index}"), own)?;
        }
        let gradients = product(embedded, of_output).backward();
        late.accumulate(model, GradientsParams::from_grads(gradients, model));
        deliver("embedding", late.grads())
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

/// The identifiers of a module's parameters, in its order.
fn ids(module: &impl Module) -> Vec<ParamId> {
    struct Ids(Vec<ParamId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.id);
        }
    }
    let mut ids = Ids(vec![]);
    module.visit(&mut ids);
    ids.0
}
