//! Sum of squares, in a fixed order.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    reduce::{ROWS, sum_rows},
    tensor::{arg, count, dense, elem, per_element, reshape, room, statistic},
};
use crate::ops::{
    fused::square_norm::SquareNorm,
    operator::{Kept, Kernels},
};
use burn::{backend::fusion::custom::TensorSpec, tensor::DType};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    tensor::CubeTensor,
};

/// Partial sums, at most: enough units to keep a GPU busy.
const PARTS: usize = 1 << 16;

/// Unit i adds up the squares of the elements i, i + parts, i + 2·parts, …, so that neighbours read neighbours.
#[cube(launch)]
fn squares<F: Float>(x: &[F], sums: &mut [f32], count: usize, parts: usize, #[define(F)] _elem: ElemType) {
    if ABSOLUTE_POS < parts {
        let mut sum = 0.0f32;
        let mut i = ABSOLUTE_POS;
        while i < count {
            let value = f32::cast_from(x[i]);
            sum += value * value;
            i += parts;
        }
        sums[ABSOLUTE_POS] = sum;
    }
}

impl Kernels<CubeBackend> for SquareNorm {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let x = dense(&inputs[0]);
        let parts = count(&x).div_ceil(ROWS).clamp(1, PARTS);
        let sums = room(&x, [parts], DType::F32);
        let (grid, units) = per_element(parts);
        squares::launch(&x.client, grid, units, arg(&x), arg(&sums), count(&x), parts, elem(&x));
        vec![sum_rows(&reshape(sums, [parts, 1]), 1.0, DType::F32)]
    }

    fn backward(&self, _: Kept<CubeBackend>, _: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        unreachable!("norms of gradients have no gradients")
    }
}

impl Described for SquareNorm {
    fn outputs(&self, _: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![statistic([1])]
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{
        emit::{FLOATS, kernel},
        tensor::UNITS,
    };
    let squares = |(name, float)| {
        (format!("squares_{name}"), kernel!(target, UNITS as usize, squares::Squares, [buffer x sums], (count parts), float))
    };
    FLOATS.map(squares).into()
}
