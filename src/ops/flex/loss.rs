//! The last linear layer of a language model and its cross-entropy in one, forward and backward, a chunk of tokens at a
//! time: the logits of the whole batch are never in memory at once (Wijmans et al., "Cut Your Losses", 2024).
//!
//! Options: soft capping of the logits (Gemma 2, 2024), the z-loss that keeps the log-partition function small (Chowdhery et
//! al., "PaLM", 2022), and label smoothing (Szegedy et al., 2016).

use super::simd;
use crate::ops::profile::span;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Logits of one chunk of tokens, about; at least and at most so many tokens. Few tokens in a chunk mean that the gradient
/// of the weight is read and written often, many that the logits leave the cache.
const CHUNK: usize = 1 << 22;
const TOKENS: (usize, usize) = (128, 512);

/// Columns of the weight that are transposed at a time.
const TILE: usize = 1024;

/// Those of them in one parallel task.
const COLUMNS: usize = 64;

/// Logits in one parallel task of the passes over a chunk, about.
const BLOCK: usize = 1 << 15;

/// Parallel tasks, at most, where each has a partial sum of the gradient of the bias.
const PARTS: usize = 16;

/// How the objective is made from the logits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// c, where each logit z becomes c·tanh(z/c).
    pub soft_cap: Option<f32>,
    /// Weight of the square of the log-partition function.
    pub z_loss: f32,
    /// Share of the probability that goes to all tokens alike.
    pub label_smoothing: f32,
}

/// Where the gradient of `scale`·Σ objective goes. What the slices hold before does not matter.
pub struct Gradients<'a> {
    /// Factor of every objective, such as 1/n for their mean.
    pub scale: f32,
    /// [n, width]
    pub dx: &'a mut [f32],
    /// In the layout of the weight.
    pub dweight: &'a mut [f32],
    /// [vocab]
    pub dbias: Option<&'a mut [f32]>,
}

/// z = x·W + b, then the cross-entropy of each row of z and its target.
///
/// x is [n, width]; element (i, j) of W, [width, vocab], lies at weight[i·row + j·column]; bias is [vocab]; targets,
/// objective and nats are [n]. With lse = ln Σ eᶻ, after soft capping, and e = label_smoothing:
/// nats = lse - z[target] and objective = (1 - e)·nats + e·(lse - mean z) + z_loss·lse².
///
/// Panics if the lengths do not agree, a target is not below vocab, or gradients are wanted and the weight is neither
/// [width, vocab] (row = vocab, column = 1) nor [vocab, width] (row = 1, column = width) without gaps.
#[allow(clippy::too_many_arguments)]
pub fn linear_cross_entropy(
    x: &[f32],
    width: usize,
    weight: &[f32],
    row: usize,
    column: usize,
    vocab: usize,
    bias: Option<&[f32]>,
    targets: &[i32],
    options: &Options,
    objective: &mut [f32],
    nats: &mut [f32],
    mut gradients: Option<Gradients>,
) {
    let _span = span("loss");
    let n = targets.len();
    assert!(width > 0 && vocab > 0 && x.len() == n * width && objective.len() == n && nats.len() == n);
    assert!(weight.len() > (width - 1) * row + (vocab - 1) * column && bias.is_none_or(|bias| bias.len() == vocab));
    assert!(targets.iter().all(|&t| usize::try_from(t).is_ok_and(|t| t < vocab)), "a target is not below {vocab}");
    if let Some(g) = &mut gradients {
        let dense = row == vocab && column == 1 || row == 1 && column == width;
        assert!(dense && weight.len() == width * vocab, "gradients need a weight without gaps");
        assert!(g.dx.len() == x.len() && g.dweight.len() == weight.len());
        if let Some(dbias) = &mut g.dbias {
            assert_eq!(dbias.len(), vocab);
            dbias.fill(0.0);
        }
        if n == 0 {
            g.dweight.fill(0.0);
        }
    }
    let tokens = (CHUNK / vocab).clamp(TOKENS.0, TOKENS.1);
    let mut buffer = vec![0.0; tokens.min(n) * vocab];
    let mut tile = Vec::new();
    let with_dbias = gradients.as_ref().is_some_and(|g| g.dbias.is_some());
    let mut partial = vec![0.0; if with_dbias { PARTS * vocab } else { 0 }];
    for start in (0..n).step_by(tokens) {
        let count = tokens.min(n - start);
        let logits = &mut buffer[..count * vocab];
        let x = &x[start * width..(start + count) * width];
        let (x_matrix, w_matrix) = (Matrix(x, width, 1), Matrix(weight, row, column));
        product([count, width, vocab], x_matrix, w_matrix, false, logits, vocab, 1);
        let (objective, nats) = (&mut objective[start..start + count], &mut nats[start..start + count]);
        let scale = gradients.as_ref().map(|g| g.scale);
        let block = if with_dbias { count.div_ceil(PARTS) } else { (BLOCK / vocab).max(1) };
        let inputs = logits.chunks_mut(block * vocab).zip(targets[start..start + count].chunks(block));
        let outputs = objective.chunks_mut(block).zip(nats.chunks_mut(block));
        let mut sums = partial.chunks_mut(vocab);
        let tasks: Vec<Rows> = inputs
            .zip(outputs)
            .map(|((logits, targets), (objective, nats))| Rows {
                logits,
                vocab,
                bias,
                targets,
                options,
                scale,
                objective,
                nats,
                dbias: sums.next(),
            })
            .collect();
        let parts = tasks.len();
        tasks.into_par_iter().for_each(simd::run);
        if let Some(g) = &mut gradients {
            let slopes = &buffer[..count * vocab];
            let dx = &mut g.dx[start * width..(start + count) * width];
            times_transposed(slopes, vocab, weight, row, column, &mut tile, dx, width);
            product([width, count, vocab], Matrix(x, 1, width), Matrix(slopes, vocab, 1), start > 0, g.dweight, row, column);
            if let Some(dbias) = &mut g.dbias {
                for part in partial.chunks(vocab).take(parts) {
                    for (sum, part) in dbias.iter_mut().zip(part) {
                        *sum += part;
                    }
                }
            }
        }
    }
}

