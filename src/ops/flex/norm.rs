//! Normalisation of rows, forward and backward: LayerNorm (Ba, Kiros and Hinton, 2016) and RMSNorm (Zhang and Sennrich,
//! 2019), with the residual addition before it fused in.
//!
//! The mean of a row is rounded to f32, which for a row far from 0 would be felt in its small deviations. Both directions
//! therefore add up what the deviations from the rounded mean leave over, and take it away.

use super::simd;
use crate::ops::profile::span;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Elements in one parallel task, about.
const BLOCK: usize = 1 << 14;

/// Rows in one parallel task at least, where each task has a partial sum of the gradients of gain and bias.
const ROWS: usize = 8;

/// What a row is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The root of the mean square.
    Rms,
    /// The standard deviation (without Bessel's correction), after the mean is subtracted.
    Layer,
}

/// A residual addition in front of a norm: what is added to x, and room for the sum, both [rows, width].
pub type Addition<'a> = (&'a [f32], &'a mut [f32]);

/// y = normalise(x)·(offset + gain) + bias, row by row; of x + branch where there is an addition, whose sum is written too.
///
/// x and y are [rows, width], gain and bias [width]. Without gain the factor is 1, whatever the offset. `statistics`,
/// [rows, 2], receives the mean (0 for Rms) and 1/√(variance + eps) of each row, for [`backward`].
///
/// Panics if the lengths do not agree.
#[allow(clippy::too_many_arguments)]
pub fn forward(
    kind: Kind,
    x: &[f32],
    addition: Option<Addition>,
    gain: Option<&[f32]>,
    offset: f32,
    bias: Option<&[f32]>,
    eps: f32,
    y: &mut [f32],
    statistics: &mut [f32],
    width: usize,
) {
    let _span = span("norms");
    check(x, gain, statistics, width);
    assert!(y.len() == x.len() && bias.is_none_or(|bias| bias.len() == width));
    assert!(addition.as_ref().is_none_or(|(branch, sum)| branch.len() == x.len() && sum.len() == x.len()));
    let rows = (BLOCK / width).max(1);
    let mut additions = addition.map(|(branch, sum)| branch.chunks(rows * width).zip(sum.chunks_mut(rows * width)));
    let blocks = x.chunks(rows * width).zip(y.chunks_mut(rows * width)).zip(statistics.chunks_mut(rows * 2));
    let task = |((x, y), statistics)| {
        let addition = additions.as_mut().and_then(Iterator::next);
        Forward { kind, x, addition, gain, offset, bias, eps, y, statistics, width }
    };
    let tasks: Vec<Forward> = blocks.map(task).collect();
    run_all(tasks);
}

/// dx = the gradient through [`forward`] (+ skip), and the gradients of gain and bias where they are given.
///
/// x is what was normalised and `statistics` what the forward wrote; dy, skip and dx are
/// [rows, width], dgain and dbias [width]. `skip` is the gradient that reaches x past the normalisation.
///
/// Panics if the lengths do not agree.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    kind: Kind,
    x: &[f32],
    gain: Option<&[f32]>,
    offset: f32,
    statistics: &[f32],
    dy: &[f32],
    skip: Option<&[f32]>,
    dx: &mut [f32],
    dgain: Option<&mut [f32]>,
    dbias: Option<&mut [f32]>,
    width: usize,
) {
    let _span = span("norms");
    check(x, gain, statistics, width);
    assert!(dy.len() == x.len() && dx.len() == x.len() && skip.is_none_or(|skip| skip.len() == x.len()));
    let rows = (BLOCK / width).max(if dgain.is_some() || dbias.is_some() { ROWS } else { 1 });
    let count = x.len().div_ceil(rows * width);
    let mut gain_partial = vec![0.0; if dgain.is_some() { count * width } else { 0 }];
    let mut bias_partial = vec![0.0; if dbias.is_some() { count * width } else { 0 }];
    let (mut gains, mut biases) = (gain_partial.chunks_mut(width), bias_partial.chunks_mut(width));
    let mut skip = skip.map(|skip| skip.chunks(rows * width));
    let blocks = x.chunks(rows * width).zip(dy.chunks(rows * width)).zip(dx.chunks_mut(rows * width)).zip(statistics.chunks(rows * 2));
    let tasks: Vec<Backward> = blocks
        .map(|(((x, dy), dx), statistics)| {
            let skip = skip.as_mut().and_then(Iterator::next);
            Backward { kind, x, gain, offset, statistics, dy, skip, dx, dgain: gains.next(), dbias: biases.next(), width }
        })
        .collect();
    run_all(tasks);
    for (out, partial) in [(dgain, &gain_partial), (dbias, &bias_partial)] {
        if let Some(out) = out {
            sum_rows(partial, out);
        }
    }
}

