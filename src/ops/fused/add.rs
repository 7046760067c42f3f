//! A residual addition: nothing is kept.

use crate::ops::{
    activations::Activations,
    operator::{Keeps, Kept, Kernels, Properties},
};
use burn::backend::{
    Backend,
    tensor::{FloatTensor, IntTensor},
};

/// Inputs: x and branch, of one shape. Result: x + branch.
///
/// An operator of its own, so that a norm that reads x too is told when this part of the gradient of x is there.
#[derive(Debug)]
pub struct Add;

impl Properties for Add {
    fn keeps(&self, _: Activations) -> Keeps {
        Keeps { inputs: false, ..Keeps::default() }
    }
}

impl<B: Backend> Kernels<B> for Add {
    fn forward(&self, mut inputs: Vec<FloatTensor<B>>, _: Option<IntTensor<B>>, _: bool) -> Vec<FloatTensor<B>> {
        let (branch, x) = (inputs.pop().expect("two inputs"), inputs.pop().expect("two inputs"));
        vec![B::float_add(x, branch)]
    }

    fn backward(&self, _: Kept<B>, gradient: FloatTensor<B>, wanted: &[bool]) -> Vec<Option<FloatTensor<B>>> {
        wanted.iter().map(|wanted| wanted.then(|| gradient.clone())).collect()
    }
}
