//! A step of AdamW in one pass, in place.

use super::{slice, tensor};
use crate::ops::{
    flex::adamw,
    operator::{Kept, Kernels, Properties},
};
use burn::backend::{Flex, flex::FlexTensor};

/// Inputs: parameter, gradient and both moments, of one shape. Results: parameter and both moments.
#[derive(Debug)]
pub struct Step(pub adamw::AdamW);

/// The numbers of a tensor to change: its own if nobody else holds them, else a copy.
fn owned(x: FlexTensor) -> FlexTensor {
    // A view that shows all of its storage, and all of it contiguous, is changed where it is.
    if x.as_slice::<f32>().is_some_and(|all| all.len() == x.storage::<f32>().len()) {
        x
    } else {
        tensor(slice(&x.to_contiguous()).to_vec(), x.layout().shape().clone())
    }
}

impl Properties for Step {}

impl Kernels<Flex> for Step {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let mut inputs = inputs.into_iter();
        let mut next = || inputs.next().expect("four inputs");
        let (p, gradient, m, v) = (next(), next().to_contiguous(), next(), next());
        let [mut p, mut m, mut v] = [p, m, v].map(owned);
        adamw::step(&self.0, p.storage_mut(), slice(&gradient), 1.0, m.storage_mut(), v.storage_mut());
        vec![p, m, v]
    }

    fn backward(&self, _: Kept<Flex>, _: FlexTensor, _: &[bool]) -> Vec<Option<FlexTensor>> {
        unreachable!("updates have no gradients")
    }
}
