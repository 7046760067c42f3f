//! Sum of squares in one pass.

use super::{slice, tensor};
use crate::ops::{
    flex::adamw::square_norm,
    operator::{Kept, Kernels, Properties},
};
use burn::backend::{Flex, flex::FlexTensor};

/// Input: any shape. Result: `[1]`.
#[derive(Debug)]
pub struct SquareNorm;

impl Properties for SquareNorm {}

impl Kernels<Flex> for SquareNorm {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let x = inputs[0].to_contiguous();
        vec![tensor(vec![square_norm(slice(&x)) as f32], [1])]
    }

    fn backward(&self, _: Kept<Flex>, _: FlexTensor, _: &[bool]) -> Vec<Option<FlexTensor>> {
        unreachable!("norms of gradients have no gradients")
    }
}
