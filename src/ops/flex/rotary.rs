//! Rotary position embedding (Su et al., "RoFormer", 2021): turns pairs of channels of each head by an angle that grows with
//! the position, and on the way brings [batch, heads, seq, head_dim] to [batch, seq, heads, head_dim].

use super::{simd, view::View};
use crate::ops::profile::span;
use pulp::{Simd, WithSimd, bytemuck, c32};
use rayon::prelude::*;
use std::ops::Range;

/// Elements in one parallel task, about.
const BLOCK: usize = 1 << 14;

/// Pairs whose cosines and sines are laid out side by side at a time.
const PAIRS: usize = 64;

/// What is turned, head by head.
#[derive(Debug)]
pub struct Part<'a> {
    /// [batch, heads, seq, head_dim].
    pub x: View<'a>,
    /// Heads.
    pub heads: usize,
    /// [batch, seq, heads, head_dim].
    pub y: &'a mut [f32],
}

/// The sizes that all parts share.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch entries.
    pub batch: usize,
    /// Positions.
    pub seq: usize,
    /// Channels of a head.
    pub head_dim: usize,
}

/// The angle of every pair at every position.
#[derive(Clone, Copy, Debug)]
pub struct Angles<'a> {
    /// Cosines, [seq, pairs].
    pub cos: &'a [f32],
    /// Sines, [seq, pairs].
    pub sin: &'a [f32],
    /// Pairs of channels that turn; the channels beyond them are copied.
    pub pairs: usize,
    /// Whether pair p is the channels (2p, 2p + 1); (p, p + pairs) otherwise.
    pub interleaved: bool,
    /// Whether to turn back, which is the backward.
    pub inverse: bool,
}

/// Turns each pair (a, b) into (a·cos - b·sin, b·cos + a·sin), or back again, in all parts (queries and keys) in one pass.
///
/// Panics unless 2·pairs <= head_dim, the tables and every y have their sizes and the views lie within their data.
pub fn rotate<const N: usize>(parts: [Part; N], shape: Shape, angles: Angles) {
    let _span = span("rotary");
    let Shape { batch, seq, head_dim } = shape;
    assert!(2 * angles.pairs <= head_dim, "{} pairs do not fit into {head_dim} channels", angles.pairs);
    assert!(angles.cos.len() == seq * angles.pairs && angles.sin.len() == seq * angles.pairs);
    assert!(parts.iter().all(|part| part.y.len() == batch * part.heads * seq * head_dim));
    let position = parts.iter().map(|part| part.heads).sum::<usize>() * head_dim;
    if batch * seq * position == 0 {
        return;
    }
    let positions = (BLOCK / position).max(1);
    let views = parts.each_ref().map(|part| (part.x, part.heads));
    let mut blocks = parts.map(|part| part.y.chunks_mut((positions * part.heads * head_dim).max(1)));
    let task = |first| {
        let ys = blocks.each_mut().map(|blocks| blocks.next().unwrap_or_default());
        Rotate { views, ys, shape, angles, positions: first..(first + positions).min(batch * seq) }
    };
    let mut tasks: Vec<Rotate<N>> = (0..batch * seq).step_by(positions).map(task).collect();
    if tasks.len() == 1 {
        return simd::run(tasks.remove(0));
    }
    tasks.into_par_iter().for_each(simd::run);
}

/// Some consecutive positions, counted through the batch entries.
struct Rotate<'a, const N: usize> {
    /// What is turned, with its heads.
    views: [(View<'a>, usize); N],
    ys: [&'a mut [f32]; N],
    shape: Shape,
    angles: Angles<'a>,
    positions: Range<usize>,
}

impl<const N: usize> WithSimd for Rotate<'_, N> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Shape { seq, head_dim, .. } = self.shape;
        let Angles { pairs, interleaved, inverse, .. } = self.angles;
        for (r, position) in self.positions.enumerate() {
            let (b, s) = (position / seq, position % seq);
            let (cos, sin) = (&self.angles.cos[s * pairs..(s + 1) * pairs], &self.angles.sin[s * pairs..(s + 1) * pairs]);
            if interleaved {
                let mut from = 0;
                while from < pairs {
                    let to = (from + PAIRS).min(pairs);
                    let mut turns = [c32::new(0.0, 0.0); PAIRS];
                    let turns = &mut turns[..to - from];
                    side_by_side(&cos[from..to], &sin[from..to], inverse, turns);
                    for ((x, heads), y) in self.views.iter().zip(&mut self.ys) {
                        let (start, y) = (b * x.batch + s * x.seq, &mut y[r * heads * head_dim..]);
                        for h in 0..*heads {
                            let x = &x.data[start + h * x.head..][2 * from..2 * to];
                            multiply(simd, x, turns, &mut y[h * head_dim..][2 * from..2 * to]);
                        }
                    }
                    from = to;
                }
            }
            for ((x, heads), y) in self.views.iter().zip(&mut self.ys) {
                let (start, y) = (b * x.batch + s * x.seq, &mut y[r * heads * head_dim..]);
                for h in 0..*heads {
                    let (x, y) = (&x.data[start + h * x.head..][..head_dim], &mut y[h * head_dim..][..head_dim]);
                    if !interleaved {
                        turn_halves(simd, &x[..2 * pairs], cos, sin, inverse, &mut y[..2 * pairs]);
                    }
                    y[2 * pairs..].copy_from_slice(&x[2 * pairs..]);
                }
            }
        }
    }
}

