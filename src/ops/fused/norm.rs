//! Normalisation of rows: input and two statistics per row are kept.

use super::{room, slice, tensor, width};
use crate::ops::{
    activations::Activations,
    flex::norm::{self, Kind},
    operator::{Keeps, Kept, Kernels, Reading},
};
use burn::backend::{Flex, flex::FlexTensor};

/// Inputs: x `[…, width]`, then the gain and the bias `[width]` that there are.
#[derive(Debug)]
pub struct Norm {
    /// By mean square, or by variance around the mean.
    pub kind: Kind,
    /// Added to the gain.
    pub offset: f32,
    /// Added to the mean square or variance.
    pub eps: f32,
    /// Whether the second input is a gain.
    pub gain: bool,
    /// Whether the last input is a bias.
    pub bias: bool,
}

impl Norm {
    fn gain_and_bias(&self, inputs: &[FlexTensor]) -> (Option<FlexTensor>, Option<FlexTensor>) {
        let gain = self.gain.then(|| inputs[1].to_contiguous());
        let bias = self.bias.then(|| inputs[1 + usize::from(self.gain)].to_contiguous());
        (gain, bias)
    }
}

impl Kernels<Flex> for Norm {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let x = inputs[0].to_contiguous();
        let (width, count) = (width(&x), slice(&x).len());
        let (gain, bias) = self.gain_and_bias(&inputs);
        let (mut y, mut statistics) = (room(count), room(2 * count / width));
        let (gain, bias) = (gain.as_ref().map(slice), bias.as_ref().map(slice));
        norm::forward(self.kind, slice(&x), gain, self.offset, bias, self.eps, &mut y, &mut statistics, width);
        vec![tensor(y, x.layout().shape().clone()), tensor(statistics, [count / width, 2])]
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let (x, gradient) = (kept.inputs[0].to_contiguous(), gradient.to_contiguous());
        let width = width(&x);
        let (gain, _) = self.gain_and_bias(&kept.inputs);
        let mut dx = room(slice(&x).len());
        let mut dgain = self.gain.then(|| room(width));
        let mut dbias = self.bias.then(|| room(width));
        norm::backward(
            self.kind,
            slice(&x),
            gain.as_ref().map(slice),
            self.offset,
            slice(&kept.saved[0]),
            slice(&gradient),
            None,
            &mut dx,
            dgain.as_deref_mut(),
            dbias.as_deref_mut(),
            width,
        );
        let dx = tensor(dx, x.layout().shape().clone());
        let vectors = [dgain, dbias].into_iter().flatten().map(|values| tensor(values, [width]));
        std::iter::once(dx).chain(vectors).zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }

    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            Activations::LinearOutputs => Keeps { result: Reading::AgainFromInputs, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }
}