fn check(x: &[f32], gain: Option<&[f32]>, statistics: &[f32], width: usize) {
    assert!(width > 0 && x.len().is_multiple_of(width), "{} elements are not rows of {width}", x.len());
    assert!(statistics.len() == x.len() / width * 2 && gain.is_none_or(|gain| gain.len() == width));
}

/// Runs one kernel for each block of rows.
fn run_all<K: WithSimd<Output = ()> + Send>(mut tasks: Vec<K>) {
    if tasks.len() == 1 {
        return simd::run(tasks.remove(0));
    }
    tasks.into_par_iter().for_each(simd::run);
}

/// Sums of the columns of [n, out.len()], in order.
fn sum_rows(rows: &[f32], out: &mut [f32]) {
    assert_eq!(rows.len() % out.len(), 0);
    out.fill(0.0);
    for row in rows.chunks(out.len()) {
        for (out, x) in out.iter_mut().zip(row) {
            *out += x;
        }
    }
}

struct Forward<'a> {
    kind: Kind,
    x: &'a [f32],
    addition: Option<Addition<'a>>,
    gain: Option<&'a [f32]>,
    offset: f32,
    bias: Option<&'a [f32]>,
    eps: f32,
    y: &'a mut [f32],
    statistics: &'a mut [f32],
    width: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = self.width;
        let count = width as f32;
        for r in 0..self.y.len() / width {
            let row = r * width..(r + 1) * width;
            let mut x = &self.x[row.clone()];
            if let Some((branch, sum)) = &mut self.addition {
                add(simd, x, &branch[row.clone()], &mut sum[row.clone()]);
                x = &sum[row.clone()];
            }
            let layer = self.kind == Kind::Layer;
            let mean = if layer { total(simd, x) / count } else { 0.0 };
            let (rest, squares) = moments(simd, x, mean, layer);
            let rest = rest / count;
            let variance = (squares / count - rest * rest).max(0.0);
            let scale = 1.0 / (variance + self.eps).sqrt();
            self.statistics[2 * r] = mean + rest;
            self.statistics[2 * r + 1] = scale;
            let numbers = [mean, -rest * scale, scale, self.offset];
            apply(simd, x, layer, numbers, self.gain, self.bias, &mut self.y[row]);
        }
    }
}

/// sum = a + b.
#[inline(always)]
fn add<S: Simd>(simd: S, a: &[f32], b: &[f32], sum: &mut [f32]) {
    let (sum, sum_tail) = S::as_mut_simd_f32s(sum);
    let ((a, a_tail), (b, b_tail)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let n = sum.len();
    let (a, b) = (&a[..n], &b[..n]);
    for i in 0..n {
        sum[i] = simd.add_f32s(a[i], b[i]);
    }
    simd.partial_store_f32s(sum_tail, simd.add_f32s(simd.partial_load_f32s(a_tail), simd.partial_load_f32s(b_tail)));
}

/// Adds up four vectors, then their elements.
#[inline(always)]
fn reduce<S: Simd>(simd: S, sum: [S::f32s; 4]) -> f32 {
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(sum[0], sum[1]), simd.add_f32s(sum[2], sum[3])))
}

