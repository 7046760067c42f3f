//! Activations, alone and as gates: the backward computes them again from the inputs.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    tensor::{arg, count, dense, elem, per_element, room},
};
use crate::ops::{
    flex::gated::Activation,
    fused::gated::{Activate, Gated},
    operator::{Kept, Kernels},
};
use burn::backend::{TensorMetadata, fusion::custom::TensorSpec};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    tensor::CubeTensor,
};

const RELU: u8 = Activation::Relu as u8;
const RELU2: u8 = Activation::Relu2 as u8;
const GELU: u8 = Activation::Gelu as u8;
const GELU_TANH: u8 = Activation::GeluTanh as u8;
const SILU: u8 = Activation::Silu as u8;
const SIGMOID: u8 = Activation::Sigmoid as u8;

/// 2√(2/π)
const TANH_SCALE: f32 = 1.595_769;
const TANH_CUBE: f32 = 0.044_715;

/// 1/(1 + e⁻ˣ). Far below 0 the power is infinite and the quotient 0.
#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0f32 / (1.0f32 + f32::exp(min(-x, 88.0f32)))
}

/// Φ(x), by the complementary error function, whose value stays exact to some units in the last place where it is small:
/// 1 + erf would cancel there. The fit is that of Press et al., "Numerical Recipes", section 6.2 (erfcc).
#[cube]
fn normal(x: f32) -> f32 {
    let z = f32::abs(x) * comptime!(std::f32::consts::FRAC_1_SQRT_2);
    let t = 1.0f32 / (1.0f32 + 0.5f32 * z);
    let high = 0.278_868_07f32 + t * (-1.135_204f32 + t * (1.488_515_9f32 + t * (-0.822_152_23f32 + t * 0.170_872_77f32)));
    let low = 1.000_023_7f32 + t * (0.374_091_96f32 + t * (0.096_784_18f32 + t * (-0.186_288_06f32 + t * high)));
    let tail = 0.5f32 * t * f32::exp(max(-z * z - 1.265_512_2f32 + t * low, -87.0f32));
    let mut share = tail;
    if x > 0.0f32 {
        share = 1.0f32 - tail;
    }
    share
}

/// act(x). Factors of what vanishes are bounded, so that the product vanishes too.
#[cube]
fn value(x: f32, #[comptime] kind: u8) -> f32 {
    let mut y = x;
    if comptime!(kind == RELU) {
        y = max(x, 0.0f32);
    } else if comptime!(kind == RELU2) {
        let positive = max(x, 0.0f32);
        y = positive * positive;
    } else if comptime!(kind == GELU) {
        // Where Φ is 0 in f32, -∞ must not meet it.
        y = max(x, -20.0f32) * normal(x);
    } else if comptime!(kind == GELU_TANH) {
        y = max(x, -20.0f32) * sigmoid(x * (comptime!(TANH_SCALE) + comptime!(TANH_SCALE * TANH_CUBE) * (x * x)));
    } else if comptime!(kind == SILU) {
        y = max(x, -80.0f32) * sigmoid(x);
    } else if comptime!(kind == SIGMOID) {
        y = sigmoid(x);
    }
    y
}

/// act′(x).
#[cube]
fn slope(x: f32, #[comptime] kind: u8) -> f32 {
    let mut y = 1.0f32;
    if comptime!(kind == RELU) {
        y = select(x > 0.0f32, 1.0f32, 0.0f32);
    } else if comptime!(kind == RELU2) {
        y = 2.0f32 * max(x, 0.0f32);
    } else if comptime!(kind == GELU) {
        let near = clamp(x, -12.0f32, 12.0f32);
        y = normal(x) + near * (0.398_942_3f32 * f32::exp(-0.5f32 * (near * near)));
    } else if comptime!(kind == GELU_TANH) {
        let near = clamp(x, -20.0f32, 20.0f32);
        let inner = near * (comptime!(TANH_SCALE) + comptime!(TANH_SCALE * TANH_CUBE) * (near * near));
        let bend = comptime!(TANH_SCALE) + comptime!(3.0 * TANH_SCALE * TANH_CUBE) * (near * near);
        y = sigmoid(inner) * (1.0f32 + near * bend * sigmoid(-inner));
    } else if comptime!(kind == SILU) {
        let near = clamp(x, -80.0f32, 80.0f32);
        y = sigmoid(near) * (1.0f32 + near * sigmoid(-near));
    } else if comptime!(kind == SIGMOID) {
        y = sigmoid(x) * sigmoid(-x);
    }
    y
}

#[cube(launch)]
fn activate<F: Float>(x: &[F], y: &mut [F], count: usize, #[comptime] kind: u8, #[define(F)] _elem: ElemType) {
    if ABSOLUTE_POS < count {
        y[ABSOLUTE_POS] = F::cast_from(value(f32::cast_from(x[ABSOLUTE_POS]), kind));
    }
}