/// Elements, and the distances between rows and between columns.
#[derive(Clone, Copy)]
struct Matrix<'a>(&'a [f32], usize, usize);

/// out (+)= a·b, with a [m, k] and b [k, n]; `row` and `column` are the distances in out.
fn product([m, k, n]: [usize; 3], a: Matrix, b: Matrix, add: bool, out: &mut [f32], row: usize, column: usize) {
    let _span = span("matrix products");
    let reach = |m: usize, n: usize, row: usize, column: usize| (m - 1) * row + (n - 1) * column;
    assert!(reach(m, k, a.1, a.2) < a.0.len() && reach(k, n, b.1, b.2) < b.0.len() && reach(m, n, row, column) < out.len());
    // SAFETY: every element of the three matrices lies in its slice by the assertion above; out is borrowed mutably, so it
    // does not overlap with the others, and it is not read unless it is added to.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            column as isize,
            row as isize,
            add,
            a.0.as_ptr(),
            a.2 as isize,
            a.1 as isize,
            b.0.as_ptr(),
            b.2 as isize,
            b.1 as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}

/// dx = slopes·Wᵀ.
///
/// The product wants the columns of Wᵀ side by side. Where they are not, it would rearrange all of W for each chunk in one
/// thread, so the tiles of W are transposed here, in all of them.
#[allow(clippy::too_many_arguments)]
fn times_transposed(
    slopes: &[f32],
    vocab: usize,
    weight: &[f32],
    row: usize,
    column: usize,
    tile: &mut Vec<f32>,
    dx: &mut [f32],
    width: usize,
) {
    let n = dx.len() / width;
    if row == 1 {
        return product([n, vocab, width], Matrix(slopes, vocab, 1), Matrix(weight, column, row), false, dx, width, 1);
    }
    tile.resize(TILE.min(vocab) * width, 0.0);
    for start in (0..vocab).step_by(TILE) {
        let count = TILE.min(vocab - start);
        let tile = &mut tile[..count * width];
        tile.par_chunks_mut(COLUMNS * width)
            .enumerate()
            .for_each(|(block, tile)| transpose(weight, row, start + COLUMNS * block, tile, width));
        let slopes = &slopes[start..];
        product([n, count, width], Matrix(slopes, vocab, 1), Matrix(tile, width, 1), start > 0, dx, width, 1);
    }
}

