//! The head's product and the cross-entropy in one: logits exist for some rows at a time only.

use super::{room, slice, tensor, width};
use crate::ops::{
    activations::Activations,
    cross_entropy::CrossEntropyOptions,
    flex::loss::{Gradients, Options, linear_cross_entropy},
    operator::{Keeps, Kept, Kernels, Properties},
};
use burn::backend::{Flex, flex::FlexTensor};

/// Inputs: x `[n, width]`, W `[width, vocab]` in any layout, the bias `[vocab]` or not; indices: targets `[n]`.
///
/// Result: `[2]`, the means of objective and cross-entropy; only the first has a gradient. Since the way from a mean to
/// each token is a constant, all gradients are made with the loss, and the backward only scales them.
#[derive(Debug)]
pub struct MeanLoss(pub CrossEntropyOptions);

/// The same inputs. Result: `[n]`, the cross-entropy of each token, without gradients.
#[derive(Debug)]
pub struct TokenLosses(pub CrossEntropyOptions);

fn options(options: &CrossEntropyOptions) -> Options {
    let &CrossEntropyOptions { soft_cap, z_loss, label_smoothing } = options;
    Options { soft_cap: soft_cap.map(|cap| cap as f32), z_loss: z_loss as f32, label_smoothing: label_smoothing as f32 }
}

/// Objective and cross-entropy of each token; gradients of the mean objective where asked for.
fn losses(inputs: &[FlexTensor], targets: Option<FlexTensor>, o: &CrossEntropyOptions, gradients: Option<Gradients>) -> [Vec<f32>; 2] {
    let x = inputs[0].to_contiguous();
    let (width, n) = (width(&x), x.layout().shape()[0]);
    let (w, layout) = (&inputs[1], inputs[1].layout());
    let vocab = layout.shape()[1];
    let [row, column] = [0, 1].map(|i| layout.strides()[i] as usize);
    let weight = &w.storage::<f32>()[layout.start_offset()..];
    let bias = inputs.get(2).map(FlexTensor::to_contiguous);
    let targets = targets.expect("a loss has targets").to_contiguous();
    let targets = targets.as_slice::<i32>().expect("targets are i32");
    let (mut objective, mut nats) = (room(n), room(n));
    let bias = bias.as_ref().map(slice);
    linear_cross_entropy(slice(&x), width, weight, row, column, vocab, bias, targets, &options(o), &mut objective, &mut nats, gradients);
    [objective, nats]
}

/// The mean in f64: its rounding is below that of the losses.
fn mean(losses: &[f32]) -> f32 {
    (losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64) as f32
}

impl Properties for MeanLoss {
    fn keeps(&self, _: Activations) -> Keeps {
        Keeps { inputs: false, ..Keeps::default() }
    }

    fn is_statistic(&self) -> bool {
        true
    }
}

impl Kernels<Flex> for MeanLoss {
    fn forward(&self, inputs: Vec<FlexTensor>, targets: Option<FlexTensor>, tracked: bool) -> Vec<FlexTensor> {
        let (n, width, vocab) = (inputs[0].layout().shape()[0], width(&inputs[0]), inputs[1].layout().shape()[1]);
        let strides = inputs[1].layout().strides().to_vec();
        let mut saved = vec![];
        let [objective, nats] = if tracked {
            let (mut dx, mut dw, mut db) = (room(n * width), room(width * vocab), inputs.get(2).map(|_| room(vocab)));
            let gradients = Gradients { scale: 1.0 / n as f32, dx: &mut dx, dweight: &mut dw, dbias: db.as_deref_mut() };
            let found = losses(&inputs, targets, &self.0, Some(gradients));
            // The gradient of W lies as W does.
            let dw = if strides[0] == 1 { tensor(dw, [vocab, width]).transpose(0, 1) } else { tensor(dw, [width, vocab]) };
            saved.extend([tensor(dx, [n, width]), dw]);
            saved.extend(db.map(|db| tensor(db, [vocab])));
            found
        } else {
            losses(&inputs, targets, &self.0, None)
        };
        let mut all = vec![tensor(vec![mean(&objective), mean(&nats)], [2])];
        all.extend(saved);
        all
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let factor = slice(&gradient.to_contiguous())[0];
        kept.saved.into_iter().zip(wanted).map(|(gradient, wanted)| wanted.then(|| scaled(gradient, factor))).collect()
    }
}

/// The tensor times `factor`, in place if nobody else holds it.
fn scaled(mut x: FlexTensor, factor: f32) -> FlexTensor {
    if factor != 1.0 {
        x.storage_mut::<f32>().iter_mut().for_each(|value| *value *= factor);
    }
    x
}

impl Properties for TokenLosses {
    fn is_statistic(&self) -> bool {
        true
    }
}

impl Kernels<Flex> for TokenLosses {
    fn forward(&self, inputs: Vec<FlexTensor>, targets: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let [_, nats] = losses(&inputs, targets, &self.0, None);
        let n = nats.len();
        vec![tensor(nats, [n])]
    }

    fn backward(&self, _: Kept<Flex>, _: FlexTensor, _: &[bool]) -> Vec<Option<FlexTensor>> {
        unreachable!("only called without gradients")
    }
}
