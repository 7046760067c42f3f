//! Rotation of channel pairs, one unit per pair, of queries and keys in one launch; the backward turns back. Inputs may
//! lie in any layout.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    tensor::{arg, dims, elem, per_element, room, swap},
};
use crate::ops::{
    fused::rotary::Rotary,
    operator::{Kept, Kernels},
};
use burn::{backend::fusion::custom::TensorSpec, tensor::DType};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    tensor::CubeTensor,
};

/// One lane of a vector: a pair that turns, or a channel that is copied.
#[cube]
fn turn<F: Float>(
    x: &[F],
    y: &mut [F],
    from: usize,
    to: usize,
    of_channel: usize,
    lane: usize,
    c: f32,
    s: f32,
    #[comptime] pairs: usize,
    #[comptime] interleaved: bool,
) {
    if lane < pairs {
        let mut one = lane;
        let mut two = lane + pairs;
        if comptime!(interleaved) {
            one = 2 * lane;
            two = 2 * lane + 1;
        }
        let a = f32::cast_from(x[from + one * of_channel]);
        let b = f32::cast_from(x[from + two * of_channel]);
        y[to + one] = F::cast_from(a * c - b * s);
        y[to + two] = F::cast_from(b * c + a * s);
    } else {
        let channel = lane + pairs;
        y[to + channel] = x[from + channel * of_channel];
    }
}

/// Two tensors in one launch, queries and keys; the outputs are `[batch, seq, heads, head_dim]`. Inputs
/// are strided.
#[cube(launch)]
fn rotate<F: Float>(
    x: &[F],
    other_x: &[F],
    cos: &[f32],
    sin: &[f32],
    y: &mut [F],
    other_y: &mut [F],
    count: usize,
    seq: usize,
    of_batch: usize,
    of_head: usize,
    of_seq: usize,
    of_channel: usize,
    other_batch: usize,
    other_head: usize,
    other_seq: usize,
    other_channel: usize,
    sign: f32,
    #[comptime] heads: usize,
    #[comptime] other_heads: usize,
    #[comptime] head_dim: usize,
    #[comptime] pairs: usize,
    #[comptime] interleaved: bool,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < count {
        let lanes = comptime!(head_dim - pairs);
        let all = comptime!(heads + other_heads);
        let lane = ABSOLUTE_POS % lanes;
        let vector = ABSOLUTE_POS / lanes;
        let head = vector % all;
        let position = vector / all % seq;
        let batch = vector / all / seq;
        let mut c = 0.0f32;
        let mut s = 0.0f32;
        if lane < pairs {
            c += cos[position * pairs + lane];
            s += sin[position * pairs + lane] * sign;
        }
        let row = vector / all;
        if head < heads {
            let from = batch * of_batch + head * of_head + position * of_seq;
            turn::<F>(x, y, from, (row * heads + head) * head_dim, of_channel, lane, c, s, pairs, interleaved);
        } else {
            let head = head - heads;
            let from = batch * other_batch + head * other_head + position * other_seq;
            let to = (row * other_heads + head) * head_dim;
            turn::<F>(other_x, other_y, from, to, other_channel, lane, c, s, pairs, interleaved);
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

    /// x `[batch, heads, seq, head_dim]`, and another one of as many positions, in one launch; or turned back where `inverse`.
    pub(super) fn on_gpu(&self, x: &CubeTensor, other: Option<&CubeTensor>, inverse: bool) -> Vec<CubeTensor> {
        let [batch, heads, seq, head_dim] = dims(x);
        let (pairs, interleaved) = (self.0.pairs, self.0.interleaved);
        assert!(self.0.cos.len() == seq * pairs, "rotation: {} angles for {seq} positions of {pairs} pairs", self.0.cos.len());
        assert!(other.is_none_or(|other| other.dtype == x.dtype), "rotation: element types differ");
        let [cos, sin] = self.tables(x);
        let turned = |x: &CubeTensor| {
            let [batch, heads, seq, head_dim] = dims(x);
            room(x, [batch, seq, heads, head_dim], x.dtype)
        };
        let (y, other_y) = (turned(x), other.map(turned));
        let other_heads = other.map_or(0, |other| dims::<4>(other)[1]);
        let lanes = batch * seq * (heads + other_heads) * (head_dim - pairs);
        let (grid, units) = per_element(lanes);
        let (one, two) = (x.meta.strides(), other.unwrap_or(x).meta.strides());
        rotate::launch(
            &x.client,
            grid,
            units,
            arg(x),
            arg(other.unwrap_or(x)),
            arg(&cos),
            arg(&sin),
            arg(&y),
            // Nothing is written where there is no other one.
            arg(&other_y.clone().unwrap_or_else(|| room(x, [1], x.dtype))),
            lanes,
            seq,
            one[0],
            one[1],
            one[2],
            one[3],
            two[0],
            two[1],
            two[2],
            two[3],
            if inverse { -1.0 } else { 1.0 },
            heads,
            other_heads,
            head_dim,
            pairs,
            interleaved,
            elem(x),
        );
        std::iter::once(y).chain(other_y).map(|y| swap(y, 1, 2)).collect()
    }
}

impl Kernels<CubeBackend> for Rotary {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        self.on_gpu(&inputs[0], None, false)
    }

    fn backward(&self, _: Kept<CubeBackend>, gradient: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        self.on_gpu(&gradient, None, true).into_iter().map(Some).collect()
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

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{
        emit::{FLOATS, kernel},
        tensor::UNITS,
    };
    let mut all = vec![];
    for (name, float) in FLOATS {
        for (pairing, interleaved) in [("interleaved", true), ("halves", false)] {
            let (heads, other_heads, head_dim, pairs) = (16, 4, 64, 32);
            let turn = kernel!(
                target, UNITS as usize, rotate::Rotate, [buffer x other_x cos sin y other_y],
                (count seq of_batch of_head of_seq of_channel other_batch other_head other_seq other_channel sign),
                heads, other_heads, head_dim, pairs, interleaved, float
            );
            all.push((format!("rotary_{pairing}_{name}"), turn));
        }
    }
    all
}
