//! Three projections of one input, rotation and attention in one: kept are the input, what the projections gave (rotated)
//! and what attention keeps.

use super::{
    attention::Attention,
    linear::{self, Shared},
    rotary::Rotary,
    tensor,
};
use crate::ops::{
    activations::Activations,
    operator::{Keeps, Kept, Kernels, Properties, Reading},
};
use burn::backend::{Flex, flex::FlexTensor};

/// Inputs: x `[batch, seq, width]`, the weights of queries, keys and values `[width, heads · head_dim]`, their biases if
/// there are any, and the table of a relative bias; indices: those of [`Attention`]. Result: `[batch, seq, heads · head_dim]`.
#[derive(Debug)]
pub struct SelfAttention {
    /// What follows the projections.
    pub attention: Attention,
    /// The rotation of queries and keys.
    pub rotation: Option<Rotary>,
    /// Channels of a head.
    pub head_dim: usize,
    /// Which projections have a bias.
    pub biases: [bool; 3],
}

impl SelfAttention {
    /// Queries and keys.
    fn rotated(&self, q: FlexTensor, k: FlexTensor, inverse: bool) -> [FlexTensor; 2] {
        match &self.rotation {
            Some(rotation) => rotation.turn([&q, &k], inverse),
            None => [q, k],
        }
    }

    /// The table of a relative bias, behind x, the weights and the biases.
    fn table<'a>(&self, inputs: &'a [FlexTensor]) -> Option<&'a FlexTensor> {
        inputs.get(4 + self.biases.iter().filter(|bias| **bias).count())
    }
}

/// `[batch, seq, heads · head_dim]` as `[batch, heads, seq, head_dim]`.
fn by_head(x: &FlexTensor, head_dim: usize) -> FlexTensor {
    let shape = x.layout().shape();
    x.reshape([shape[0], shape[1], shape[2] / head_dim, head_dim].into()).transpose(1, 2)
}

/// The way back.
fn joined(x: &FlexTensor) -> FlexTensor {
    let x = x.transpose(1, 2);
    let shape = x.layout().shape();
    let joined = [shape[0], shape[1], shape[2] * shape[3]];
    x.reshape(joined.into())
}

impl Properties for SelfAttention {
    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            // Queries, keys and values stay. The table of a relative bias is an input.
            Activations::Selective => Keeps { saved: 3, result: Reading::AgainFromInputs, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }
}

impl Kernels<Flex> for SelfAttention {
    fn forward(&self, inputs: Vec<FlexTensor>, starts: Option<FlexTensor>, tracked: bool) -> Vec<FlexTensor> {
        let shared = Shared::new(&inputs, &self.biases, self.attention.reads);
        let [q, k, v] = [0, 1, 2].map(|i| {
            let shape = [inputs[0].layout().shape()[0], inputs[0].layout().shape()[1], shared.outputs(i)];
            by_head(&tensor(shared.forward(i), shape), self.head_dim)
        });
        let [q, k] = self.rotated(q, k, false);
        let mut parts = vec![q, k, v];
        parts.extend(self.table(&inputs).cloned());
        let mut found = Kernels::<Flex>::forward(&self.attention, parts.clone(), starts, tracked);
        let statistics = found.split_off(2).swap_remove(0);
        let out = found.swap_remove(0);
        parts.truncate(3);
        let mut all = vec![joined(&out)];
        if tracked {
            all.extend(parts);
            all.extend([out, statistics]);
        }
        all
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let Kept { inputs, indices, mut saved, .. } = kept;
        let statistics = saved.split_off(3);
        saved.extend(self.table(&inputs).cloned());
        let all = vec![true; saved.len()];
        let inner = Kept { inputs: saved, indices, saved: statistics, begun: None };
        let gradient = by_head(&gradient.to_contiguous(), self.head_dim);
        let mut found = Kernels::<Flex>::backward(&self.attention, inner, gradient, &all).into_iter().flatten();
        let mut next = || found.next().expect("attention gives all gradients");
        let (dq, dk, dv) = (next(), next(), next());
        let [dq, dk] = self.rotated(dq, dk, true);
        let outputs = [dq, dk, dv].map(|x| joined(&x));
        let shared = Shared::new(&inputs, &self.biases, self.attention.reads);
        let mut gradients = linear::backward_of_shared(&shared, &outputs, wanted);
        gradients.extend(found.map(Some));
        gradients
    }

    fn again(&self, kept: Kept<Flex>) -> Vec<FlexTensor> {
        let Kept { inputs, indices, mut saved, .. } = kept;
        let statistics = if saved.len() > 3 {
            saved.split_off(3)
        } else {
            self.attention.report(&saved[0], &saved[1]);
            let parts = saved.iter().chain(self.table(&inputs)).cloned().collect();
            Kernels::<Flex>::forward(&self.attention, parts, indices, true).split_off(1)
        };
        let mut all = vec![joined(&statistics[0])];
        all.extend(saved);
        all.extend(statistics);
        all
    }
}
