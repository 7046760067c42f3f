//! What burn-train needs of a model: a training step and an inference step.

use super::batch::Batch;
use crate::{
    data::Dataset,
    eval::{Evaluation, Scores, evaluate},
    model::{HandOut, Loss, Pass, Recorded, Transformer},
    ops::Neighbours,
};
use burn::{
    module::Module,
    tensor::{ExecutionError, Int, Tensor},
    train::{InferenceStep, ItemLazy, TrainOutput, TrainStep},
};
use std::sync::Arc;

/// What one optimizer step measured, on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measurement {
    /// Optimizer steps done, this one included.
    pub step: usize,
    /// Mean cross-entropy in nats, before the update.
    pub loss: f64,
    /// What was minimised, before the update.
    pub objective: f64,
    /// Global norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Learning rate used.
    pub learning_rate: f64,
    /// Training tokens per second of this step.
    pub tokens_per_second: f64,
    /// Wall-clock time of this step in milliseconds.
    pub milliseconds: f64,
}

impl ItemLazy for Measurement {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl ItemLazy for Scores {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

/// The whole validation text and how to score it.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Holds the validation text.
    pub dataset: Dataset,
    /// Contexts and batch.
    pub evaluation: Evaluation,
}

/// Forward pass of a micro-batch on the model's device.
pub(super) fn forward(model: &Transformer, batch: &Batch) -> Recorded {
    let (tokens, targets, pass) = input(model, batch);
    model.record(tokens, targets, &pass)
}

/// [`forward`], with a backward pass for each block, and those among whom the layers are divided.
pub(super) fn forward_in_parts<E>(
    model: &Transformer,
    batch: &Batch,
    neighbours: Option<Arc<dyn Neighbours>>,
    block: HandOut<'_, E>,
) -> Result<Recorded, E> {
    let (tokens, targets, pass) = input(model, batch);
    let pass = Pass { neighbours, ..pass };
    model.record_in_parts(tokens, targets, &pass, block)
}

fn input(model: &Transformer, batch: &Batch) -> (Tensor<2, Int>, Tensor<2, Int>, Pass) {
    let device = &model.devices()[0];
    let (tokens, targets) = batch.tensors(device);
    (tokens, targets, Pass { noise: Some(batch.noise), ..batch.pass(device) })
}

/// Reads a number from the device.
pub(super) fn read(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}

impl TrainStep for Transformer {
    type Input = Batch;
    type Output = Measurement;

    /// Forward and backward of a micro-batch; gradients are of its share of the step's mean loss.
    fn step(&self, batch: Batch) -> TrainOutput<Measurement> {
        let recorded = forward(self, &batch);
        let Loss { objective, nats } = recorded.loss.clone();
        let grads = recorded.backward(self, batch.share);
        TrainOutput { grads, item: Measurement { loss: read(nats), objective: read(objective), ..Measurement::default() } }
    }
}

impl InferenceStep for Transformer {
    type Input = Examination;
    type Output = Scores;

    /// Scores the whole validation text.
    fn step(&self, examination: Examination) -> Scores {
        evaluate(self, &examination.dataset, &examination.evaluation)
    }
}
