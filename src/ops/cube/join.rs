//! Heads side by side: shapes. The operator itself is one for all backends.

use super::Described;
use crate::ops::fused::join::Join;
use burn::backend::fusion::custom::TensorSpec;

impl Described for Join {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        let x = &inputs[0];
        vec![TensorSpec::new([x.shape[0], x.shape[2], x.shape[1] * x.shape[3]].into(), x.dtype)]
    }

    fn gradients(&self, _: &[TensorSpec], _: &[TensorSpec], gradient: &TensorSpec) -> Vec<TensorSpec> {
        let [batch, seq, columns] = [0, 1, 2].map(|i| gradient.shape[i]);
        vec![TensorSpec::new([batch, columns / self.head_dim, seq, self.head_dim].into(), gradient.dtype)]
    }
}
