//! Rounding to bf16. What is rounded is kept as it was and rounded again.

use crate::ops::{
    activations::Activations,
    operator::{Keeps, Kept, Kernels, Properties, Reading},
};
use burn::{
    backend::{
        Backend,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::FloatDType,
};

/// Input: x of any shape. Result: x, its numbers rounded to nearest, ties to even, in f32; the gradient passes.
#[derive(Clone, Copy, Debug)]
pub struct Round;

/// The numbers of an f32 tensor, rounded to bf16.
pub(super) fn rounded<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_cast(B::float_cast(x, FloatDType::BF16), FloatDType::F32)
}

impl Properties for Round {
    fn keeps(&self, _: Activations) -> Keeps {
        Keeps { inputs: false, result: Reading::AgainFromInputs, ..Keeps::default() }
    }
}

impl<B: Backend> Kernels<B> for Round {
    fn forward(&self, mut inputs: Vec<FloatTensor<B>>, _: Option<IntTensor<B>>, _: bool) -> Vec<FloatTensor<B>> {
        vec![rounded::<B>(inputs.swap_remove(0))]
    }

    fn backward(&self, _: Kept<B>, gradient: FloatTensor<B>, _: &[bool]) -> Vec<Option<FloatTensor<B>>> {
        vec![Some(gradient)]
    }
}
