//! Two products of one input, one gating the other: kept are the input and both products (LLaMA keeps "the outputs of
//! linear layers"), and the activation is computed again.

use super::{
    linear::{self, Shared},
    room, slice, tensor,
};
use crate::ops::{
    activations::Activations,
    flex::gated::{self, Activation},
    operator::{Keeps, Kept, Kernels, Properties, Reading},
    precision::Precision,
};
use burn::backend::{Flex, flex::FlexTensor};

/// Inputs: x `[batch, seq, width]`, the weights of gate and up `[width, hidden]`, and their biases if there are any.
/// Result: `[batch, seq, hidden]`.
#[derive(Debug)]
pub struct GatedLinear {
    /// Applied to the gate.
    pub activation: Activation,
    /// Whether gate and up have a bias.
    pub biases: [bool; 2],
    /// As what products read f32.
    pub reads: Precision,
}

impl Properties for GatedLinear {
    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            Activations::LinearOutputs => Keeps { result: Reading::AgainFromSaved, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }
}

impl Kernels<Flex> for GatedLinear {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, tracked: bool) -> Vec<FlexTensor> {
        let shared = Shared::new(&inputs, &self.biases, self.reads);
        let [gate, up] = [0, 1].map(|i| shared.forward(i));
        let mut y = room(gate.len());
        gated::gated(self.activation, &gate, &up, &mut y);
        let shape = [inputs[0].layout().shape()[0], inputs[0].layout().shape()[1], shared.outputs(0)];
        let mut all = vec![tensor(y, shape)];
        if tracked {
            all.extend([gate, up].map(|values| tensor(values, shape)));
        }
        all
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let Kept { inputs, saved, .. } = kept;
        let gradient = gradient.to_contiguous();
        let (gate, up) = (slice(&saved[0]), slice(&saved[1]));
        let (mut dgate, mut dup) = (room(gate.len()), room(gate.len()));
        gated::gated_backward(self.activation, gate, up, slice(&gradient), &mut dgate, &mut dup);
        let shape = gradient.layout().shape().clone();
        drop((saved, gradient));
        let outputs = [dgate, dup].map(|values| tensor(values, shape.clone()));
        linear::backward_of_shared(&Shared::new(&inputs, &self.biases, self.reads), &outputs, wanted)
    }

    fn again(&self, kept: Kept<Flex>) -> Vec<FlexTensor> {
        let (gate, up) = (&kept.saved[0], &kept.saved[1]);
        let mut y = room(slice(gate).len());
        gated::gated(self.activation, slice(gate), slice(up), &mut y);
        let mut all = vec![tensor(y, gate.layout().shape().clone())];
        all.extend(kept.saved);
        all
    }
}