/// tile[j·width + i] = weight[i·row + start + j].
fn transpose(weight: &[f32], row: usize, start: usize, tile: &mut [f32], width: usize) {
    let columns = tile.len() / width;
    // Sixteen rows at once make whole cache lines of the tile.
    for first in (0..width).step_by(16) {
        let rows = 16.min(width - first);
        if rows == 16 {
            let from: [&[f32]; 16] = std::array::from_fn(|i| &weight[(first + i) * row + start..][..columns]);
            for j in 0..columns {
                let to: &mut [f32; 16] = (&mut tile[j * width + first..j * width + first + 16]).try_into().unwrap();
                for i in 0..16 {
                    to[i] = from[i][j];
                }
            }
        } else {
            for i in first..width {
                let from = &weight[i * row + start..][..columns];
                for j in 0..columns {
                    tile[j * width + i] = from[j];
                }
            }
        }
    }
}

/// A loss for each row of logits, which with `scale` become its gradient times `scale`; `dbias` receives their sum.
struct Rows<'a> {
    logits: &'a mut [f32],
    vocab: usize,
    bias: Option<&'a [f32]>,
    targets: &'a [i32],
    options: &'a Options,
    scale: Option<f32>,
    objective: &'a mut [f32],
    nats: &'a mut [f32],
    dbias: Option<&'a mut [f32]>,
}

impl WithSimd for Rows<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if let Some(dbias) = &mut self.dbias {
            dbias.fill(0.0);
        }
        let Options { soft_cap, z_loss, label_smoothing: smoothing } = *self.options;
        let vocab = self.vocab as f32;
        for r in 0..self.targets.len() {
            let z = &mut self.logits[r * self.vocab..(r + 1) * self.vocab];
            let target = self.targets[r] as usize;
            if self.bias.is_some() || soft_cap.is_some() {
                finish(simd, z, self.bias, soft_cap);
            }
            let top = largest(simd, z);
            // All relative to the largest logit, so that nothing is lost where logits are large.
            let at_target = z[target] - top;
            let store = self.scale.is_some() && soft_cap.is_none();
            let (sum, total) = exponentials(simd, z, top, store);
            let log_sum = libm::logf(sum);
            let lse = top + log_sum;
            self.nats[r] = log_sum - at_target;
            // Without smoothing the mean must not count: it is infinite where a token is ruled out by a bias of -∞.
            let smooth = if smoothing == 0.0 { 0.0 } else { smoothing * (log_sum - total / vocab) };
            self.objective[r] = (1.0 - smoothing) * (log_sum - at_target) + smooth + z_loss * lse * lse;
            if let Some(scale) = self.scale {
                let factor = scale * (1.0 + 2.0 * z_loss * lse) / sum;
                let (uniform, at) = (-scale * smoothing / vocab, -scale * (1.0 - smoothing));
                match soft_cap {
                    None => {
                        slopes(simd, z, factor, uniform);
                        z[target] += at;
                    }
                    Some(cap) => {
                        let bend = at * (1.0 - (z[target] / cap) * (z[target] / cap));
                        capped_slopes(simd, z, top, factor, uniform, cap);
                        z[target] += bend;
                    }
                }
                if let Some(dbias) = &mut self.dbias {
                    accumulate(simd, dbias, z);
                }
            }
        }
    }
}

/// z = cap·tanh((z + bias)/cap), each where it is given.
#[inline(always)]
fn finish<S: Simd>(simd: S, z: &mut [f32], bias: Option<&[f32]>, cap: Option<f32>) {
    let (z, z_tail) = S::as_mut_simd_f32s(z);
    let (has_bias, has_cap) = (bias.is_some(), cap.is_some());
    let (bias, bias_tail) = S::as_simd_f32s(bias.unwrap_or(&[]));
    let cap = cap.unwrap_or(1.0);
    let (cap, inverse) = (simd.splat_f32s(cap), simd.splat_f32s(1.0 / cap));
    for i in 0..z.len() {
        let mut v = z[i];
        if has_bias {
            v = simd.add_f32s(v, bias[i]);
        }
        if has_cap {
            v = simd.mul_f32s(cap, simd::tanh(simd, simd.mul_f32s(v, inverse)));
        }
        z[i] = v;
    }
    if !z_tail.is_empty() {
        // Without bias its tail is empty and loads zeros.
        let mut v = simd.add_f32s(simd.partial_load_f32s(z_tail), simd.partial_load_f32s(bias_tail));
        if has_cap {
            v = simd.mul_f32s(cap, simd::tanh(simd, simd.mul_f32s(v, inverse)));
        }
        simd.partial_store_f32s(z_tail, v);
    }
}