/// cos + i·sin, or its conjugate.
#[inline(always)]
fn side_by_side(cos: &[f32], sin: &[f32], conjugate: bool, turns: &mut [c32]) {
    let n = turns.len();
    let (cos, sin) = (&cos[..n], &sin[..n]);
    let sign = if conjugate { -1.0 } else { 1.0 };
    for i in 0..n {
        turns[i] = c32::new(cos[i], sign * sin[i]);
    }
}

/// Interleaved pairs are complex numbers, and turning them is a product.
#[inline(always)]
fn multiply<S: Simd>(simd: S, x: &[f32], turns: &[c32], y: &mut [f32]) {
    let (y, y_tail) = S::as_mut_simd_c32s(bytemuck::cast_slice_mut(y));
    let (x, x_tail) = S::as_simd_c32s(bytemuck::cast_slice(x));
    let (turns, turns_tail) = S::as_simd_c32s(turns);
    let n = y.len();
    assert!(x_tail.len() == y_tail.len() && turns_tail.len() == y_tail.len());
    let (x, turns) = (&x[..n], &turns[..n]);
    for i in 0..n {
        y[i] = simd.mul_c32s(turns[i], x[i]);
    }
    if !y_tail.is_empty() {
        let mask = simd.mask_between_m32s(0, 2 * y_tail.len() as u32);
        // SAFETY: the three tails have one length, and the mask covers just their floats, of which each complex number has two.
        // (The safe partial loads want complex numbers at multiples of 8 bytes, which slices of f32 need not be.)
        unsafe {
            let (turns, x) = (simd.mask_load_ptr_c32s(mask, turns_tail.as_ptr()), simd.mask_load_ptr_c32s(mask, x_tail.as_ptr()));
            simd.mask_store_ptr_c32s(mask, y_tail.as_mut_ptr(), simd.mul_c32s(turns, x));
        }
    }
}

/// One vector of pairs.
#[inline(always)]
fn turn<S: Simd>(simd: S, a: S::f32s, b: S::f32s, cos: S::f32s, sin: S::f32s) -> (S::f32s, S::f32s) {
    let first = simd.mul_add_e_f32s(a, cos, simd.neg_f32s(simd.mul_f32s(b, sin)));
    (first, simd.mul_add_e_f32s(b, cos, simd.mul_f32s(a, sin)))
}