#[cube(launch)]
fn activate_backward<F: Float>(x: &[F], dy: &[F], dx: &mut [F], count: usize, #[comptime] kind: u8, #[define(F)] _elem: ElemType) {
    if ABSOLUTE_POS < count {
        let dy = f32::cast_from(dy[ABSOLUTE_POS]);
        dx[ABSOLUTE_POS] = F::cast_from(dy * slope(f32::cast_from(x[ABSOLUTE_POS]), kind));
    }
}

#[cube(launch)]
fn gate<F: Float>(gate: &[F], up: &[F], y: &mut [F], count: usize, #[comptime] kind: u8, #[define(F)] _elem: ElemType) {
    if ABSOLUTE_POS < count {
        let up = f32::cast_from(up[ABSOLUTE_POS]);
        y[ABSOLUTE_POS] = F::cast_from(value(f32::cast_from(gate[ABSOLUTE_POS]), kind) * up);
    }
}

#[cube(launch)]
fn gate_backward<F: Float>(
    gate: &[F],
    up: &[F],
    dy: &[F],
    dgate: &mut [F],
    dup: &mut [F],
    count: usize,
    #[comptime] kind: u8,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < count {
        let gate = f32::cast_from(gate[ABSOLUTE_POS]);
        let dy = f32::cast_from(dy[ABSOLUTE_POS]);
        dgate[ABSOLUTE_POS] = F::cast_from(dy * f32::cast_from(up[ABSOLUTE_POS]) * slope(gate, kind));
        dup[ABSOLUTE_POS] = F::cast_from(dy * value(gate, kind));
    }
}

/// activation(gate)·up.
pub(super) fn gated(activation: Activation, gate_in: &CubeTensor, up: &CubeTensor) -> CubeTensor {
    assert_eq!(gate_in.dtype, up.dtype, "gated: element types differ");
    let (gate_in, up) = (dense(gate_in), dense(up));
    let y = room(&up, up.shape(), up.dtype);
    let (grid, units) = per_element(count(&y));
    gate::launch(&y.client, grid, units, arg(&gate_in), arg(&up), arg(&y), count(&y), activation as u8, elem(&y));
    y
}

/// The gradients of gate and up.
pub(super) fn gated_backward(activation: Activation, gate: &CubeTensor, up: &CubeTensor, dy: &CubeTensor) -> [CubeTensor; 2] {
    assert!(gate.dtype == dy.dtype && up.dtype == dy.dtype, "gated: element types differ");
    let (gate, up, dy) = (dense(gate), dense(up), dense(dy));
    let [dgate, dup] = [(); 2].map(|()| room(&up, up.shape(), up.dtype));
    let (grid, units) = per_element(count(&dy));
    gate_backward::launch(
        &dy.client,
        grid,
        units,
        arg(&gate),
        arg(&up),
        arg(&dy),
        arg(&dgate),
        arg(&dup),
        count(&dy),
        activation as u8,
        elem(&dy),
    );
    [dgate, dup]
}

impl Kernels<CubeBackend> for Activate {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let x = dense(&inputs[0]);
        let y = room(&x, x.shape(), x.dtype);
        let (grid, units) = per_element(count(&y));
        activate::launch(&x.client, grid, units, arg(&x), arg(&y), count(&x), self.0 as u8, elem(&x));
        vec![y]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        let (x, dy) = (dense(&kept.inputs[0]), dense(&gradient));
        let dx = room(&x, x.shape(), x.dtype);
        let (grid, units) = per_element(count(&x));
        activate_backward::launch(&x.client, grid, units, arg(&x), arg(&dy), arg(&dx), count(&x), self.0 as u8, elem(&x));
        vec![Some(dx)]
    }
}

impl Described for Activate {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![inputs[0].clone()]
    }
}

impl Kernels<CubeBackend> for Gated {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        vec![gated(self.0, &inputs[0], &inputs[1])]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let gradients = gated_backward(self.0, &kept.inputs[0], &kept.inputs[1], &gradient);
        gradients.into_iter().zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }
}

impl Described for Gated {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![inputs[0].clone()]
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{
        emit::{FLOATS, kernel},
        tensor::UNITS,
    };
    let units = UNITS as usize;
    let mut all = vec![];
    for (name, float) in FLOATS {
        for kind in Activation::ALL {
            let (what, kind) = (format!("{kind:?}_{name}").to_lowercase(), kind as u8);
            let kernels = [
                ("activate", kernel!(target, units, activate::Activate, [buffer x y], (count), kind, float)),
                ("activate_backward", kernel!(target, units, activate_backward::ActivateBackward, [buffer x dy dx], (count), kind, float)),
                ("gate", kernel!(target, units, gate::Gate, [buffer gate up y], (count), kind, float)),
                ("gate_backward", kernel!(target, units, gate_backward::GateBackward, [buffer gate up dy dgate dup], (count), kind, float)),
            ];
            all.extend(kernels.map(|(kernel, emitted)| (format!("{kernel}_{what}"), emitted)));
        }
    }
    all
}
