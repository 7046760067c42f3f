//! Activation functions and gated linear units, act(gate)·up, forward and backward, element by element.
//!
//! The gated form is that of Shazeer, "GLU Variants Improve Transformer" (2020); Gelu is from Hendrycks and Gimpel (2016),
//! Silu from Elfwing et al. (2018), Relu2 from So et al., "Primer" (2021). The backward functions compute the activation
//! again from its input, so that nothing but the inputs has to be kept.

use super::simd;
use crate::ops::profile::span;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Elements in one parallel task.
const BLOCK: usize = 1 << 14;

/// An elementwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0), with derivative 0 at 0.
    Relu,
    /// x·Φ(x), with Φ the normal distribution function.
    Gelu,
    /// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2.
    GeluTanh,
    /// x/(1 + e⁻ˣ).
    Silu,
    /// max(x, 0)².
    Relu2,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
}

impl Activation {
    /// All.
    pub const ALL: [Self; 7] = [Self::Identity, Self::Relu, Self::Relu2, Self::Gelu, Self::GeluTanh, Self::Silu, Self::Sigmoid];
}

const IDENTITY: u8 = Activation::Identity as u8;
const RELU: u8 = Activation::Relu as u8;
const RELU2: u8 = Activation::Relu2 as u8;
const GELU: u8 = Activation::Gelu as u8;
const GELU_TANH: u8 = Activation::GeluTanh as u8;
const SILU: u8 = Activation::Silu as u8;
const SIGMOID: u8 = Activation::Sigmoid as u8;

/// Calls a function with the activation as a constant, so that each has a loop of its own.
macro_rules! by_kind {
    ($kind:expr, $function:ident($($argument:expr),*)) => {
        match $kind {
            Activation::Identity => $function::<IDENTITY>($($argument),*),
            Activation::Relu => $function::<RELU>($($argument),*),
            Activation::Relu2 => $function::<RELU2>($($argument),*),
            Activation::Gelu => $function::<GELU>($($argument),*),
            Activation::GeluTanh => $function::<GELU_TANH>($($argument),*),
            Activation::Silu => $function::<SILU>($($argument),*),
            Activation::Sigmoid => $function::<SIGMOID>($($argument),*),
        }
    };
}

/// y = act(x).
///
/// Panics unless both slices are of one length.
pub fn activate(kind: Activation, x: &[f32], y: &mut [f32]) {
    let _span = span("activations");
    assert_eq!(x.len(), y.len());
    by_kind!(kind, activate_as(x, y))
}

/// dx = dy·act′(x).
///
/// Panics unless all slices are of one length.
pub fn activate_backward(kind: Activation, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let _span = span("activations");
    assert!(x.len() == dx.len() && dy.len() == dx.len());
    by_kind!(kind, activate_backward_as(x, dy, dx))
}

/// y = act(gate)·up.
///
/// Panics unless all slices are of one length.
pub fn gated(kind: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) {
    let _span = span("activations");
    assert!(gate.len() == y.len() && up.len() == y.len());
    by_kind!(kind, gated_as(gate, up, y))
}

/// dgate = dy·up·act′(gate) and dup = dy·act(gate).
///
/// Panics unless all slices are of one length.
pub fn gated_backward(kind: Activation, gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    let _span = span("activations");
    assert!(gate.len() == dy.len() && up.len() == dy.len() && dgate.len() == dy.len() && dup.len() == dy.len());
    by_kind!(kind, gated_backward_as(gate, up, dy, dgate, dup))
}

fn activate_as<const K: u8>(x: &[f32], y: &mut [f32]) {
    if y.len() <= BLOCK {
        return simd::run(Activate::<K> { x, y });
    }
    y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| simd::run(Activate::<K> { x, y }));
}

fn activate_backward_as<const K: u8>(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    if dx.len() <= BLOCK {
        return simd::run(ActivateBackward::<K> { x, dy, dx });
    }
    let inputs = x.par_chunks(BLOCK).zip(dy.par_chunks(BLOCK));
    dx.par_chunks_mut(BLOCK).zip(inputs).for_each(|(dx, (x, dy))| simd::run(ActivateBackward::<K> { x, dy, dx }));
}

fn gated_as<const K: u8>(gate: &[f32], up: &[f32], y: &mut [f32]) {
    if y.len() <= BLOCK {
        return simd::run(Gated::<K> { gate, up, y });
    }
    let inputs = gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK));
    y.par_chunks_mut(BLOCK).zip(inputs).for_each(|(y, (gate, up))| simd::run(Gated::<K> { gate, up, y }));
}