/// The largest element.
#[inline(always)]
fn largest<S: Simd>(simd: S, z: &[f32]) -> f32 {
    let first = simd.splat_f32s(z[0]);
    let (z, tail) = S::as_simd_f32s(z);
    let (fours, rest) = pulp::as_arrays::<4, _>(z);
    // Four at once, since each comparison waits for the one before it.
    let mut top = [first; 4];
    for z in fours {
        for k in 0..4 {
            top[k] = simd.max_f32s(z[k], top[k]);
        }
    }
    for &z in rest {
        top[0] = simd.max_f32s(z, top[0]);
    }
    if !tail.is_empty() {
        top[1] = simd.max_f32s(beyond(simd, simd.partial_load_f32s(tail), tail.len(), first), top[1]);
    }
    simd.reduce_max_f32s(simd.max_f32s(simd.max_f32s(top[0], top[1]), simd.max_f32s(top[2], top[3])))
}

/// The first `n` elements of x, and those of `other` beyond.
#[inline(always)]
fn beyond<S: Simd>(simd: S, x: S::f32s, n: usize, other: S::f32s) -> S::f32s {
    simd.select_f32s(simd.mask_between_m32s(0, n as u32).mask(), x, other)
}

/// Σ e^(z - top) and Σ (z - top); leaves e^(z - top) in z where `store`.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, z: &mut [f32], top: f32, store: bool) -> (f32, f32) {
    let (z, tail) = S::as_mut_simd_f32s(z);
    let (top, zero) = (simd.splat_f32s(top), simd.splat_f32s(0.0));
    let (mut sum, mut total) = ([zero; 2], [zero; 2]);
    let (pairs, rest) = pulp::as_arrays_mut::<2, _>(z);
    for z in pairs {
        for k in 0..2 {
            let d = simd.sub_f32s(z[k], top);
            let e = simd::exp(simd, d);
            (sum[k], total[k]) = (simd.add_f32s(sum[k], e), simd.add_f32s(total[k], d));
            if store {
                z[k] = e;
            }
        }
    }
    for z in rest {
        let d = simd.sub_f32s(*z, top);
        let e = simd::exp(simd, d);
        (sum[0], total[0]) = (simd.add_f32s(sum[0], e), simd.add_f32s(total[0], d));
        if store {
            *z = e;
        }
    }
    if !tail.is_empty() {
        let d = beyond(simd, simd.sub_f32s(simd.partial_load_f32s(tail), top), tail.len(), zero);
        let e = beyond(simd, simd::exp(simd, d), tail.len(), zero);
        (sum[1], total[1]) = (simd.add_f32s(sum[1], e), simd.add_f32s(total[1], d));
        if store {
            simd.partial_store_f32s(tail, e);
        }
    }
    (simd.reduce_sum_f32s(simd.add_f32s(sum[0], sum[1])), simd.reduce_sum_f32s(simd.add_f32s(total[0], total[1])))
}

/// sums += z.
#[inline(always)]
fn accumulate<S: Simd>(simd: S, sums: &mut [f32], z: &[f32]) {
    let ((sums, sums_tail), (z, z_tail)) = (S::as_mut_simd_f32s(sums), S::as_simd_f32s(z));
    let n = sums.len();
    let z = &z[..n];
    for i in 0..n {
        sums[i] = simd.add_f32s(sums[i], z[i]);
    }
    if !sums_tail.is_empty() {
        simd.partial_store_f32s(sums_tail, simd.add_f32s(simd.partial_load_f32s(sums_tail), simd.partial_load_f32s(z_tail)));
    }
}

/// z = z·factor + constant.
#[inline(always)]
fn slopes<S: Simd>(simd: S, z: &mut [f32], factor: f32, constant: f32) {
    let (z, tail) = S::as_mut_simd_f32s(z);
    let (factor, constant) = (simd.splat_f32s(factor), simd.splat_f32s(constant));
    for z in z {
        *z = simd.mul_add_e_f32s(*z, factor, constant);
    }
    if !tail.is_empty() {
        simd.partial_store_f32s(tail, simd.mul_add_e_f32s(simd.partial_load_f32s(tail), factor, constant));
    }
}