/// Σx.
#[inline(always)]
fn total<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (x, tail) = S::as_simd_f32s(x);
    let (fours, rest) = pulp::as_arrays::<4, _>(x);
    // Four sums at once, since each addition waits for the one before it.
    let mut sum = [simd.splat_f32s(0.0); 4];
    for x in fours {
        for k in 0..4 {
            sum[k] = simd.add_f32s(sum[k], x[k]);
        }
    }
    for &x in rest {
        sum[0] = simd.add_f32s(sum[0], x);
    }
    sum[1] = simd.add_f32s(sum[1], simd.partial_load_f32s(tail));
    reduce(simd, sum)
}

/// Keeps the first `n` elements and sets the others, which lie beyond the end of a row, to 0.
#[inline(always)]
fn keep<S: Simd>(simd: S, x: S::f32s, n: usize) -> S::f32s {
    simd.select_f32s(simd.mask_between_m32s(0, n as u32).mask(), x, simd.splat_f32s(0.0))
}

/// Σ(x - mean) and Σ(x - mean)² where `layer`, otherwise 0 and Σx².
#[inline(always)]
fn moments<S: Simd>(simd: S, x: &[f32], mean: f32, layer: bool) -> (f32, f32) {
    let mean = simd.splat_f32s(mean);
    let (x, tail) = S::as_simd_f32s(x);
    let (fours, rest) = pulp::as_arrays::<4, _>(x);
    let (mut sum, mut square) = ([simd.splat_f32s(0.0); 4], [simd.splat_f32s(0.0); 4]);
    for x in fours {
        for k in 0..4 {
            let mut x = x[k];
            if layer {
                x = simd.sub_f32s(x, mean);
                sum[k] = simd.add_f32s(sum[k], x);
            }
            square[k] = simd.mul_add_e_f32s(x, x, square[k]);
        }
    }
    for &x in rest {
        let mut x = x;
        if layer {
            x = simd.sub_f32s(x, mean);
            sum[0] = simd.add_f32s(sum[0], x);
        }
        square[0] = simd.mul_add_e_f32s(x, x, square[0]);
    }
    if !tail.is_empty() {
        let mut x = simd.partial_load_f32s(tail);
        if layer {
            x = keep(simd, simd.sub_f32s(x, mean), tail.len());
            sum[1] = simd.add_f32s(sum[1], x);
        }
        square[1] = simd.mul_add_e_f32s(x, x, square[1]);
    }
    (if layer { reduce(simd, sum) } else { 0.0 }, reduce(simd, square))
}

/// y = n·(offset + gain) + bias, given [mean, shift, scale, offset], with n = (x - mean)·scale + shift where `layer` and
/// n = x·scale otherwise.
#[inline(always)]
fn apply<S: Simd>(simd: S, x: &[f32], layer: bool, numbers: [f32; 4], gain: Option<&[f32]>, bias: Option<&[f32]>, y: &mut [f32]) {
    let [mean, shift, scale, offset] =
        [simd.splat_f32s(numbers[0]), simd.splat_f32s(numbers[1]), simd.splat_f32s(numbers[2]), simd.splat_f32s(numbers[3])];
    let (has_gain, has_bias) = (gain.is_some(), bias.is_some());
    let ((y, y_tail), (x, x_tail)) = (S::as_mut_simd_f32s(y), S::as_simd_f32s(x));
    let (gain, gain_tail) = S::as_simd_f32s(gain.unwrap_or(&[]));
    let (bias, bias_tail) = S::as_simd_f32s(bias.unwrap_or(&[]));
    let len = y.len();
    let x = &x[..len];
    for i in 0..len {
        let mut v = x[i];
        v = if layer { simd.mul_add_e_f32s(simd.sub_f32s(v, mean), scale, shift) } else { simd.mul_f32s(v, scale) };
        if has_gain {
            v = simd.mul_f32s(v, simd.add_f32s(offset, gain[i]));
        }
        if has_bias {
            v = simd.add_f32s(v, bias[i]);
        }
        y[i] = v;
    }
    if !y_tail.is_empty() {
        let mut v = simd.partial_load_f32s(x_tail);
        v = if layer { simd.mul_add_e_f32s(simd.sub_f32s(v, mean), scale, shift) } else { simd.mul_f32s(v, scale) };
        if has_gain {
            v = simd.mul_f32s(v, simd.add_f32s(offset, simd.partial_load_f32s(gain_tail)));
        }
        // Without bias its tail is empty and loads zeros.
        simd.partial_store_f32s(y_tail, simd.add_f32s(v, simd.partial_load_f32s(bias_tail)));
    }
}

