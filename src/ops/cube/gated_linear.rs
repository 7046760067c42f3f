//! Two products of one input, one gating the other: kept are the input and both products.

use super::{
    Described,
    activation::{gated, gated_backward},
    linear::{self, Shared},
};
use crate::ops::{
    fused::gated_linear::GatedLinear,
    operator::{Kept, Kernels},
};
use burn::backend::fusion::custom::TensorSpec;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};

impl Kernels<CubeBackend> for GatedLinear {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let shared = Shared::new(&inputs, &self.biases);
        let [gate, up] = [0, 1].map(|i| shared.forward(i));
        vec![gated(self.activation, &gate, &up), gate, up]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let Kept { inputs, saved, .. } = kept;
        let outputs = gated_backward(self.activation, &saved[0], &saved[1], &gradient);
        drop((saved, gradient));
        linear::backward_of_shared(&Shared::new(&inputs, &self.biases), &outputs, wanted)
    }

    fn again(&self, kept: Kept<CubeBackend>) -> Vec<CubeTensor> {
        let mut all = vec![gated(self.activation, &kept.saved[0], &kept.saved[1])];
        all.extend(kept.saved);
        all
    }
}

impl Described for GatedLinear {
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec> {
        let products = if tracked { 3 } else { 1 };
        vec![linear::described(inputs, 0); products]
    }

    fn outputs_again(&self, _: &[TensorSpec], saved: &[TensorSpec]) -> Vec<TensorSpec> {
        vec![saved[0].clone(); 3]
    }
}