/// Pairs whose first channels lie before all second ones.
#[inline(always)]
fn turn_halves<S: Simd>(simd: S, x: &[f32], cos: &[f32], sin: &[f32], inverse: bool, y: &mut [f32]) {
    let sign = simd.splat_f32s(if inverse { -1.0 } else { 1.0 });
    let (a, b) = x.split_at(cos.len());
    let (y_a, y_b) = y.split_at_mut(cos.len());
    let ((y_a, y_a_tail), (y_b, y_b_tail)) = (S::as_mut_simd_f32s(y_a), S::as_mut_simd_f32s(y_b));
    let ((a, a_tail), (b, b_tail)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let ((cos, cos_tail), (sin, sin_tail)) = (S::as_simd_f32s(cos), S::as_simd_f32s(sin));
    let n = y_a.len();
    let (a, b, cos, sin, y_b) = (&a[..n], &b[..n], &cos[..n], &sin[..n], &mut y_b[..n]);
    for i in 0..n {
        (y_a[i], y_b[i]) = turn(simd, a[i], b[i], cos[i], simd.mul_f32s(sign, sin[i]));
    }
    if !y_a_tail.is_empty() {
        let (a, b) = (simd.partial_load_f32s(a_tail), simd.partial_load_f32s(b_tail));
        let (cos, sin) = (simd.partial_load_f32s(cos_tail), simd.partial_load_f32s(sin_tail));
        let (a, b) = turn(simd, a, b, cos, simd.mul_f32s(sign, sin));
        simd.partial_store_f32s(y_a_tail, a);
        simd.partial_store_f32s(y_b_tail, b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{near, random, wide};

    fn tables(seq: usize, pairs: usize) -> (Vec<f32>, Vec<f32>) {
        let angle = |i: usize| (i / pairs.max(1)) as f64 * 1e4f64.powf(-((i % pairs.max(1)) as f64) / pairs as f64);
        (0..seq * pairs).map(|i| (angle(i).cos() as f32, angle(i).sin() as f32)).unzip()
    }

    /// The three orders of a view: as it should be, as a projection leaves it, and with gaps.
    fn views(data: &[f32], heads: usize, shape: Shape) -> [View<'_>; 3] {
        let Shape { seq, head_dim, .. } = shape;
        [
            View { data, batch: heads * seq * head_dim, head: seq * head_dim, seq: head_dim },
            View { data, batch: seq * heads * head_dim, head: head_dim, seq: heads * head_dim },
            View { data: &data[5..], batch: 3 * seq * heads * head_dim + 1, head: head_dim, seq: 3 * heads * head_dim },
        ]
    }

    #[test]
    fn agrees_with_f64_and_turns_back() {
        for (batch, heads, seq, head_dim) in
            [(1, 1, 1, 3), (2, 3, 5, 16), (1, 2, 3, 17), (2, 4, 300, 64), (1, 1, 5, 100), (1, 2, 4, 300), (1, 2, 2, 1)]
        {
            let shape = Shape { batch, seq, head_dim };
            let n = batch * heads * seq * head_dim;
            let data = random(3 * n + 5 + batch, n as u64);
            for pairs in [0, 1, head_dim / 4, head_dim / 2] {
                let pairs = pairs.min(head_dim / 2);
                let (cos, sin) = tables(seq, pairs);
                for (case, view) in views(&data, heads, shape).into_iter().enumerate() {
                    for interleaved in [false, true] {
                        for inverse in [false, true] {
                            let mut y = vec![f32::NAN; n];
                            let angles = Angles { cos: &cos, sin: &sin, pairs, interleaved, inverse };
                            rotate([Part { x: view, heads, y: &mut y }], shape, angles);
                            let exact = |i: usize| {
                                let (d, h, s, b) =
                                    (i % head_dim, i / head_dim % heads, i / head_dim / heads % seq, i / head_dim / heads / seq);
                                let x = |d: usize| f64::from(view.data[b * view.batch + h * view.head + s * view.seq + d]);
                                let (p, second) = if interleaved { (d / 2, d % 2 == 1) } else { (d % pairs.max(1), d >= pairs) };
                                if d >= 2 * pairs {
                                    return x(d);
                                }
                                let (c, t) = (f64::from(cos[s * pairs + p]), f64::from(sin[s * pairs + p]));
                                let t = if inverse { -t } else { t };
                                let step = if interleaved { 1 } else { pairs };
                                if second { x(d) * c + x(d - step) * t } else { x(d) * c - x(d + step) * t }
                            };
                            let want: Vec<f64> = (0..n).map(exact).collect();
                            near("rotated", &y, &want, 1e-6, 0.0);
                            if case == 1 {
                                let mut back = vec![f32::NAN; n];
                                let part = Part { x: View { data: &y, ..view }, heads, y: &mut back };
                                rotate([part], shape, Angles { inverse: !inverse, ..angles });
                                near("turned back", &back, &wide(&data[..n]), 1e-6, 0.0);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Queries and keys with fewer heads, together and one after the other, on any number of threads.
    #[test]
    fn bits_depend_neither_on_company_nor_on_threads() {
        let (shape, heads, kv_heads) = (Shape { batch: 3, seq: 300, head_dim: 32 }, 4, 2);
        let n = 3 * 300 * 32;
        let (q, k) = (random(3 * n * heads + 8, 1), random(3 * n * kv_heads + 8, 2));
        let (cos, sin) = tables(300, 15);
        for interleaved in [false, true] {
            let angles = Angles { cos: &cos, sin: &sin, pairs: 15, interleaved, inverse: false };
            let run = |threads, together: bool| {
                let mut out = [heads, kv_heads].map(|heads| vec![f32::NAN; n * heads]);
                let [y, z] = &mut out;
                let q = Part { x: views(&q, heads, shape)[2], heads, y };
                let k = Part { x: views(&k, kv_heads, shape)[1], heads: kv_heads, y: z };
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    if together {
                        rotate([q, k], shape, angles);
                    } else {
                        rotate([q], shape, angles);
                        rotate([k], shape, angles);
                    }
                });
                out.map(|y| y.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            };
            let one = run(1, false);
            assert!([1, 2, 3, 7].into_iter().all(|threads| run(threads, true) == one && run(threads, false) == one));
        }
    }
}