struct Backward<'a> {
    kind: Kind,
    x: &'a [f32],
    gain: Option<&'a [f32]>,
    offset: f32,
    statistics: &'a [f32],
    dy: &'a [f32],
    skip: Option<&'a [f32]>,
    dx: &'a mut [f32],
    dgain: Option<&'a mut [f32]>,
    dbias: Option<&'a mut [f32]>,
    width: usize,
}

impl WithSimd for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = self.width;
        let count = width as f32;
        for r in 0..self.dx.len() / width {
            let row = r * width..(r + 1) * width;
            let (x, dy) = (&self.x[row.clone()], &self.dy[row.clone()]);
            let (mean, scale) = (self.statistics[2 * r], self.statistics[2 * r + 1]);
            let layer = self.kind == Kind::Layer;
            let sums = products(simd, x, dy, mean, self.gain, self.offset, layer);
            let [rest, slope, along] = [sums[0] / count, sums[1] / count, sums[2] / count];
            // `along` was taken from the rounded mean, to which `rest` is missing.
            let along = (along - rest * slope) * scale * scale;
            let numbers = [mean, scale, -rest * scale, rest * along * scale - slope * scale, -along * scale, self.offset];
            let skip = self.skip.map(|skip| &skip[row.clone()]);
            gradient(simd, x, dy, numbers, self.gain, skip, &mut self.dx[row], self.dgain.as_deref_mut(), self.dbias.as_deref_mut());
        }
    }
}

/// With d = x - mean and g = dy·(offset + gain): Σd, Σg and Σg·d; the first two only where `layer`, otherwise 0.
#[inline(always)]
fn products<S: Simd>(simd: S, x: &[f32], dy: &[f32], mean: f32, gain: Option<&[f32]>, offset: f32, layer: bool) -> [f32; 3] {
    let (mean, offset) = (simd.splat_f32s(mean), simd.splat_f32s(offset));
    let ((x, x_tail), (dy, dy_tail)) = (S::as_simd_f32s(x), S::as_simd_f32s(dy));
    let has_gain = gain.is_some();
    let (gain, gain_tail) = S::as_simd_f32s(gain.unwrap_or(&[]));
    let len = x.len();
    let dy = &dy[..len];
    let zero = [simd.splat_f32s(0.0); 4];
    let (mut sum_d, mut sum_g, mut sum_gd) = (zero, zero, zero);
    let mut i = 0;
    while i < len {
        // Four sums at once, since each addition waits for the one before it; the last round may use fewer.
        for k in 0..4 {
            if i + k < len {
                let d = simd.sub_f32s(x[i + k], mean);
                let mut g = dy[i + k];
                if has_gain {
                    g = simd.mul_f32s(g, simd.add_f32s(offset, gain[i + k]));
                }
                if layer {
                    sum_d[k] = simd.add_f32s(sum_d[k], d);
                    sum_g[k] = simd.add_f32s(sum_g[k], g);
                }
                sum_gd[k] = simd.mul_add_e_f32s(g, d, sum_gd[k]);
            }
        }
        i += 4;
    }
    if !x_tail.is_empty() {
        let d = keep(simd, simd.sub_f32s(simd.partial_load_f32s(x_tail), mean), x_tail.len());
        let mut g = simd.partial_load_f32s(dy_tail);
        if has_gain {
            g = simd.mul_f32s(g, simd.add_f32s(offset, simd.partial_load_f32s(gain_tail)));
        }
        if layer {
            sum_d[0] = simd.add_f32s(sum_d[0], d);
            sum_g[0] = simd.add_f32s(sum_g[0], g);
        }
        sum_gd[0] = simd.mul_add_e_f32s(g, d, sum_gd[0]);
    }
    let [d, g] = if layer { [reduce(simd, sum_d), reduce(simd, sum_g)] } else { [0.0; 2] };
    [d, g, reduce(simd, sum_gd)]
}

