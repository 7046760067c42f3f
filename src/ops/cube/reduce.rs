//! Sums and maxima in a fixed order.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::tensor::{arg, count, dims, elem, per_element, room};
use burn::tensor::DType;
use burn_cubecl::{
    cubecl::{self, ir::ElemType, prelude::*},
    kernel::cast,
    tensor::CubeTensor,
};

/// The sum of one number of every unit of the cube, for every unit.
#[cube]
pub fn sum_over_cube(value: f32, #[comptime] units: usize) -> f32 {
    let mut numbers = Shared::<[f32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    numbers[unit] = value;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if unit < half {
            let other = numbers[unit + half];
            numbers[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    let all = numbers[0];
    // The compiler may give this memory to the next reduction.
    sync_cube();
    all
}

/// The largest of one number of every unit of the cube, for every unit.
#[cube]
pub fn max_over_cube(value: f32, #[comptime] units: usize) -> f32 {
    let mut numbers = Shared::<[f32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    numbers[unit] = value;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if unit < half {
            let other = numbers[unit + half];
            numbers[unit] = max(numbers[unit], other);
        }
        sync_cube();
        half /= 2;
    }
    let all = numbers[0];
    // The compiler may give this memory to the next reduction.
    sync_cube();
    all
}

/// Rows that one unit adds up.
pub const ROWS: usize = 64;

#[cube(launch)]
fn sum_blocks<F: Float>(x: &[F], sums: &mut [f32], rows: usize, columns: usize, outputs: usize, scale: f32, #[define(F)] _elem: ElemType) {
    if ABSOLUTE_POS < outputs {
        let column = ABSOLUTE_POS % columns;
        let first = ABSOLUTE_POS / columns * comptime!(ROWS);
        let end = min(first + comptime!(ROWS), rows);
        let mut sum = 0.0f32;
        for row in first..end {
            sum += f32::cast_from(x[row * columns + column]);
        }
        sums[ABSOLUTE_POS] = sum * scale;
    }
}

/// The columns of a contiguous `[rows, columns]` added up and scaled: `[columns]`, computed in f32, of type `dtype`.
pub fn sum_rows(x: &CubeTensor, scale: f32, dtype: DType) -> CubeTensor {
    let [mut rows, columns] = dims(x);
    assert!(rows > 0 && count(x) > 0, "a sum over nothing");
    let mut sums = x.clone();
    loop {
        let blocks = rows.div_ceil(ROWS);
        let next = room(x, [blocks, columns], DType::F32);
        let (grid, units) = per_element(blocks * columns);
        let scale = if blocks == 1 { scale } else { 1.0 };
        sum_blocks::launch(&x.client, grid, units, arg(&sums), arg(&next), rows, columns, blocks * columns, scale, elem(&sums));
        (sums, rows) = (next, blocks);
        if blocks == 1 {
            return cast(super::tensor::reshape(sums, [columns]), dtype);
        }
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{
        emit::{FLOATS, kernel},
        tensor::UNITS,
    };
    let sums = |(name, float)| {
        let sums = kernel!(target, UNITS as usize, sum_blocks::SumBlocks, [buffer x sums], (rows columns outputs scale), float);
        (format!("sum_blocks_{name}"), sums)
    };
    FLOATS.map(sums).into()
}
