//! Normalisation of rows: one cube per row; the gradients of gain and bias by blocks of rows, then over the blocks.
//!
//! The mean of a row is rounded; what the deviations from it leave over is added up and taken away, as on the CPU.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    reduce::{ROWS, sum_over_cube, sum_rows},
    tensor::{arg, count, dense, elem, grid, per_element, room, statistic, units, width},
};
use crate::ops::{
    flex::norm::Kind,
    fused::norm::Norm,
    operator::{Kept, Kernels},
};
use burn::{
    backend::{TensorMetadata, fusion::custom::TensorSpec},
    tensor::DType,
};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    tensor::CubeTensor,
};

/// Rounded mean, what is missing to it, and 1/√(variance + eps).
const STATISTICS: usize = 3;

/// x, or the sum that the same unit has written.
#[cube]
fn read<F: Float>(x: &[F], sum: &mut [F], i: usize, #[comptime] of_sum: bool) -> f32 {
    let mut value = 0.0f32;
    if comptime!(of_sum) {
        value += f32::cast_from(sum[i]);
    } else {
        value += f32::cast_from(x[i]);
    }
    value
}

#[cube(launch)]
fn forward<F: Float>(
    x: &[F],
    branch: &[F],
    sum: &mut [F],
    gain: &[F],
    bias: &[F],
    y: &mut [F],
    statistics: &mut [f32],
    rows: usize,
    eps: f32,
    offset: f32,
    #[comptime] width: usize,
    #[comptime] layer: bool,
    #[comptime] of_sum: bool,
    #[comptime] has_gain: bool,
    #[comptime] has_bias: bool,
    #[comptime] units: usize,
    #[define(F)] _elem: ElemType,
) {
    // Cubes beyond the last row do it once more: a barrier must be met by all units.
    let row = min(CUBE_POS, rows - 1);
    let unit = UNIT_POS as usize;
    let start = row * width;
    let size = comptime!(width as f32);
    if comptime!(of_sum) {
        let mut i = unit;
        while i < width {
            sum[start + i] = F::cast_from(f32::cast_from(x[start + i]) + f32::cast_from(branch[start + i]));
            i += units;
        }
    }
    let mut mean = 0.0f32;
    if comptime!(layer) {
        let mut total = 0.0f32;
        let mut i = unit;
        while i < width {
            total += read::<F>(x, sum, start + i, of_sum);
            i += units;
        }
        mean = sum_over_cube(total, units) / size;
    }
    let mut rest = 0.0f32;
    let mut squares = 0.0f32;
    let mut i = unit;
    while i < width {
        let deviation = read::<F>(x, sum, start + i, of_sum) - mean;
        rest += deviation;
        squares += deviation * deviation;
        i += units;
    }
    let mut missing = 0.0f32;
    if comptime!(layer) {
        missing = sum_over_cube(rest, units) / size;
    }
    let variance = max(sum_over_cube(squares, units) / size - missing * missing, 0.0f32);
    let scale = 1.0f32 / f32::sqrt(variance + eps);
    if unit == 0 {
        statistics[row * 3] = mean;
        statistics[row * 3 + 1] = missing;
        statistics[row * 3 + 2] = scale;
    }
    let mut i = unit;
    while i < width {
        let mut value = (read::<F>(x, sum, start + i, of_sum) - mean - missing) * scale;
        if comptime!(has_gain) {
            value *= offset + f32::cast_from(gain[i]);
        }
        if comptime!(has_bias) {
            value += f32::cast_from(bias[i]);
        }
        y[start + i] = F::cast_from(value);
        i += units;
    }
}

#[cube(launch)]
fn backward_of_input<F: Float>(
    x: &[F],
    gain: &[F],
    statistics: &[f32],
    dy: &[F],
    begun: &[F],
    dx: &mut [F],
    rows: usize,
    offset: f32,
    #[comptime] width: usize,
    #[comptime] layer: bool,
    #[comptime] has_gain: bool,
    #[comptime] adds: bool,
    #[comptime] units: usize,
    #[define(F)] _elem: ElemType,
) {
    let row = min(CUBE_POS, rows - 1);
    let unit = UNIT_POS as usize;
    let start = row * width;
    let size = comptime!(width as f32);
    let mean = statistics[row * 3];
    let missing = statistics[row * 3 + 1];
    let scale = statistics[row * 3 + 2];
    let mut slope = 0.0f32;
    let mut along = 0.0f32;
    let mut i = unit;
    while i < width {
        let mut g = f32::cast_from(dy[start + i]);
        if comptime!(has_gain) {
            g *= offset + f32::cast_from(gain[i]);
        }
        slope += g;
        along += g * ((f32::cast_from(x[start + i]) - mean - missing) * scale);
        i += units;
    }
    let along = sum_over_cube(along, units) / size;
    let mut level = 0.0f32;
    if comptime!(layer) {
        level = sum_over_cube(slope, units) / size;
    }
    let mut i = unit;
    while i < width {
        let mut g = f32::cast_from(dy[start + i]);
        if comptime!(has_gain) {
            g *= offset + f32::cast_from(gain[i]);
        }
        let normal = (f32::cast_from(x[start + i]) - mean - missing) * scale;
        let mut value = scale * (g - level - normal * along);
        if comptime!(adds) {
            value += f32::cast_from(begun[start + i]);
        }
        dx[start + i] = F::cast_from(value);
        i += units;
    }
}

