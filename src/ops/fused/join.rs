//! Heads side by side: a view, which is never kept.

use crate::ops::{
    activations::Activations,
    operator::{Keeps, Kept, Kernels, Properties, Reading},
};
use burn::{
    backend::{
        Backend, TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::Shape,
};

/// Input: `[batch, heads, seq, head_dim]`. Result: `[batch, seq, heads · head_dim]`.
///
/// An operator of its own, so that whoever reads the result can ask the attention behind it.
#[derive(Debug)]
pub struct Join {
    /// Channels of a head.
    pub head_dim: usize,
}

impl Properties for Join {
    fn keeps(&self, _: Activations) -> Keeps {
        Keeps { inputs: false, result: Reading::AsInput, ..Keeps::default() }
    }
}

impl<B: Backend> Kernels<B> for Join {
    fn forward(&self, mut inputs: Vec<FloatTensor<B>>, _: Option<IntTensor<B>>, _: bool) -> Vec<FloatTensor<B>> {
        let x = B::float_swap_dims(inputs.swap_remove(0), 1, 2);
        let shape = x.shape();
        vec![B::float_reshape(x, Shape::new([shape[0], shape[1], shape[2] * shape[3]]))]
    }

    fn backward(&self, _: Kept<B>, gradient: FloatTensor<B>, _: &[bool]) -> Vec<Option<FloatTensor<B>>> {
        let shape = gradient.shape();
        let by_head = Shape::new([shape[0], shape[1], shape[2] / self.head_dim, self.head_dim]);
        vec![Some(B::float_swap_dims(B::float_reshape(gradient, by_head), 1, 2))]
    }
}