/// With d = x - mean, n = d·scale + shift and g = dy·(offset + gain): dx = g·scale + d·along + constant (+ skip),
/// dgain += dy·n and dbias += dy, given [mean, scale, shift, constant, along, offset].
#[allow(clippy::too_many_arguments)]
#[inline(always)]
fn gradient<S: Simd>(
    simd: S,
    x: &[f32],
    dy: &[f32],
    numbers: [f32; 6],
    gain: Option<&[f32]>,
    skip: Option<&[f32]>,
    dx: &mut [f32],
    dgain: Option<&mut [f32]>,
    dbias: Option<&mut [f32]>,
) {
    let [mean, scale, shift, constant, along, offset] = [
        simd.splat_f32s(numbers[0]),
        simd.splat_f32s(numbers[1]),
        simd.splat_f32s(numbers[2]),
        simd.splat_f32s(numbers[3]),
        simd.splat_f32s(numbers[4]),
        simd.splat_f32s(numbers[5]),
    ];
    let (has_gain, has_skip, has_dgain, has_dbias) = (gain.is_some(), skip.is_some(), dgain.is_some(), dbias.is_some());
    let ((x, x_tail), (dy, dy_tail)) = (S::as_simd_f32s(x), S::as_simd_f32s(dy));
    let ((gain, gain_tail), (skip, skip_tail)) = (S::as_simd_f32s(gain.unwrap_or(&[])), S::as_simd_f32s(skip.unwrap_or(&[])));
    let (dx, dx_tail) = S::as_mut_simd_f32s(dx);
    let (dgain, dgain_tail) = S::as_mut_simd_f32s(dgain.unwrap_or(&mut []));
    let (dbias, dbias_tail) = S::as_mut_simd_f32s(dbias.unwrap_or(&mut []));
    let len = dx.len();
    let (x, dy) = (&x[..len], &dy[..len]);
    for i in 0..len {
        let d = simd.sub_f32s(x[i], mean);
        let mut g = dy[i];
        if has_dgain {
            dgain[i] = simd.mul_add_e_f32s(g, simd.mul_add_e_f32s(d, scale, shift), dgain[i]);
        }
        if has_dbias {
            dbias[i] = simd.add_f32s(dbias[i], g);
        }
        if has_gain {
            g = simd.mul_f32s(g, simd.add_f32s(offset, gain[i]));
        }
        let v = simd.mul_add_e_f32s(g, scale, simd.mul_add_e_f32s(d, along, constant));
        dx[i] = if has_skip { simd.add_f32s(v, skip[i]) } else { v };
    }
    if !dx_tail.is_empty() {
        let d = simd.sub_f32s(simd.partial_load_f32s(x_tail), mean);
        let mut g = simd.partial_load_f32s(dy_tail);
        if has_dgain {
            let n = simd.mul_add_e_f32s(d, scale, shift);
            simd.partial_store_f32s(dgain_tail, simd.mul_add_e_f32s(g, n, simd.partial_load_f32s(dgain_tail)));
        }
        if has_dbias {
            simd.partial_store_f32s(dbias_tail, simd.add_f32s(simd.partial_load_f32s(dbias_tail), g));
        }
        if has_gain {
            g = simd.mul_f32s(g, simd.add_f32s(offset, simd.partial_load_f32s(gain_tail)));
        }
        let v = simd.mul_add_e_f32s(g, scale, simd.mul_add_e_f32s(d, along, constant));
        // Without skip its tail is empty and loads zeros.
        simd.partial_store_f32s(dx_tail, simd.add_f32s(v, simd.partial_load_f32s(skip_tail)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{near, random, wide};

    const EPS: f32 = 1e-5;

    struct Case {
        kind: Kind,
        x: Vec<f32>,
        gain: Option<Vec<f32>>,
        offset: f32,
        bias: Option<Vec<f32>>,
        dy: Vec<f32>,
        skip: Option<Vec<f32>>,
        width: usize,
    }

    fn case(kind: Kind, rows: usize, width: usize, options: usize, seed: u64) -> Case {
        let with = |bit: usize, n: usize| (options >> bit & 1 == 1).then(|| random(n, seed + 10 + bit as u64));
        let n = rows * width;
        Case {
            kind,
            x: random(n, seed),
            gain: with(0, width),
            offset: (options & 1) as f32,
            bias: with(1, width),
            dy: random(n, seed + 1),
            skip: with(2, n),
            width,
        }
    }

    /// y, statistics, dx, dgain, dbias.
    fn run(c: &Case) -> [Vec<f32>; 5] {
        let (n, width) = (c.x.len(), c.width);
        let mut out = [n, n / width * 2, n, width, width].map(|n| vec![f32::NAN; n]);
        let [y, statistics, dx, dgain, dbias] = &mut out;
        let (gain, bias, skip) = (c.gain.as_deref(), c.bias.as_deref(), c.skip.as_deref());
        forward(c.kind, &c.x, None, gain, c.offset, bias, EPS, y, statistics, width);
        backward(c.kind, &c.x, gain, c.offset, statistics, &c.dy, skip, dx, Some(dgain), Some(dbias), width);
        out
    }

    fn exact(c: &Case) -> [Vec<f64>; 5] {
        let (w, rows) = (c.width, c.x.len() / c.width);
        let mut out = [rows * w, rows * 2, rows * w, w, w].map(|n| vec![0.0; n]);
        let factor = |j: usize| c.gain.as_ref().map_or(1.0, |g| f64::from(c.offset) + f64::from(g[j]));
        for r in 0..rows {
            let (x, dy) = (wide(&c.x[r * w..(r + 1) * w]), wide(&c.dy[r * w..(r + 1) * w]));
            let mean = if c.kind == Kind::Layer { x.iter().sum::<f64>() / w as f64 } else { 0.0 };
            let scale = 1.0 / (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / w as f64 + f64::from(EPS)).sqrt();
            (out[1][2 * r], out[1][2 * r + 1]) = (mean, scale);
            let n: Vec<f64> = x.iter().map(|x| (x - mean) * scale).collect();
            let g: Vec<f64> = (0..w).map(|j| dy[j] * factor(j)).collect();
            let slope = if c.kind == Kind::Layer { g.iter().sum::<f64>() / w as f64 } else { 0.0 };
            let along = g.iter().zip(&n).map(|(g, n)| g * n).sum::<f64>() / w as f64;
            for j in 0..w {
                out[0][r * w + j] = n[j] * factor(j) + c.bias.as_ref().map_or(0.0, |b| f64::from(b[j]));
                out[2][r * w + j] = scale * (g[j] - slope - n[j] * along) + c.skip.as_ref().map_or(0.0, |s| f64::from(s[r * w + j]));
                out[3][j] += dy[j] * n[j];
                out[4][j] += dy[j];
            }
        }
        out
    }

    fn check(c: &Case) {
        // Of the gradient, dy·(offset + gain)·scale, the norm takes away what lies along the row, in narrow rows nearly all.
        let (got, want) = (run(c), exact(c));
        let factor = |j: usize| c.gain.as_ref().map_or(1.0, |g| f64::from(c.offset) + f64::from(g[j]));
        let size = |(i, dy): (usize, &f32)| (f64::from(*dy) * factor(i % c.width) * want[1][i / c.width * 2 + 1]).powi(2);
        let size = c.dy.iter().enumerate().map(size).sum::<f64>().sqrt();
        near("y", &got[0], &want[0], 1e-5, 0.0);
        near("statistics", &got[1], &want[1], 1e-5, 0.0);
        near("dx", &got[2], &want[2], 1e-5, 1e-6 * size);
        near("dgain", &got[3], &want[3], 1e-5, 0.0);
        near("dbias", &got[4], &want[4], 1e-5, 0.0);
    }

    #[test]
    fn agrees_with_f64() {
        for kind in [Kind::Rms, Kind::Layer] {
            for rows in [1, 5, 300] {
                for width in [1, 3, 16, 17, 64, 100, 300] {
                    for options in 0..8 {
                        check(&case(kind, rows, width, options, (rows * width) as u64));
                    }
                }
            }
        }
    }

    /// The f64 formulas above against central differences.
    #[test]
    fn formulas_are_derivatives() {
        for kind in [Kind::Rms, Kind::Layer] {
            let c = case(kind, 2, 7, 3, 5);
            let loss = |c: &Case| exact(c)[0].iter().zip(&c.dy).map(|(y, dy)| y * f64::from(*dy)).sum::<f64>();
            let difference = |change: &dyn Fn(&mut Case, f32)| {
                // Powers of two, so that the f32 inputs move by what is divided by.
                let (mut up, mut down) = (case(kind, 2, 7, 3, 5), case(kind, 2, 7, 3, 5));
                change(&mut up, 1.0 / 1024.0);
                change(&mut down, -1.0 / 1024.0);
                (loss(&up) - loss(&down)) * 512.0
            };
            let [_, _, dx, dgain, dbias] = exact(&c);
            for (i, d) in dx.into_iter().enumerate() {
                assert!((difference(&|c, h| c.x[i] += h) - d).abs() < 1e-4);
            }
            for j in 0..7 {
                assert!((difference(&|c, h| c.gain.as_mut().unwrap()[j] += h) - dgain[j]).abs() < 1e-4);
                assert!((difference(&|c, h| c.bias.as_mut().unwrap()[j] += h) - dbias[j]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn extreme_values() {
        for mean in [1e4f32, -1e6] {
            for width in [16, 17, 100, 1000] {
                let mut c = case(Kind::Layer, 5, width, 3, 4);
                c.x.iter_mut().for_each(|x| *x += mean);
                check(&c);
            }
        }
        for value in [0.0f32, 0.1, 12345.678] {
            for kind in [Kind::Rms, Kind::Layer] {
                let mut c = case(kind, 3, 100, 3, 4);
                c.x.fill(value);
                // The deviations are exactly 0 and what is computed for them is rounding, which 1/√eps enlarges.
                if kind == Kind::Rms || value == 0.0 {
                    check(&c);
                } else {
                    near("y", &run(&c)[0], &exact(&c)[0], 1e-5, 0.0);
                }
            }
        }
        for scale in [1e4f32, 1e-4] {
            let mut c = case(Kind::Rms, 5, 100, 1, 4);
            c.x.iter_mut().for_each(|x| *x *= scale);
            check(&c);
        }
    }

    #[test]
    fn of_a_sum_is_of_the_sum() {
        for (rows, width) in [(1, 1), (3, 17), (300, 100)] {
            let c = case(Kind::Layer, rows, width, 3, 9);
            let branch = random(rows * width, 8);
            let (gain, bias) = (c.gain.as_deref(), c.bias.as_deref());
            let run = |x: &[f32], addition: Option<Addition>| {
                let mut out = [rows * width, rows * 2].map(|n| vec![f32::NAN; n]);
                let [y, statistics] = &mut out;
                forward(c.kind, x, addition, gain, c.offset, bias, EPS, y, statistics, width);
                out
            };
            let mut sum = vec![f32::NAN; rows * width];
            let got = run(&c.x, Some((&branch, &mut sum)));
            let want: Vec<f32> = c.x.iter().zip(&branch).map(|(x, b)| x + b).collect();
            assert!(sum == want && got == run(&want, None));
        }
    }

    #[test]
    fn gradients_of_gain_and_bias_may_be_left_out() {
        let c = case(Kind::Layer, 300, 100, 7, 2);
        let [_, statistics, want, ..] = run(&c);
        let mut dx = vec![f32::NAN; c.x.len()];
        backward(c.kind, &c.x, c.gain.as_deref(), c.offset, &statistics, &c.dy, c.skip.as_deref(), &mut dx, None, None, 100);
        assert!(dx == want);
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        for kind in [Kind::Rms, Kind::Layer] {
            let c = case(kind, 1000, 100, 7, 3);
            let bits = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run(&c)).map(|v| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            };
            let one = bits(1);
            assert!([2, 3, 7].into_iter().all(|threads| bits(threads) == one));
        }
    }
}
