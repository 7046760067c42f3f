//! Rounding to bf16: shapes. The operator itself is one for all backends.

use super::Described;
use crate::ops::fused::round::Round;
use burn::backend::fusion::custom::TensorSpec;

impl Described for Round {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![inputs[0].clone()]
    }

    fn gradients(&self, _: &[TensorSpec], _: &[TensorSpec], gradient: &TensorSpec) -> Vec<TensorSpec> {
        vec![gradient.clone()]
    }
}
