//! Three projections of one input, rotation and attention in one: kept are what the projections gave (rotated) and what
//! attention keeps.

use super::{
    Described,
    linear::{self, Shared},
    tensor::{described, dims, reshape, swap},
};
use crate::ops::{
    fused::{attention::Added, self_attention::SelfAttention},
    operator::{Kept, Kernels},
};
use burn::backend::fusion::custom::TensorSpec;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};

impl SelfAttention {
    /// Queries and keys.
    fn turned(&self, q: CubeTensor, k: CubeTensor, inverse: bool) -> Vec<CubeTensor> {
        match &self.rotation {
            Some(rotation) => rotation.on_gpu(&q, Some(&k), inverse),
            None => vec![q, k],
        }
    }

    /// Tensors before the table of a relative bias: x, the weights and the biases.
    fn before_table(&self) -> usize {
        4 + self.biases.iter().filter(|bias| **bias).count()
    }

    /// The table of a relative bias, if there is one.
    fn table_in<'a, T>(&self, inputs: &'a [T]) -> Option<&'a T> {
        matches!(self.attention.added, Added::Table { .. }).then(|| &inputs[self.before_table()])
    }
}

/// `[batch, seq, heads · head_dim]` as `[batch, heads, seq, head_dim]`.
fn by_head(x: CubeTensor, head_dim: usize) -> CubeTensor {
    let [batch, seq, columns] = dims(&x);
    swap(reshape(x, [batch, seq, columns / head_dim, head_dim]), 1, 2)
}

/// The way back.
fn joined(x: CubeTensor) -> CubeTensor {
    let [batch, heads, seq, head_dim] = dims(&x);
    reshape(swap(x, 1, 2), [batch, seq, heads * head_dim])
}

impl Kernels<CubeBackend> for SelfAttention {
    fn forward(&self, inputs: Vec<CubeTensor>, starts: Option<CubeTensor>, tracked: bool) -> Vec<CubeTensor> {
        let shared = Shared::new(&inputs, &self.biases);
        let [q, k, v] = [0, 1, 2].map(|i| by_head(shared.forward(i), self.head_dim));
        let mut parts = self.turned(q, k, false);
        parts.push(v);
        parts.extend(self.table_in(&inputs).cloned());
        let mut found = Kernels::<CubeBackend>::forward(&self.attention, parts.clone(), starts, tracked);
        let statistics = found.split_off(1);
        parts.truncate(3);
        let mut all = vec![joined(found.swap_remove(0))];
        if tracked {
            all.extend(parts);
            all.extend(statistics);
        }
        all
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let Kept { inputs, indices, mut saved, .. } = kept;
        let statistics = saved.split_off(3);
        saved.extend(self.table_in(&inputs).cloned());
        let all = vec![true; saved.len()];
        let inner = Kept { inputs: saved, indices, saved: statistics, begun: None };
        let gradient = by_head(gradient, self.head_dim);
        let mut found = Kernels::<CubeBackend>::backward(&self.attention, inner, gradient, &all).into_iter().flatten();
        let mut next = || found.next().expect("attention gives all gradients");
        let (dq, dk, dv) = (next(), next(), next());
        let outputs: Vec<CubeTensor> = self.turned(dq, dk, true).into_iter().chain([dv]).map(joined).collect();
        let shared = Shared::new(&inputs, &self.biases);
        let mut gradients = linear::backward_of_shared(&shared, &outputs, &wanted[..self.before_table()]);
        gradients.extend(found.map(Some));
        gradients
    }

    fn again(&self, kept: Kept<CubeBackend>) -> Vec<CubeTensor> {
        let Kept { inputs, indices, mut saved, .. } = kept;
        let statistics = if saved.len() > 3 {
            saved.split_off(3)
        } else {
            let parts = saved.iter().chain(self.table_in(&inputs)).cloned().collect();
            Kernels::<CubeBackend>::forward(&self.attention, parts, indices, true).split_off(1)
        };
        let mut all = vec![joined(statistics[0].clone())];
        all.extend(saved);
        all.extend(statistics);
        all
    }
}

impl Described for SelfAttention {
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec> {
        let mut all = vec![linear::described(inputs, 0)];
        if tracked {
            let (batch, seq) = (inputs[0].shape[0], inputs[0].shape[1]);
            let mut parts: Vec<TensorSpec> =
                (0..3).map(|i| described([batch, inputs[1 + i].shape[1] / self.head_dim, seq, self.head_dim], &inputs[0])).collect();
            all.extend_from_slice(&parts);
            parts.extend(self.table_in(inputs).cloned());
            all.extend(self.attention.outputs(&parts, true).into_iter().skip(1));
        }
        all
    }
}
