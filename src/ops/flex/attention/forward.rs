//! The forward pass of one task: blocks of queries against their keys.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::memory::{OnScratch, Scratch, Shared};
use super::{FORWARD_KEYS, LOWEST, Problem, QUERY_BLOCK, Query, Shaping, Span, Task, View};
use crate::ops::flex::simd;
use crate::ops::flex::tile::{
    Left, ROWS, Right, Start, UNIT, copy_rows, load, pack_panels, prefetch, product, round_down, round_up, store, write_row,
};

/// The forward pass of one task.
pub(super) struct Forward<'a> {
    pub(super) p: &'a Problem<'a>,
    pub(super) q: View<'a>,
    pub(super) k: View<'a>,
    pub(super) v: View<'a>,
    pub(super) relative: &'a [f32],
    pub(super) out: &'a Shared<'a, f32>,
    pub(super) log_sum: &'a Shared<'a, f32>,
    pub(super) task: Task,
}

/// Buffers of a forward task: the keys in panels, the values in rows, and the queries, outputs and scores of a block.
struct ForwardBuffers<'a> {
    /// The key at the beginning of the buffers, a multiple of [`UNIT`].
    first: usize,
    keys: &'a mut [f32],
    values: &'a mut [f32],
    q: &'a mut [f32],
    out: &'a mut [f32],
    scores: &'a mut [f32],
}

impl WithSimd for OnScratch<'_, Forward<'_>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OnScratch(this, lines) = self;
        let p = this.p;
        let (batch, head, blocks) = (this.task.batch, this.task.kv_head, this.task.blocks.clone());
        let first = round_down(p.low(batch, blocks.start * QUERY_BLOCK), UNIT);
        let end = p.position(blocks.end * QUERY_BLOCK - 1) + 1;
        let (keys, width) = (round_up(end, UNIT) - first, round_up(p.head_dim, UNIT));
        let lens = [keys * p.head_dim, keys * width, QUERY_BLOCK * width, QUERY_BLOCK * width, ROWS * FORWARD_KEYS];
        let mut scratch = Scratch::new(lines, &lens);
        let [keys_buffer, values, q, out, scores] = lens.map(|len| scratch.take(len));
        let (k, v) = (this.k, this.v);
        pack_panels(simd, keys, end - first, p.head_dim, |i| k.row(batch, head, first + i, p.head_dim), keys_buffer);
        copy_rows(simd, end - first, 1.0, width, |i| v.row(batch, head, first + i, p.head_dim), &mut values[..keys * width]);
        let mut buffers = ForwardBuffers { first, keys: keys_buffer, values, q, out, scores };
        for head in this.task.heads.clone() {
            let shaping = Shaping::new(simd, p, this.relative, head);
            for block in blocks.clone() {
                this.block(simd, &shaping, head, block * QUERY_BLOCK, &mut buffers);
            }
        }
    }
}

