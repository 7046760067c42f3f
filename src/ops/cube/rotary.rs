//! Rotation of channel pairs, one unit per pair; the backward turns back. The input may lie in any layout.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    tensor::{arg, count, dims, elem, per_element, room, swap},
};
use crate::ops::{
    activations::Activations,
    fused::rotary::Rotary,
    operator::{Keeps, Kept, Kernels},
};
use burn::{
    backend::{Flex, fusion::custom::TensorSpec},
    tensor::DType,
};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    tensor::CubeTensor,
};

/// y is `[batch, seq, heads, head_dim]`; the channels beyond the pairs are copied.
#[cube(launch)]
fn rotate<F: Float>(
    x: &[F],
    cos: &[f32],
    sin: &[f32],
    y: &mut [F],
    count: usize,
    seq: usize,
    of_batch: usize,
    of_head: usize,
    of_seq: usize,
    of_channel: usize,
    sign: f32,
    #[comptime] heads: usize,
    #[comptime] head_dim: usize,
    #[comptime] pairs: usize,
    #[comptime] interleaved: bool,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < count {
        let lanes = comptime!(head_dim - pairs);
        let lane = ABSOLUTE_POS % lanes;
        let vector = ABSOLUTE_POS / lanes;
        let head = vector % heads;
        let position = vector / heads % seq;
        let batch = vector / heads / seq;
        let from = batch * of_batch + head * of_head + position * of_seq;
        let to = vector * head_dim;
        if lane < pairs {
            let mut one = lane;
            let mut two = lane + pairs;
            if comptime!(interleaved) {
                one = 2 * lane;
                two = 2 * lane + 1;
            }
            let a = f32::cast_from(x[from + one * of_channel]);
            let b = f32::cast_from(x[from + two * of_channel]);
            let c = cos[position * pairs + lane];
            let s = sin[position * pairs + lane] * sign;
            y[to + one] = F::cast_from(a * c - b * s);
            y[to + two] = F::cast_from(b * c + a * s);
        } else {
            let channel = lane + pairs;
            y[to + channel] = x[from + channel * of_channel];
        }
    }
}

impl Rotary {
    /// Cosines and sines on the device of `x`.
    fn tables(&self, x: &CubeTensor) -> [CubeTensor; 2] {
        let upload = || {
            [&self.0.cos, &self.0.sin].map(|table| {
                // No table where nothing turns, but no device takes a buffer without a byte.
                let table = if table.is_empty() { &[0.0][..] } else { table };
                let handle = x.client.create_from_slice(f32::as_bytes(table));
                CubeTensor::new_contiguous(x.client.clone(), x.device.clone(), [table.len()].into(), handle, DType::F32)
            })
        };
        let tables = self.0.on_gpu.get_or_init(upload);
        if tables[0].device == x.device { tables.clone() } else { upload() }
    }

    /// x `[batch, heads, seq, head_dim]` turned, or turned back where `inverse`.
    pub(super) fn on_gpu(&self, x: &CubeTensor, inverse: bool) -> CubeTensor {
        let [batch, heads, seq, head_dim] = dims(x);
        let (pairs, interleaved) = (self.0.pairs, self.0.interleaved);
        assert!(self.0.cos.len() == seq * pairs, "rotation: {} angles for {seq} positions of {pairs} pairs", self.0.cos.len());
        let [cos, sin] = self.tables(x);
        let y = room(x, [batch, seq, heads, head_dim], x.dtype);
        let lanes = count(&y) / head_dim * (head_dim - pairs);
        let (grid, units) = per_element(lanes);
        let strides = x.meta.strides();
        rotate::launch(
            &x.client,
            grid,
            units,
            arg(x),
            arg(&cos),
            arg(&sin),
            arg(&y),
            lanes,
            seq,
            strides[0],
            strides[1],
            strides[2],
            strides[3],
            if inverse { -1.0 } else { 1.0 },
            heads,
            head_dim,
            pairs,
            interleaved,
            elem(x),
        );
        swap(y, 1, 2)
    }
}

impl Kernels<CubeBackend> for Rotary {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        vec![self.on_gpu(&inputs[0], false)]
    }

    fn backward(&self, _: Kept<CubeBackend>, gradient: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        vec![Some(self.on_gpu(&gradient, true))]
    }

    fn keeps(&self, activations: Activations) -> Keeps {
        Kernels::<Flex>::keeps(self, activations)
    }
}

impl Described for Rotary {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![inputs[0].clone()]
    }

    fn gradients(&self, _: &[TensorSpec], _: &[TensorSpec], gradient: &TensorSpec) -> Vec<TensorSpec> {
        vec![gradient.clone()]
    }
}