fn gated_backward_as<const K: u8>(gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    if dy.len() <= BLOCK {
        return simd::run(GatedBackward::<K> { gate, up, dy, dgate, dup });
    }
    let inputs = gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)).zip(dy.par_chunks(BLOCK));
    let outputs = dgate.par_chunks_mut(BLOCK).zip(dup.par_chunks_mut(BLOCK));
    outputs.zip(inputs).for_each(|((dgate, dup), ((gate, up), dy))| simd::run(GatedBackward::<K> { gate, up, dy, dgate, dup }));
}

/// x within ±bound, so that its product with a vanishing factor vanishes too where x is huge.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, bound: f32) -> S::f32s {
    simd::min(simd, simd.splat_f32s(bound), simd::max(simd, simd.splat_f32s(-bound), x))
}

/// Beyond this Φ is 0 or 1 in f32.
const GELU_BOUND: f32 = 20.0;

/// 2√(2/π)
const TANH_SCALE: f32 = 1.595_769;
const TANH_CUBE: f32 = 0.044_715;

/// 1/(1 + e⁻ˣ) and its complement, both without cancellation.
#[inline(always)]
fn sigmoids<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let e = simd::exp(simd, simd.neg_f32s(x));
    let s = simd.div_f32s(simd.splat_f32s(1.0), simd.add_f32s(simd.splat_f32s(1.0), e));
    (s, simd.mul_f32s(e, s))
}

/// 2√(2/π)·(x + 0.044715·x³). The tanh form of Gelu is x·sigmoid of this, since (1 + tanh u)/2 is the sigmoid of 2u.
#[inline(always)]
fn gelu_inner<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let cube = simd.splat_f32s(TANH_SCALE * TANH_CUBE);
    simd.mul_f32s(x, simd.mul_add_e_f32s(cube, simd.mul_f32s(x, x), simd.splat_f32s(TANH_SCALE)))
}

/// act(x).
#[inline(always)]
fn value<S: Simd, const K: u8>(simd: S, x: S::f32s) -> S::f32s {
    match K {
        RELU => simd::max(simd, simd.splat_f32s(0.0), x),
        RELU2 => {
            let x = simd::max(simd, simd.splat_f32s(0.0), x);
            simd.mul_f32s(x, x)
        }
        GELU => simd.mul_f32s(simd::max(simd, simd.splat_f32s(-GELU_BOUND), x), simd::normal(simd, x).0),
        GELU_TANH => simd.mul_f32s(simd::max(simd, simd.splat_f32s(-20.0), x), simd::sigmoid(simd, gelu_inner(simd, x))),
        SILU => simd.mul_f32s(simd::max(simd, simd.splat_f32s(-100.0), x), simd::sigmoid(simd, x)),
        SIGMOID => simd::sigmoid(simd, x),
        _ => x,
    }
}

/// act(x) and act′(x).
#[inline(always)]
fn value_and_slope<S: Simd, const K: u8>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    match K {
        RELU => (value::<S, K>(simd, x), simd.select_f32s(simd.greater_than_f32s(x, zero), one, zero)),
        RELU2 => {
            let x = simd::max(simd, zero, x);
            (simd.mul_f32s(x, x), simd.add_f32s(x, x))
        }
        GELU => {
            let (x, near) = (simd::max(simd, simd.splat_f32s(-GELU_BOUND), x), clamp(simd, x, GELU_BOUND));
            let (below, density) = simd::normal(simd, near);
            let density = simd.mul_f32s(density, simd.splat_f32s(0.398_942_3));
            (simd.mul_f32s(x, below), simd.mul_add_e_f32s(near, density, below))
        }
        GELU_TANH => {
            let ((s, rest), x, near) =
                (sigmoids(simd, gelu_inner(simd, x)), simd::max(simd, simd.splat_f32s(-20.0), x), clamp(simd, x, 20.0));
            let cube = simd.splat_f32s(3.0 * TANH_SCALE * TANH_CUBE);
            let inner = simd.mul_add_e_f32s(cube, simd.mul_f32s(near, near), simd.splat_f32s(TANH_SCALE));
            let bend = simd.mul_f32s(simd.mul_f32s(near, inner), simd.mul_f32s(s, rest));
            (simd.mul_f32s(x, s), simd.add_f32s(s, bend))
        }
        SILU => {
            let ((s, rest), x, near) = (sigmoids(simd, x), simd::max(simd, simd.splat_f32s(-100.0), x), clamp(simd, x, 100.0));
            (simd.mul_f32s(x, s), simd.mul_f32s(s, simd.mul_add_e_f32s(near, rest, one)))
        }
        SIGMOID => {
            let (s, rest) = sigmoids(simd, x);
            (s, simd.mul_f32s(s, rest))
        }
        _ => (x, one),
    }
}

