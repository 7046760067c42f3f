//! The head's product and the cross-entropy in one. The logits of a chunk of tokens are computed by one product; a cube per
//! token makes its loss of them and overwrites them by their gradient, and two more products end the chunk.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    reduce::{max_over_cube, sum_over_cube, sum_rows},
    tensor::{arg, dense, dims, elem, matmul, matmul_into, reshape, room, rows, statistic, swap, units},
};
use crate::ops::{
    cross_entropy::CrossEntropyOptions,
    fused::loss::{MeanLoss, TokenLosses},
    operator::{Kept, Kernels},
};
use burn::{
    backend::{
        fusion::custom::TensorSpec,
        ops::{FloatTensorOps, IntTensorOps},
    },
    tensor::{DType, IntDType, Slice},
};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    kernel::cast,
    tensor::CubeTensor,
};

/// Logits of one chunk of tokens, about; at least and at most so many tokens, each of which is a cube of one row of the grid.
const CHUNK: usize = 1 << 25;
const TOKENS: (usize, usize) = (128, 4096);

/// A logit with its bias, capped.
#[cube]
fn logit<F: Float>(z: F, bias: &[F], i: usize, cap: f32, #[comptime] has_bias: bool, #[comptime] has_cap: bool) -> f32 {
    let mut z = f32::cast_from(z);
    if comptime!(has_bias) {
        z += f32::cast_from(bias[i]);
    }
    if comptime!(has_cap) {
        // Beyond ±10 it is ±1 in f32, and some devices overflow.
        z = cap * f32::tanh(clamp(z / cap, -10.0f32, 10.0f32));
    }
    z
}

/// `losses` is `[tokens, 2]`: objective and cross-entropy. The formulas are those of the CPU's kernel.
#[cube(launch)]
fn token_losses<F: Float>(
    logits: &mut [F],
    bias: &[F],
    targets: &[i32],
    losses: &mut [f32],
    start: usize,
    cap: f32,
    z_loss: f32,
    smoothing: f32,
    scale: f32,
    #[comptime] vocab: usize,
    #[comptime] has_bias: bool,
    #[comptime] has_cap: bool,
    #[comptime] smooth: bool,
    #[comptime] gradients: bool,
    #[comptime] units: usize,
    #[define(F)] _elem: ElemType,
) {
    // The grid has one cube per token and no more.
    let row = CUBE_POS;
    let unit = UNIT_POS as usize;
    let first = row * vocab;
    let target = min(targets[start + row] as usize, comptime!(vocab - 1));
    let mut top = comptime!(f32::MIN).runtime();
    let mut i = unit;
    while i < vocab {
        top = max(top, logit::<F>(logits[first + i], bias, i, cap, has_bias, has_cap));
        i += units;
    }
    // All relative to the largest logit, so that nothing is lost where logits are large.
    let top = max_over_cube(top, units);
    let at_target = logit::<F>(logits[first + target], bias, target, cap, has_bias, has_cap) - top;
    let mut sum = 0.0f32;
    let mut total = 0.0f32;
    let mut i = unit;
    while i < vocab {
        let z = logit::<F>(logits[first + i], bias, i, cap, has_bias, has_cap) - top;
        sum += f32::exp(z);
        total += z;
        i += units;
    }
    let sum = sum_over_cube(sum, units);
    let log_sum = f32::ln(sum);
    let lse = top + log_sum;
    let nats = log_sum - at_target;
    let mut objective = (1.0f32 - smoothing) * nats + z_loss * lse * lse;
    // Without smoothing the mean must not count: it is infinite where a token is ruled out by a bias of -∞.
    if comptime!(smooth) {
        let total = sum_over_cube(total, units);
        objective += smoothing * (log_sum - total / comptime!(vocab as f32));
    }
    if unit == 0 {
        losses[2 * (start + row)] = objective;
        losses[2 * (start + row) + 1] = nats;
    }
    if comptime!(gradients) {
        let factor = scale * (1.0f32 + 2.0f32 * z_loss * lse) / sum;
        let uniform = scale * smoothing / comptime!(vocab as f32);
        let mut i = unit;
        while i < vocab {
            let z = logit::<F>(logits[first + i], bias, i, cap, has_bias, has_cap);
            let mut slope = f32::exp(z - top) * factor - uniform;
            if i == target {
                slope -= scale * (1.0f32 - smoothing);
            }
            if comptime!(has_cap) {
                slope *= 1.0f32 - (z / cap) * (z / cap);
            }
            logits[first + i] = F::cast_from(slope);
            i += units;
        }
    }
}

/// What a pass over all tokens gives: `[n, 2]` losses, and the gradients of x, W and bias of their mean objective.
struct Pass {
    losses: CubeTensor,
    gradients: Vec<CubeTensor>,
}

