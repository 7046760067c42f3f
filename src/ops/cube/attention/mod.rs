//! Attention on GPUs in memory linear in the sequence, forward and backward (Dao et al. 2022, FlashAttention; Milakov &
//! Gimelshein 2018 for the running maximum and sum).
//!
//! ```text
//! launch ─► blueprint: tile sizes, which options are compiled in; accelerated::*, on tensor cores, where a device has them
//!        ├► forward::forward          a cube per query tile: output, log-sum of each row
//!        ├► backward::deltas          rows of output · gradient
//!        ├► backward::query_gradients a cube per query tile: dq, what it adds to the gradient of a table
//!        ├► backward::sum_tables      the gradient of the table
//!        └► backward::key_gradients   a cube per key tile: dk, dv over the query heads that read them
//! ```
//!
//! Tiles that no query sees are not visited. Every element of a result has one owner and every sum a fixed order, so that
//! results repeat to the bit.

// The names of a kernel's topology are placeholder constants for rustc; kernels take every tensor and number one by one.
#![allow(arithmetic_overflow, clippy::too_many_arguments)]

mod accelerated;
mod backward;
mod blueprint;
#[cfg(feature = "cuda")]
pub mod emit;
mod forward;
mod launch;
mod tile;

use self::launch::{Bias, Problem, sizes};
use super::Described;
use crate::ops::{
    fused::attention::{Added, Attention},
    operator::{Kept, Kernels},
    relative_bucket::relative_bucket,
};
use burn::{
    backend::{TensorMetadata, fusion::custom::TensorSpec, tensor::FloatTensor},
    tensor::{DType, Shape},
};
use burn_cubecl::{
    CubeBackend,
    cubecl::prelude::CubeElement,
    kernel::{cast, into_contiguous},
    tensor::CubeTensor,
};

/// A contiguous tensor of host values, where `like` lives.
fn upload<E: CubeElement>(like: &CubeTensor, values: &[E], dtype: DType) -> CubeTensor {
    let handle = like.client.create_from_slice(E::as_bytes(values));
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), Shape::new([values.len()]), handle, dtype)
}

impl Attention {
    /// The problem that keys, the table and the starts of documents make on their device.
    fn problem(&self, k: &CubeTensor, table: Option<&CubeTensor>, starts: Option<&CubeTensor>) -> Problem {
        let bias = match (&self.added, table) {
            (Added::Slopes(slopes), _) => Bias::Alibi(upload(k, slopes, DType::F32)),
            (Added::Table { max_distance }, Some(table)) => {
                let buckets = table.shape()[0];
                let of_distance: Vec<u32> =
                    (0..sizes(k)[2]).map(|distance| relative_bucket(distance, buckets, *max_distance) as u32).collect();
                let table = into_contiguous(cast(table.clone(), DType::F32));
                Bias::Relative { table, buckets: upload(k, &of_distance, DType::U32) }
            }
            _ => Bias::None,
        };
        // Kernels read the bits of positions, which are no different in i32 and u32.
        let starts = starts.map(|starts| into_contiguous(starts.clone()));
        Problem { scale: self.scale, soft_cap: self.soft_cap, window: self.window, starts, bias }
    }
}

impl Kernels<CubeBackend> for Attention {
    fn forward(&self, inputs: Vec<CubeTensor>, starts: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let problem = self.problem(&inputs[1], inputs.get(3), starts.as_ref());
        let mut inputs = inputs.into_iter();
        let (q, k, v) = (inputs.next(), inputs.next(), inputs.next());
        let (out, log_sum) = launch::forward(
            &problem,
            q.expect("attention reads queries"),
            k.expect("attention reads keys"),
            v.expect("attention reads values"),
        );
        vec![out.clone(), out, log_sum]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<FloatTensor<CubeBackend>>> {
        let problem = self.problem(&kept.inputs[1], kept.inputs.get(3), kept.indices.as_ref());
        let [q, k, v] = [0, 1, 2].map(|i| kept.inputs[i].clone());
        let [out, log_sum] = [0, 1].map(|i| kept.saved[i].clone());
        let found = launch::backward(&problem, q, k, v, out, log_sum, gradient);
        let table = found.table.zip(kept.inputs.get(3)).map(|(gradient, table)| cast(gradient, table.dtype));
        [found.dq, found.dk, found.dv].into_iter().chain(table).zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }
}

impl Described for Attention {
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec> {
        let q = &inputs[0];
        let [batch, heads, queries, _] = q.shape.dims();
        let mut all = vec![q.clone()];
        if tracked {
            all.extend([q.clone(), TensorSpec::new(Shape::new([batch, heads, queries]), DType::F32)]);
        }
        all
    }
}

#[cfg(test)]
mod tests;
