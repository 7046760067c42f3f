//! Rounding to bf16 on the way forward or on the way back. What is rounded is kept as it was and rounded again.

use crate::ops::{
    activations::Activations,
    operator::{Keeps, Kept, Kernels, Reading},
};
use burn::{
    backend::{
        Backend,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::FloatDType,
};

/// Input: x of any shape. Result: x, its numbers rounded to nearest, ties to even, in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// x is rounded; its gradient passes.
    Forward,
    /// x passes; its gradient is rounded.
    Backward,
}

fn rounded<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_cast(B::float_cast(x, FloatDType::BF16), FloatDType::F32)
}

impl<B: Backend> Kernels<B> for Round {
    fn forward(&self, mut inputs: Vec<FloatTensor<B>>, _: Option<IntTensor<B>>, _: bool) -> Vec<FloatTensor<B>> {
        let x = inputs.swap_remove(0);
        vec![if *self == Self::Forward { rounded::<B>(x) } else { x }]
    }

    fn backward(&self, _: Kept<B>, gradient: FloatTensor<B>, _: &[bool]) -> Vec<Option<FloatTensor<B>>> {
        vec![Some(if *self == Self::Backward { rounded::<B>(gradient) } else { gradient })]
    }

    fn keeps(&self, _: Activations) -> Keeps {
        let result = if *self == Self::Forward { Reading::AgainFromInputs } else { Reading::AsInput };
        Keeps { inputs: false, result, ..Keeps::default() }
    }
}