struct Activate<'a, const K: u8> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<const K: u8> WithSimd for Activate<'_, K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((y, y_tail), (x, x_tail)) = (S::as_mut_simd_f32s(self.y), S::as_simd_f32s(self.x));
        let n = y.len();
        let x = &x[..n];
        for i in 0..n {
            y[i] = value::<S, K>(simd, x[i]);
        }
        if !y_tail.is_empty() {
            simd.partial_store_f32s(y_tail, value::<S, K>(simd, simd.partial_load_f32s(x_tail)));
        }
    }
}

struct ActivateBackward<'a, const K: u8> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl<const K: u8> WithSimd for ActivateBackward<'_, K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (dx, dx_tail) = S::as_mut_simd_f32s(self.dx);
        let ((x, x_tail), (dy, dy_tail)) = (S::as_simd_f32s(self.x), S::as_simd_f32s(self.dy));
        let n = dx.len();
        let (x, dy) = (&x[..n], &dy[..n]);
        for i in 0..n {
            dx[i] = simd.mul_f32s(dy[i], value_and_slope::<S, K>(simd, x[i]).1);
        }
        if !dx_tail.is_empty() {
            let slope = value_and_slope::<S, K>(simd, simd.partial_load_f32s(x_tail)).1;
            simd.partial_store_f32s(dx_tail, simd.mul_f32s(simd.partial_load_f32s(dy_tail), slope));
        }
    }
}

struct Gated<'a, const K: u8> {
    gate: &'a [f32],
    up: &'a [f32],
    y: &'a mut [f32],
}

impl<const K: u8> WithSimd for Gated<'_, K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (y, y_tail) = S::as_mut_simd_f32s(self.y);
        let ((gate, gate_tail), (up, up_tail)) = (S::as_simd_f32s(self.gate), S::as_simd_f32s(self.up));
        let n = y.len();
        let (gate, up) = (&gate[..n], &up[..n]);
        for i in 0..n {
            y[i] = simd.mul_f32s(value::<S, K>(simd, gate[i]), up[i]);
        }
        if !y_tail.is_empty() {
            let act = value::<S, K>(simd, simd.partial_load_f32s(gate_tail));
            simd.partial_store_f32s(y_tail, simd.mul_f32s(act, simd.partial_load_f32s(up_tail)));
        }
    }
}

struct GatedBackward<'a, const K: u8> {
    gate: &'a [f32],
    up: &'a [f32],
    dy: &'a [f32],
    dgate: &'a mut [f32],
    dup: &'a mut [f32],
}

/// dgate and dup of one vector.
#[inline(always)]
fn gated_slopes<S: Simd, const K: u8>(simd: S, gate: S::f32s, up: S::f32s, dy: S::f32s) -> (S::f32s, S::f32s) {
    let (act, slope) = value_and_slope::<S, K>(simd, gate);
    (simd.mul_f32s(simd.mul_f32s(dy, up), slope), simd.mul_f32s(dy, act))
}

