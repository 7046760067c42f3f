//! Activations, alone and as gates: the backward recomputes them from the inputs.

use super::{room, slice, tensor};
use crate::ops::{
    activations::Activations,
    flex::gated::{self, Activation},
    operator::{Keeps, Kept, Kernels, Properties, Reading},
};
use burn::backend::{Flex, flex::FlexTensor};

/// Input: x of any shape.
#[derive(Debug)]
pub struct Activate(pub Activation);

impl Properties for Activate {
    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            Activations::LinearOutputs => Keeps { result: Reading::AgainFromInputs, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }
}

impl Kernels<Flex> for Activate {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let x = inputs[0].to_contiguous();
        let mut y = room(slice(&x).len());
        gated::activate(self.0, slice(&x), &mut y);
        vec![tensor(y, x.layout().shape().clone())]
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, _: &[bool]) -> Vec<Option<FlexTensor>> {
        let (x, gradient) = (kept.inputs[0].to_contiguous(), gradient.to_contiguous());
        let mut dx = room(slice(&x).len());
        gated::activate_backward(self.0, slice(&x), slice(&gradient), &mut dx);
        vec![Some(tensor(dx, x.layout().shape().clone()))]
    }
}

/// Inputs: gate and up, of one shape.
#[derive(Debug)]
pub struct Gated(pub Activation);

impl Properties for Gated {
    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            Activations::LinearOutputs => Keeps { result: Reading::AgainFromInputs, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }
}

impl Kernels<Flex> for Gated {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let (gate, up) = (inputs[0].to_contiguous(), inputs[1].to_contiguous());
        let mut y = room(slice(&gate).len());
        gated::gated(self.0, slice(&gate), slice(&up), &mut y);
        vec![tensor(y, gate.layout().shape().clone())]
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let (gate, up, gradient) = (kept.inputs[0].to_contiguous(), kept.inputs[1].to_contiguous(), gradient.to_contiguous());
        let (mut dgate, mut dup) = (room(slice(&gate).len()), room(slice(&gate).len()));
        gated::gated_backward(self.0, slice(&gate), slice(&up), slice(&gradient), &mut dgate, &mut dup);
        let shape = gate.layout().shape();
        let gradients = [dgate, dup].map(|values| tensor(values, shape.clone()));
        gradients.into_iter().zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }
}