/// z = (e^(z - top)·factor + constant)·(1 - (z/cap)²), the last being the derivative of soft capping.
#[inline(always)]
fn capped_slopes<S: Simd>(simd: S, z: &mut [f32], top: f32, factor: f32, constant: f32, cap: f32) {
    let (z, tail) = S::as_mut_simd_f32s(z);
    let (top, factor, constant) = (simd.splat_f32s(top), simd.splat_f32s(factor), simd.splat_f32s(constant));
    let inverse = simd.splat_f32s(1.0 / cap);
    for z in z {
        *z = capped_slope(simd, *z, top, factor, constant, inverse);
    }
    if !tail.is_empty() {
        simd.partial_store_f32s(tail, capped_slope(simd, simd.partial_load_f32s(tail), top, factor, constant, inverse));
    }
}

#[inline(always)]
fn capped_slope<S: Simd>(simd: S, z: S::f32s, top: S::f32s, factor: S::f32s, constant: S::f32s, inverse: S::f32s) -> S::f32s {
    let slope = simd.mul_add_e_f32s(simd::exp(simd, simd.sub_f32s(z, top)), factor, constant);
    let t = simd.mul_f32s(z, inverse);
    simd.mul_f32s(slope, simd.sub_f32s(simd.splat_f32s(1.0), simd.mul_f32s(t, t)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{near, random, wide};

    struct Case {
        n: usize,
        width: usize,
        vocab: usize,
        x: Vec<f32>,
        /// [width, vocab]
        weight: Vec<f32>,
        bias: Option<Vec<f32>>,
        targets: Vec<i32>,
        options: Options,
        scale: f32,
    }

    fn case(n: usize, width: usize, vocab: usize, setting: usize) -> Case {
        let seed = (n * 31 + width * 7 + vocab) as u64;
        Case {
            n,
            width,
            vocab,
            x: random(n * width, seed),
            weight: random(width * vocab, seed + 1),
            bias: (setting & 1 == 1).then(|| random(vocab, seed + 2)),
            targets: (0..n).map(|i| ((i * 7919 + 3) % vocab) as i32).collect(),
            options: Options {
                soft_cap: (setting & 2 == 2).then_some(3.0),
                z_loss: if setting & 4 == 4 { 0.01 } else { 0.0 },
                label_smoothing: if setting & 4 == 4 { 0.1 } else { 0.0 },
            },
            scale: 1.0 / n as f32,
        }
    }

    fn transpose(x: &[f32], columns: usize) -> Vec<f32> {
        let rows = x.len() / columns;
        (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
    }

    /// objective, nats, dx, dweight, dbias; `tied` keeps the weight as [vocab, width].
    fn run(c: &Case, tied: bool) -> [Vec<f32>; 5] {
        let mut out = [c.n, c.n, c.x.len(), c.weight.len(), c.vocab].map(|n| vec![f32::NAN; n]);
        let [objective, nats, dx, dweight, dbias] = &mut out;
        let weight = if tied { transpose(&c.weight, c.vocab) } else { c.weight.clone() };
        let (row, column) = if tied { (1, c.width) } else { (c.vocab, 1) };
        let gradients = Gradients { scale: c.scale, dx, dweight, dbias: Some(dbias) };
        let bias = c.bias.as_deref();
        linear_cross_entropy(&c.x, c.width, &weight, row, column, c.vocab, bias, &c.targets, &c.options, objective, nats, Some(gradients));
        // Without gradients the same losses, to the bit.
        let mut without = [vec![f32::NAN; c.n], vec![f32::NAN; c.n]];
        let [a, b] = &mut without;
        linear_cross_entropy(&c.x, c.width, &weight, row, column, c.vocab, bias, &c.targets, &c.options, a, b, None);
        assert!(without[..] == out[..2]);
        if tied {
            out[3] = transpose(&out[3], c.width);
        }
        out
    }

    /// The losses alone, in f64.
    fn losses(c: &Case, x: &[f64], weight: &[f64], bias: &[f64]) -> [Vec<f64>; 3] {
        let mut out = [vec![], vec![], vec![]];
        let e = f64::from(c.options.label_smoothing);
        for i in 0..c.n {
            let mut z: Vec<f64> = bias.to_vec();
            for k in 0..c.width {
                for j in 0..c.vocab {
                    z[j] += x[i * c.width + k] * weight[k * c.vocab + j];
                }
            }
            if let Some(cap) = c.options.soft_cap.map(f64::from) {
                z.iter_mut().for_each(|z| *z = cap * (*z / cap).tanh());
            }
            let top = z.iter().copied().fold(f64::MIN, f64::max);
            let lse = top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
            let nats = lse - z[c.targets[i] as usize];
            let mean = z.iter().sum::<f64>() / c.vocab as f64;
            out[0].push((1.0 - e) * nats + e * (lse - mean) + f64::from(c.options.z_loss) * lse * lse);
            out[1].push(nats);
            out[2].extend(z);
        }
        out
    }

    fn bias_of(c: &Case) -> Vec<f64> {
        c.bias.as_ref().map_or(vec![0.0; c.vocab], |b| wide(b))
    }

    /// What [`run`] should give, by the formula for the gradient of the logits; and the norms of what cancels in the gradients.
    fn exact(c: &Case) -> ([Vec<f64>; 5], [f64; 3]) {
        let (x, weight) = (wide(&c.x), wide(&c.weight));
        let [objective, nats, z] = losses(c, &x, &weight, &bias_of(c));
        let mut d = [vec![0.0; x.len()], vec![0.0; weight.len()], vec![0.0; c.vocab]];
        let mut size = 0.0;
        let e = f64::from(c.options.label_smoothing);
        for i in 0..c.n {
            let target = c.targets[i] as usize;
            let lse = nats[i] + z[i * c.vocab + target];
            for j in 0..c.vocab {
                let z = z[i * c.vocab + j];
                let p = (z - lse).exp() * (1.0 + 2.0 * f64::from(c.options.z_loss) * lse);
                let cap = c.options.soft_cap.map_or(1.0, |cap| 1.0 - (z / f64::from(cap)).powi(2)) * f64::from(c.scale);
                let hit = if j == target { 1.0 - e } else { 0.0 };
                let slope = (p - hit - e / c.vocab as f64) * cap;
                // Not times `cap`, which is itself a difference near 0 where the soft cap bites.
                size += (p * p + hit * hit) * f64::from(c.scale).powi(2);
                for k in 0..c.width {
                    d[0][i * c.width + k] += slope * weight[k * c.vocab + j];
                    d[1][k * c.vocab + j] += slope * x[i * c.width + k];
                }
                d[2][j] += slope;
            }
        }
        let [dx, dweight, dbias] = d;
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let size = size.sqrt();
        let floors = [size * norm(&weight), size * norm(&x), size];
        ([objective, nats, dx, dweight, dbias], floors)
    }

    fn check(c: &Case) {
        let (want, floors) = exact(c);
        for tied in [false, true] {
            let got = run(c, tied);
            let names = ["objective", "nats", "dx", "dweight", "dbias"];
            // Losses near 0 are differences of logits of size about 1.
            let floors = [(c.n as f64).sqrt(), (c.n as f64).sqrt(), floors[0], floors[1], floors[2]];
            for i in 0..5 {
                near(names[i], &got[i], &want[i], 1e-5, 1e-6 * floors[i]);
            }
        }
    }

    #[test]
    fn agrees_with_f64() {
        for (n, width, vocab) in [
            (1, 1, 1),
            (1, 3, 16),
            (5, 16, 17),
            (5, 17, 3),
            (1, 64, 100),
            (5, 100, 64),
            (300, 16, 100),
            (300, 3, 17),
            (3, 17, 2 * TILE + 52),
        ] {
            for setting in 0..8 {
                check(&case(n, width, vocab, setting));
            }
        }
        // More than one chunk, the last one short.
        check(&case(TOKENS.1 + 3, 17, 100, 5));
    }

    /// The formulas above against central differences.
    #[test]
    fn formulas_are_derivatives() {
        for setting in 0..8 {
            let c = case(3, 4, 6, setting);
            let (x, weight, bias) = (wide(&c.x), wide(&c.weight), bias_of(&c));
            let [_, _, dx, dweight, dbias] = exact(&c).0;
            let loss = |x: &[f64], w: &[f64], b: &[f64]| losses(&c, x, w, b)[0].iter().sum::<f64>() * f64::from(c.scale);
            let h = 1e-5;
            let moved = |v: &[f64], i: usize, h: f64| {
                let mut v = v.to_vec();
                v[i] += h;
                v
            };
            let near = |up: f64, down: f64, d: f64| assert!(((up - down) / (2.0 * h) - d).abs() < 1e-8);
            for (i, d) in dx.into_iter().enumerate() {
                near(loss(&moved(&x, i, h), &weight, &bias), loss(&moved(&x, i, -h), &weight, &bias), d);
            }
            for (i, d) in dweight.into_iter().enumerate() {
                near(loss(&x, &moved(&weight, i, h), &bias), loss(&x, &moved(&weight, i, -h), &bias), d);
            }
            for (i, d) in dbias.into_iter().enumerate() {
                near(loss(&x, &weight, &moved(&bias, i, h)), loss(&x, &weight, &moved(&bias, i, -h)), d);
            }
        }
    }

    #[test]
    fn extreme_values() {
        for setting in 0..8 {
            // Whole numbers, so that the logits are exact: up to about ±1e4, far apart.
            let mut c = case(20, 3, 100, setting);
            c.x.iter_mut().for_each(|x| *x = (*x * 100.0).round());
            c.weight.iter_mut().for_each(|w| *w = (*w * 30.0).round());
            check(&c);
            // All logits equal, small and large.
            for value in [0.0, 10.0, 1e4] {
                let mut c = case(5, 2, 17, setting);
                c.x.fill(1.0);
                c.weight.fill(value / 2.0);
                c.bias = None;
                check(&c);
            }
        }
    }

    #[test]
    fn tokens_may_be_ruled_out() {
        let c = case(5, 16, 17, 1);
        let mut without = case(5, 16, 17, 1);
        without.vocab = 16;
        without.weight = c.weight.chunks(17).flat_map(|row| &row[..16]).copied().collect();
        without.targets.iter_mut().for_each(|t| *t %= 16);
        without.bias.as_mut().unwrap().pop();
        let mut bias = without.bias.clone().unwrap();
        bias.push(f32::NEG_INFINITY);
        let ruled_out = Case { bias: Some(bias), targets: without.targets.clone(), ..c };
        let got = run(&ruled_out, false);
        let want = exact(&without).0;
        for i in 0..3 {
            near("ruled out", &got[i], &want[i], 1e-5, 1e-6);
        }
        assert!(got[4][16] == 0.0);
    }

    #[test]
    fn the_gradient_of_the_bias_may_be_left_out() {
        let c = case(300, 16, 100, 5);
        let [.., want_dx, want_dweight, _] = run(&c, false);
        let (mut dx, mut dweight) = (vec![f32::NAN; c.x.len()], vec![f32::NAN; c.weight.len()]);
        let (mut objective, mut nats) = (vec![f32::NAN; 300], vec![f32::NAN; 300]);
        let gradients = Gradients { scale: c.scale, dx: &mut dx, dweight: &mut dweight, dbias: None };
        let (bias, options) = (c.bias.as_deref(), &c.options);
        linear_cross_entropy(&c.x, 16, &c.weight, 100, 1, 100, bias, &c.targets, options, &mut objective, &mut nats, Some(gradients));
        assert!(dx == want_dx && dweight == want_dweight);
    }

    #[test]
    fn no_tokens() {
        let (mut dweight, mut dbias) = ([f32::NAN; 6], [f32::NAN; 3]);
        let gradients = Gradients { scale: 1.0, dx: &mut [], dweight: &mut dweight, dbias: Some(&mut dbias) };
        linear_cross_entropy(&[], 2, &[1.0; 6], 3, 1, 3, None, &[], &Options::default(), &mut [], &mut [], Some(gradients));
        assert!(dweight == [0.0; 6] && dbias == [0.0; 3]);
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        // Large enough for the matrix products to be split over threads.
        let c = case(TOKENS.1 + 100, 64, TILE + 100, 5);
        for tied in [false, true] {
            let bits = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run(&c, tied)).map(|v| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            };
            let one = bits(1);
            assert!([2, 3, 7].into_iter().all(|threads| bits(threads) == one));
        }
    }
}