impl<const K: u8> WithSimd for GatedBackward<'_, K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((dgate, dgate_tail), (dup, dup_tail)) = (S::as_mut_simd_f32s(self.dgate), S::as_mut_simd_f32s(self.dup));
        let ((gate, gate_tail), (up, up_tail)) = (S::as_simd_f32s(self.gate), S::as_simd_f32s(self.up));
        let (dy, dy_tail) = S::as_simd_f32s(self.dy);
        let n = dgate.len();
        let (gate, up, dy, dup) = (&gate[..n], &up[..n], &dy[..n], &mut dup[..n]);
        for i in 0..n {
            (dgate[i], dup[i]) = gated_slopes::<S, K>(simd, gate[i], up[i], dy[i]);
        }
        if !dgate_tail.is_empty() {
            let (gate, up, dy) = (simd.partial_load_f32s(gate_tail), simd.partial_load_f32s(up_tail), simd.partial_load_f32s(dy_tail));
            let (a, b) = gated_slopes::<S, K>(simd, gate, up, dy);
            simd.partial_store_f32s(dgate_tail, a);
            simd.partial_store_f32s(dup_tail, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Activation::*;
    use super::*;
    use crate::ops::check::{self, near};

    /// To where the activations are flat.
    fn random(n: usize, seed: u64) -> Vec<f32> {
        check::random(n, seed).iter().map(|x| 2.0 * x).collect()
    }

    fn exact(kind: Activation, x: f64) -> f64 {
        match kind {
            Identity => x,
            Relu => x.max(0.0),
            Relu2 => x.max(0.0).powi(2),
            Gelu => 0.5 * x * libm::erfc(-x / 2f64.sqrt()),
            // (1 + tanh u)/2 without cancellation.
            GeluTanh => x / (1.0 + (-2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).exp()),
            Silu => x / (1.0 + (-x).exp()),
            Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }

    /// By central differences, but for the kink of Relu.
    fn slope(kind: Activation, x: f64) -> f64 {
        match kind {
            Identity => 1.0,
            Relu => f64::from(x > 0.0),
            Relu2 => 2.0 * x.max(0.0),
            _ => (exact(kind, x + 1e-5) - exact(kind, x - 1e-5)) / 2e-5,
        }
    }

    type Outputs = [Vec<f32>; 5];

    fn all(kind: Activation, x: &[f32], up: &[f32], dy: &[f32]) -> Outputs {
        let mut out: Outputs = std::array::from_fn(|_| vec![f32::NAN; x.len()]);
        let [y, dx, z, dgate, dup] = &mut out;
        activate(kind, x, y);
        activate_backward(kind, x, dy, dx);
        gated(kind, x, up, z);
        gated_backward(kind, x, up, dy, dgate, dup);
        out
    }

    fn agree(kind: Activation, x: &[f32], up: &[f32], dy: &[f32]) {
        let want = |f: &dyn Fn(f64, f64, f64) -> f64| -> Vec<f64> {
            (0..x.len()).map(|i| f(f64::from(x[i]), f64::from(up[i]), f64::from(dy[i]))).collect()
        };
        let [y, dx, z, dgate, dup] = all(kind, x, up, dy);
        near("y", &y, &want(&|x, _, _| exact(kind, x)), 1e-6, 0.0);
        near("dx", &dx, &want(&|x, _, dy| slope(kind, x) * dy), 1e-6, 0.0);
        near("z", &z, &want(&|x, up, _| exact(kind, x) * up), 1e-6, 0.0);
        near("dgate", &dgate, &want(&|x, up, dy| slope(kind, x) * up * dy), 1e-6, 0.0);
        near("dup", &dup, &want(&|x, _, dy| exact(kind, x) * dy), 1e-6, 0.0);
    }

    #[test]
    fn agrees_with_f64() {
        for kind in Activation::ALL {
            for n in [0, 1, 3, 16, 17, 64, 100, 300, BLOCK + 5] {
                agree(kind, &random(n, 1), &random(n, 2), &random(n, 3));
            }
            let grid: Vec<f32> = (-6000..6000).map(|i| i as f32 * 2e-3).collect();
            agree(kind, &grid, &random(grid.len(), 4), &random(grid.len(), 5));
        }
    }

    #[test]
    fn tails_do_not_cancel() {
        for kind in [Gelu, GeluTanh, Silu, Sigmoid] {
            // Beyond, the tanh form ends in f32.
            for x in (1..=9).map(|x| -x as f32) {
                let [y, ..] = all(kind, &[x], &[1.0], &[1.0]);
                near("tail", &y, &[exact(kind, f64::from(x))], 1e-5, 0.0);
            }
        }
    }

    #[test]
    fn extreme_values() {
        let x = [0.0, -0.0, 1e30, -1e30, 1e4, -1e4, 90.0, -90.0, 1e38, -1e38, f32::INFINITY, f32::NEG_INFINITY];
        let one = [1f32; 12];
        for kind in [Relu, Gelu, GeluTanh, Silu, Sigmoid] {
            let [y, dx, ..] = all(kind, &x, &one, &one);
            for i in 0..x.len() {
                let positive = x[i] > 0.0;
                let (mut want, mut want_slope) = if positive { (x[i], 1.0) } else { (0.0, 0.0) };
                if kind == Sigmoid {
                    (want, want_slope) = (if x[i] == 0.0 { 0.5 } else { f32::from(positive) }, if x[i] == 0.0 { 0.25 } else { 0.0 });
                } else if x[i] == 0.0 && kind != Relu {
                    want_slope = 0.5;
                }
                let near = |a: f32, b: f32| {
                    a == b || (a - b).abs() <= 2e-6 * b.abs().max(1e-30 / 2e-6).max(f32::from(kind == Gelu || kind == GeluTanh))
                };
                assert!(near(y[i], want) && near(dx[i], want_slope), "{kind:?}({}) = {}, slope {}", x[i], y[i], dx[i]);
            }
            let [y, dx, z, dgate, _] = all(kind, &[f32::NAN], &[1.0], &[1.0]);
            assert!(y[0].is_nan() && z[0].is_nan() && (kind == Relu || dx[0].is_nan() && dgate[0].is_nan()));
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let n = 3 * BLOCK + 7;
        let (x, up, dy) = (random(n, 6), random(n, 7), random(n, 8));
        for kind in Activation::ALL {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| all(kind, &x, &up, &dy)).map(|v| v.iter().map(|f| f.to_bits()).collect::<Vec<_>>())
            };
            let one = run(1);
            assert!([2, 3, 7].into_iter().all(|threads| run(threads) == one));
        }
    }
}
