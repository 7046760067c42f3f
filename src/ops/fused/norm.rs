//! Normalisation of rows, of a sum too: input and two statistics per row are kept.

use super::{room, slice, tensor, width};
use crate::ops::{
    activations::Activations,
    flex::norm::{self, Kind},
    operator::{Keeps, Kept, Kernels, Operator, Properties, Reading},
};
use burn::backend::{Flex, flex::FlexTensor};
use std::sync::Arc;

/// Inputs: x `[…, width]`, what is added to it if the norm is of a sum, then the gain and the bias `[width]` that there are.
#[derive(Clone, Debug)]
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
    /// Whether the norm is of the sum of the first two inputs.
    pub sum: bool,
}

impl Norm {
    fn gain_and_bias(&self, inputs: &[FlexTensor]) -> (Option<FlexTensor>, Option<FlexTensor>) {
        let first = self.terms();
        let gain = self.gain.then(|| inputs[first].to_contiguous());
        let bias = self.bias.then(|| inputs[first + usize::from(self.gain)].to_contiguous());
        (gain, bias)
    }

    /// Inputs that are added up; the gain comes behind them.
    pub fn terms(&self) -> usize {
        1 + usize::from(self.sum)
    }

    /// The norm of the sum, once it is there.
    pub fn of_one(&self) -> Option<Self> {
        self.sum.then(|| Self { sum: false, ..self.clone() })
    }
}

impl Properties for Norm {
    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            Activations::LinearOutputs => Keeps { result: Reading::AgainFromInputs, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }

    fn adds(&self) -> bool {
        true
    }

    fn of_sum(&self) -> Option<Arc<dyn Operator>> {
        self.of_one().map(|norm| Arc::new(norm) as _)
    }
}

impl Kernels<Flex> for Norm {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let x = inputs[0].to_contiguous();
        let (width, count) = (width(&x), slice(&x).len());
        let (gain, bias) = self.gain_and_bias(&inputs);
        let (mut y, mut statistics) = (room(count), room(2 * count / width));
        let (gain, bias) = (gain.as_ref().map(slice), bias.as_ref().map(slice));
        let branch = self.sum.then(|| inputs[1].to_contiguous());
        let mut sum = self.sum.then(|| room(count));
        let addition = branch.as_ref().map(slice).zip(sum.as_deref_mut());
        norm::forward(self.kind, slice(&x), addition, gain, self.offset, bias, self.eps, &mut y, &mut statistics, width);
        let shape = x.layout().shape();
        let sum = sum.map(|sum| tensor(sum, shape.clone()));
        let statistics = tensor(statistics, [count / width, 2]);
        std::iter::once(tensor(y, shape.clone())).chain(sum).chain([statistics]).collect()
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let (x, gradient) = (kept.inputs[0].to_contiguous(), gradient.to_contiguous());
        let begun = kept.begun.map(|begun| begun.to_contiguous());
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
            begun.as_ref().map(slice),
            &mut dx,
            dgain.as_deref_mut(),
            dbias.as_deref_mut(),
            width,
        );
        let dx = tensor(dx, x.layout().shape().clone());
        let vectors = [dgain, dbias].into_iter().flatten().map(|values| tensor(values, [width]));
        std::iter::once(dx).chain(vectors).zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }
}