impl Forward<'_> {
    /// The outputs of the queries from `first` on, up to a block of them.
    #[inline(always)]
    fn block<S: Simd>(&self, simd: S, shaping: &Shaping<S>, head: usize, first: usize, buffers: &mut ForwardBuffers) {
        let (p, batch) = (self.p, self.task.batch);
        let width = round_up(p.head_dim, UNIT);
        let count = QUERY_BLOCK.min(p.queries - first);
        for i in 0..count {
            // SAFETY: as below.
            prefetch(unsafe { self.out.row(((batch * p.queries + first + i) * p.heads + head) * p.head_dim, p.head_dim) });
        }
        let rows = &mut buffers.q[..round_up(count, ROWS) * width];
        copy_rows(simd, count, p.scale, width, |i| self.q.row(batch, head, first + i, p.head_dim), rows);
        for i in first + count..p.queries.min(first + count + QUERY_BLOCK) {
            prefetch(self.q.row(batch, head, i, p.head_dim));
        }
        let mut max = [[LOWEST; ROWS]; QUERY_BLOCK / ROWS];
        let mut sum = [[0.0; ROWS]; QUERY_BLOCK / ROWS];
        let low = round_down(p.low(batch, first), UNIT);
        let high = round_up(p.position(first + count - 1) + 1, UNIT);
        for start in (low..high).step_by(FORWARD_KEYS) {
            for g in 0..count.div_ceil(ROWS) {
                let span = p.span(batch, first + g * ROWS, start..high.min(start + FORWARD_KEYS));
                if !span.is_empty() {
                    self.strip(simd, shaping, first, g, span, &mut max[g], &mut sum[g], buffers);
                }
            }
        }
        for i in 0..count {
            let (max, sum) = (max[i / ROWS][i % ROWS], sum[i / ROWS][i % ROWS]);
            // SAFETY: one task writes the rows of a query of a head.
            let (out, log_sum) = unsafe {
                let row = (batch * p.queries + first + i) * p.heads + head;
                (self.out.row(row * p.head_dim, p.head_dim), self.log_sum.row((batch * p.heads + head) * p.queries + first + i, 1))
            };
            write_row(simd, 1.0 / sum, &buffers.out[i * width..][..width], out);
            log_sum[0] = max + libm::logf(sum);
        }
    }

    /// One group of queries against a span of keys.
    #[allow(clippy::too_many_arguments)]
    #[inline(always)]
    fn strip<S: Simd>(
        &self,
        simd: S,
        shaping: &Shaping<S>,
        first: usize,
        g: usize,
        span: Span,
        max: &mut [f32; ROWS],
        sum: &mut [f32; ROWS],
        buffers: &mut ForwardBuffers,
    ) {
        let (p, lanes) = (self.p, S::F32_LANES);
        let width = round_up(p.head_dim, UNIT);
        let len = span.end - span.start;
        let scores = buffers.scores.as_mut_ptr();
        let fresh = sum == &[0.0; ROWS];
        let mut rescale = [0.0; ROWS];
        // SAFETY: spans lie within the packed keys and are no longer than a tile; groups lie within a block; and the buffers have
        // these shapes, see `with_simd`.
        unsafe {
            let q = Left { data: buffers.q.as_ptr().add(g * ROWS * width), row: width, step: 1 };
            let keys = Right {
                data: buffers.keys.as_ptr().add((span.start - buffers.first) * p.head_dim),
                step: lanes,
                vector: p.head_dim * lanes,
            };
            product(simd, p.head_dim, q, keys, len / lanes, scores, FORWARD_KEYS, Start::Zero);
            for r in 0..ROWS {
                let query = Query::new(p, self.task.batch, first + g * ROWS + r);
                let row = shape_row(simd, shaping, &query, span, scores.add(r * FORWARD_KEYS));
                let new = simd.reduce_max_f32s(row).max(max[r]);
                rescale[r] = if fresh || new == max[r] { 1.0 } else { libm::expf(max[r] - new) };
                max[r] = new;
            }
            for r in 0..ROWS {
                sum[r] = sum[r] * rescale[r] + exponentials(simd, scores.add(r * FORWARD_KEYS), len / lanes, max[r]);
            }
            let weights = Left { data: scores.add(span.seen_start - span.start), row: FORWARD_KEYS, step: 1 };
            let values = Right { data: buffers.values.as_ptr().add((span.seen_start - buffers.first) * width), step: width, vector: lanes };
            let start = if fresh { Start::Zero } else { Start::Scaled(&rescale) };
            let out = buffers.out.as_mut_ptr().add(g * ROWS * width);
            product(simd, span.seen_end - span.seen_start, weights, values, width / lanes, out, width, start);
        }
    }
}

/// Turns the products of a query and a span of keys into scores; returns their maximum by lane.
///
/// # Safety
/// `row` holds the span, whole vectors.
#[inline(always)]
unsafe fn shape_row<S: Simd>(simd: S, shaping: &Shaping<S>, query: &Query, span: Span, row: *mut f32) -> S::f32s {
    let mut max = simd.splat_f32s(LOWEST);
    // SAFETY: every part lies within the span.
    unsafe {
        max = shape_part::<S, true>(simd, shaping, query, span.start, span.start..span.whole_start, row, max);
        max = shape_part::<S, false>(simd, shaping, query, span.start, span.whole_start..span.whole_end, row, max);
        shape_part::<S, true>(simd, shaping, query, span.start, span.whole_end..span.end, row, max)
    }
}

/// [`shape_row`] of some keys; `start` is the key that the row begins at.
///
/// # Safety
/// `row` holds the keys, whole vectors.
#[inline(always)]
unsafe fn shape_part<S: Simd, const MASKED: bool>(
    simd: S,
    shaping: &Shaping<S>,
    query: &Query,
    start: usize,
    keys: Range<usize>,
    row: *mut f32,
    mut max: S::f32s,
) -> S::f32s {
    let plain = !MASKED && shaping.is_plain();
    for key in keys.step_by(S::F32_LANES) {
        // SAFETY: as promised by the caller.
        unsafe {
            let at = row.add(key - start);
            let mut score = load(simd, at);
            if !plain {
                score = shaping.score::<MASKED>(simd, query, key, score).0;
                store(simd, at, score);
            }
            max = simd::max(simd, score, max);
        }
    }
    max
}

/// Turns scores into e^(score - max); returns their sum.
///
/// # Safety
/// `row` holds so many vectors.
#[inline(always)]
unsafe fn exponentials<S: Simd>(simd: S, row: *mut f32, vectors: usize, max: f32) -> f32 {
    let max = simd.splat_f32s(max);
    let mut sum = simd.splat_f32s(0.0);
    for v in 0..vectors {
        // SAFETY: as promised by the caller.
        unsafe {
            let at = row.add(v * S::F32_LANES);
            let x = simd::exp(simd, simd.sub_f32s(load(simd, at), max));
            store(simd, at, x);
            sum = simd.add_f32s(sum, x);
        }
    }
    simd.reduce_sum_f32s(sum)
}