/// Sums over a block of rows, one unit per column and block.
#[cube(launch)]
fn backward_of_parameters<F: Float>(
    x: &[F],
    statistics: &[f32],
    dy: &[F],
    dgain: &mut [f32],
    dbias: &mut [f32],
    rows: usize,
    outputs: usize,
    #[comptime] width: usize,
    #[comptime] has_bias: bool,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < outputs {
        let column = ABSOLUTE_POS % width;
        let first = ABSOLUTE_POS / width * comptime!(ROWS);
        let end = min(first + comptime!(ROWS), rows);
        let mut along = 0.0f32;
        let mut level = 0.0f32;
        for row in first..end {
            let g = f32::cast_from(dy[row * width + column]);
            let deviation = f32::cast_from(x[row * width + column]) - statistics[row * 3] - statistics[row * 3 + 1];
            along += g * deviation * statistics[row * 3 + 2];
            level += g;
        }
        dgain[ABSOLUTE_POS] = along;
        if comptime!(has_bias) {
            dbias[ABSOLUTE_POS] = level;
        }
    }
}

impl Norm {
    /// Gain and bias; x in the place of what is not there, which no kernel then reads.
    fn vectors(&self, inputs: &[CubeTensor], x: &CubeTensor) -> (CubeTensor, CubeTensor) {
        let vector = |there: bool, i: usize| if there { dense(&inputs[i]) } else { x.clone() };
        let first = self.terms();
        (vector(self.gain, first), vector(self.bias, first + usize::from(self.gain)))
    }

    fn check(inputs: &[CubeTensor]) {
        assert!(inputs.iter().all(|input| input.dtype == inputs[0].dtype), "norm: element types differ");
    }
}

impl Kernels<CubeBackend> for Norm {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        Self::check(&inputs);
        let x = dense(&inputs[0]);
        let (width, layer) = (width(&x), self.kind == Kind::Layer);
        let rows = count(&x) / width;
        let (gain, bias) = self.vectors(&inputs, &x);
        let (y, statistics) = (room(&x, x.shape(), x.dtype), room(&x, [rows, STATISTICS], DType::F32));
        let branch = if self.sum { dense(&inputs[1]) } else { x.clone() };
        let sum = if self.sum { room(&x, x.shape(), x.dtype) } else { room(&x, [1], x.dtype) };
        let units = units(width);
        forward::launch(
            &x.client,
            grid(rows),
            CubeDim::new_1d(units as u32),
            arg(&x),
            arg(&branch),
            arg(&sum),
            arg(&gain),
            arg(&bias),
            arg(&y),
            arg(&statistics),
            rows,
            self.eps,
            self.offset,
            width,
            layer,
            self.sum,
            self.gain,
            self.bias,
            units,
            elem(&x),
        );
        std::iter::once(y).chain(self.sum.then_some(sum)).chain([statistics]).collect()
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let (x, dy, statistics) = (dense(&kept.inputs[0]), dense(&gradient), dense(&kept.saved[0]));
        let (width, layer) = (width(&x), self.kind == Kind::Layer);
        let rows = count(&x) / width;
        let (gain, _) = self.vectors(&kept.inputs, &x);
        let begun = kept.begun.as_ref().map(dense);
        let mut found = vec![wanted[0].then(|| {
            let dx = room(&x, x.shape(), x.dtype);
            let units = units(width);
            backward_of_input::launch(
                &x.client,
                grid(rows),
                CubeDim::new_1d(units as u32),
                arg(&x),
                arg(&gain),
                arg(&statistics),
                arg(&dy),
                arg(begun.as_ref().unwrap_or(&dy)),
                arg(&dx),
                rows,
                self.offset,
                width,
                layer,
                self.gain,
                begun.is_some(),
                units,
                elem(&x),
            );
            dx
        })];
        if wanted[1..].contains(&true) {
            let blocks = rows.div_ceil(ROWS);
            let [dgain, dbias] = [(); 2].map(|()| room(&x, [blocks, width], DType::F32));
            let (grid, units) = per_element(blocks * width);
            backward_of_parameters::launch(
                &x.client,
                grid,
                units,
                arg(&x),
                arg(&statistics),
                arg(&dy),
                arg(&dgain),
                arg(&dbias),
                rows,
                blocks * width,
                width,
                self.bias,
                elem(&x),
            );
            let there = [(self.gain, dgain), (self.bias, dbias)].into_iter().filter(|(there, _)| *there);
            found.extend(there.zip(&wanted[1..]).map(|((_, sums), wanted)| wanted.then(|| sum_rows(&sums, 1.0, x.dtype))));
        } else {
            found.resize(wanted.len(), None);
        }
        found
    }
}

impl Described for Norm {
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec> {
        let x = &inputs[0];
        let rows = x.shape.num_elements() / x.shape.last().expect("no scalars here");
        let mut all = vec![x.clone(); if self.sum { 2 } else { 1 }];
        all.extend(tracked.then(|| statistic([rows, STATISTICS])));
        all
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{
        emit::{FLOATS, kernel},
        tensor::UNITS,
    };
    let (width, row, element) = (1024, units(1024), UNITS as usize);
    let mut all = vec![];
    for (name, float) in FLOATS {
        for (kind, layer) in [("rms", false), ("layer", true)] {
            let of_row = kernel!(
                target, row, forward::Forward, [buffer x branch sum gain bias y statistics], (rows eps offset),
                width, layer, true, true, layer, row, float
            );
            all.push((format!("norm_{kind}_forward_{name}"), of_row));
            let of_input = kernel!(
                target, row, backward_of_input::BackwardOfInput, [buffer x gain statistics dy begun dx], (rows offset),
                width, layer, true, true, row, float
            );
            all.push((format!("norm_{kind}_backward_{name}"), of_input));
            let of_parameters = kernel!(
                target, element, backward_of_parameters::BackwardOfParameters, [buffer x statistics dy dgain dbias], (rows outputs),
                width, layer, float
            );
            all.push((format!("norm_{kind}_parameters_{name}"), of_parameters));
        }
    }
    all
}