fn pass(inputs: &[CubeTensor], targets: Option<CubeTensor>, options: &CrossEntropyOptions, gradients: bool) -> Pass {
    let (x, w, bias) = (dense(&inputs[0]), &inputs[1], inputs.get(2).map(dense));
    assert!(bias.as_ref().is_none_or(|bias| bias.dtype == x.dtype), "loss: element types differ");
    let targets = dense(&CubeBackend::int_cast(targets.expect("a loss has targets"), IntDType::I32));
    let ([n, _], [_, vocab]) = (dims(&x), dims(w));
    assert!(n > 0, "a loss of no tokens");
    let losses = room(&x, [n, 2], DType::F32);
    // The gradient of W lies as W does.
    let tied = w.meta.strides()[0] < w.meta.strides()[1];
    let tokens = (CHUNK / vocab).clamp(TOKENS.0, TOKENS.1);
    let (mut dx, mut sums) = (vec![], vec![]);
    for start in (0..n).step_by(tokens) {
        let end = n.min(start + tokens);
        let x = if tokens < n { dense(&rows(&x, start..end)) } else { x.clone() };
        let logits = dense(&matmul(x.clone(), w.clone()));
        let units = units(vocab);
        token_losses::launch(
            &x.client,
            CubeCount::Static((end - start) as u32, 1, 1),
            CubeDim::new_1d(units as u32),
            arg(&logits),
            arg(bias.as_ref().unwrap_or(&x)),
            arg(&targets),
            arg(&losses),
            start,
            options.soft_cap.unwrap_or(1.0) as f32,
            options.z_loss as f32,
            options.label_smoothing as f32,
            (1.0 / n as f64) as f32,
            vocab,
            bias.is_some(),
            options.soft_cap.is_some(),
            options.label_smoothing != 0.0,
            gradients,
            units,
            elem(&x),
        );
        if gradients {
            // Sums over chunks are in f32 whatever the operands are.
            let sum = |a, b| matmul_into(a, b, DType::F32);
            let mut parts = vec![if tied { sum(swap(logits.clone(), 0, 1), x) } else { sum(swap(x, 0, 1), logits.clone()) }];
            parts.extend(bias.is_some().then(|| sum_rows(&logits, 1.0, DType::F32)));
            dx.push(matmul(logits, swap(w.clone(), 0, 1)));
            sums = if sums.is_empty() { parts } else { sums.into_iter().zip(parts).map(|(a, b)| CubeBackend::float_add(a, b)).collect() };
        }
    }
    let mut all = vec![];
    if gradients {
        all.push(if dx.len() == 1 { dx.swap_remove(0) } else { CubeBackend::float_cat(dx, 0) });
        let mut sums = sums.into_iter().map(|sum| cast(sum, x.dtype));
        let dw = sums.next().expect("at least one chunk");
        all.push(if tied { swap(dw, 0, 1) } else { dw });
        all.extend(sums);
    }
    Pass { losses, gradients: all }
}

impl Kernels<CubeBackend> for MeanLoss {
    fn forward(&self, inputs: Vec<CubeTensor>, targets: Option<CubeTensor>, tracked: bool) -> Vec<CubeTensor> {
        let Pass { losses, gradients } = pass(&inputs, targets, &self.0, tracked);
        let [n, _] = dims(&losses);
        let mut all = vec![sum_rows(&losses, (1.0 / n as f64) as f32, DType::F32)];
        all.extend(gradients);
        all
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let factor = rows(&gradient, 0..1);
        let scaled = |x: CubeTensor| {
            let ones = vec![1; x.meta.shape().num_dims()];
            let factor = cast(reshape(factor.clone(), ones), x.dtype);
            CubeBackend::float_mul(x, factor)
        };
        kept.saved.into_iter().zip(wanted).map(|(gradient, wanted)| wanted.then(|| scaled(gradient))).collect()
    }
}

impl Described for MeanLoss {
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec> {
        let (_, inputs) = inputs.split_last().expect("a loss has targets");
        let mut all = vec![statistic([2])];
        if tracked {
            all.extend_from_slice(inputs);
        }
        all
    }

    fn gradients(&self, _: &[TensorSpec], saved: &[TensorSpec], _: &TensorSpec) -> Vec<TensorSpec> {
        saved.to_vec()
    }
}

impl Kernels<CubeBackend> for TokenLosses {
    fn forward(&self, inputs: Vec<CubeTensor>, targets: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let Pass { losses, .. } = pass(&inputs, targets, &self.0, false);
        let [n, _] = dims(&losses);
        let nats = CubeBackend::float_slice(losses, &[Slice::from(0..n), Slice::from(1..2)]);
        vec![reshape(nats, [n])]
    }

    fn backward(&self, _: Kept<CubeBackend>, _: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        unreachable!("only called without gradients")
    }
}

impl Described for TokenLosses {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![statistic([inputs[0].shape[0]])]
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::emit::{FLOATS, kernel};
    let (vocab, units) = (32_000, units(32_000));
    let mut all = vec![];
    for (name, float) in FLOATS {
        for (options, set) in [("plain", false), ("bias_cap_smooth", true)] {
            let losses = kernel!(
                target, units, token_losses::TokenLosses, [buffer logits bias targets losses], (start cap z_loss smoothing scale),
                vocab, set, set, set, true, units, float
            );
            all.push((format!("token_losses_{options}_{name}"), losses));
        }
    }
    all
}
