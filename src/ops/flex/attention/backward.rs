//! The backward pass of one task: tiles of keys against the queries that see them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::memory::{OnScratch, Scratch, Shared};
use super::{BACKWARD_KEYS, Bias, Problem, QUERY_BLOCK, Query, Shaping, Span, Task, View, relative_len};
use crate::ops::flex::simd;
use crate::ops::flex::tile::{
    Left, ROWS, Right, Start, UNIT, copy_rows, dot, load, pack_panels, product, round_down, round_up, store, write_row,
};

/// Where the gradients go: images of the results.
#[derive(Clone, Copy)]
pub(super) struct Gradients<'a> {
    pub(super) dq: &'a Shared<'a, f32>,
    pub(super) dk: &'a Shared<'a, f32>,
    pub(super) dv: &'a Shared<'a, f32>,
    /// [batch, parts, heads, buckets].
    pub(super) tables: &'a Shared<'a, f64>,
    /// 0 if the gradient of the table is not wanted.
    pub(super) buckets: usize,
    pub(super) parts: usize,
}

/// The backward pass of one task.
pub(super) struct Backward<'a> {
    pub(super) p: &'a Problem<'a>,
    pub(super) q: View<'a>,
    pub(super) k: View<'a>,
    pub(super) v: View<'a>,
    pub(super) out: View<'a>,
    pub(super) log_sum: &'a [f32],
    pub(super) dout: View<'a>,
    pub(super) relative: &'a [f32],
    pub(super) gradients: Gradients<'a>,
    /// The queries that may see keys of this task.
    pub(super) rows: Range<usize>,
    pub(super) task: Task,
}

/// Buffers of a backward task. Panels and rows of its keys; rows of the queries of a head that may see them; probabilities and
/// gradients of scores of a block of queries against a tile of keys.
struct BackwardBuffers<'a> {
    /// The key and the query at the beginning of the buffers, multiples of [`UNIT`] and [`ROWS`].
    first_key: usize,
    first_query: usize,
    key_panels: &'a mut [f32],
    value_panels: &'a mut [f32],
    keys: &'a mut [f32],
    q: &'a mut [f32],
    dout: &'a mut [f32],
    /// rowsum(dout · out) of each query.
    delta: &'a mut [f32],
    log_sum: &'a mut [f32],
    dq: &'a mut [f32],
    /// Rows of the tiles of this task, one after the other.
    dk: &'a mut [f32],
    dv: &'a mut [f32],
    weights: &'a mut [f32],
    dscores: &'a mut [f32],
    /// Sums of the gradients of scores by distance, in the order of [`relative_rows`].
    by_distance: &'a mut [f32],
}

impl WithSimd for OnScratch<'_, Backward<'_>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OnScratch(this, lines) = self;
        let (p, task) = (this.p, &this.task);
        let (first_key, end) = (task.blocks.start * BACKWARD_KEYS, p.keys.min(task.blocks.end * BACKWARD_KEYS));
        let first_query = round_down(this.rows.start, ROWS);
        let (keys, width) = (round_up(end, UNIT) - first_key, round_up(p.head_dim, UNIT));
        let queries = round_up(this.rows.end, ROWS) - first_query;
        let own = task.blocks.len() * BACKWARD_KEYS * width;
        let tile = QUERY_BLOCK * BACKWARD_KEYS;
        let by_distance = if this.gradients.buckets > 0 { relative_len(p) } else { 0 };
        let (panel, row) = (keys * p.head_dim, queries * width);
        let lens = [panel, panel, keys * width, row, row, queries, queries, row, own, own, tile, tile, by_distance];
        let mut scratch = Scratch::new(lines, &lens);
        let [key_panels, value_panels, key_rows, q, dout, delta, log_sum, dq, dk, dv, weights, dscores, by_distance] =
            lens.map(|len| scratch.take(len));
        let (k, v) = (this.k, this.v);
        let key_row = |i| k.row(task.batch, task.kv_head, first_key + i, p.head_dim);
        let value_row = |i| v.row(task.batch, task.kv_head, first_key + i, p.head_dim);
        pack_panels(simd, keys, end - first_key, p.head_dim, key_row, key_panels);
        pack_panels(simd, keys, end - first_key, p.head_dim, value_row, value_panels);
        copy_rows(simd, end - first_key, 1.0, width, key_row, &mut key_rows[..keys * width]);
        dk.fill(0.0);
        dv.fill(0.0);
        let mut buffers = BackwardBuffers {
            first_key,
            first_query,
            key_panels,
            value_panels,
            keys: key_rows,
            q,
            dout,
            delta,
            log_sum,
            dq,
            dk,
            dv,
            weights,
            dscores,
            by_distance,
        };
        for head in task.heads.clone() {
            this.pack_head(simd, head, &mut buffers);
            let shaping = Shaping::new(simd, p, this.relative, head);
            for (n, tile) in task.blocks.clone().enumerate() {
                let keys = tile * BACKWARD_KEYS..(first_key + keys).min((tile + 1) * BACKWARD_KEYS);
                let rows = p.rows_of(task.batch, keys.clone());
                for first in (round_down(rows.start, ROWS)..rows.end).step_by(QUERY_BLOCK) {
                    let groups = (rows.end - first).min(QUERY_BLOCK).div_ceil(ROWS);
                    this.block(simd, &shaping, first, groups, keys.clone(), n * BACKWARD_KEYS * width, &mut buffers);
                }
            }
            this.write_queries(simd, head, &buffers);
        }
        this.write_keys(simd, &buffers);
    }
}

impl Backward<'_> {
    /// Fills the buffers that depend on the head. Rows past the last query are zero, and so is all that comes from them.
    #[inline(always)]
    fn pack_head<S: Simd>(&self, simd: S, head: usize, buffers: &mut BackwardBuffers) {
        let (p, batch, first) = (self.p, self.task.batch, buffers.first_query);
        let (width, count) = (round_up(p.head_dim, UNIT), self.rows.end - first);
        copy_rows(simd, count, p.scale, width, |i| self.q.row(batch, head, first + i, p.head_dim), buffers.q);
        copy_rows(simd, count, 1.0, width, |i| self.dout.row(batch, head, first + i, p.head_dim), buffers.dout);
        buffers.delta.fill(0.0);
        for i in 0..count {
            let dout = self.dout.row(batch, head, first + i, p.head_dim);
            buffers.delta[i] = dot(simd, dout, self.out.row(batch, head, first + i, p.head_dim));
        }
        buffers.log_sum.fill(0.0);
        buffers.log_sum[..count].copy_from_slice(&self.log_sum[(batch * p.heads + head) * p.queries + first..][..count]);
        buffers.dq.fill(0.0);
        buffers.by_distance.fill(0.0);
    }

    /// Adds what groups of queries from `first` on and a tile of keys give; the tile's rows of dk and dv begin at `own`.
    #[allow(clippy::too_many_arguments)]
    #[inline(always)]
    fn block<S: Simd>(
        &self,
        simd: S,
        shaping: &Shaping<S>,
        first: usize,
        groups: usize,
        keys: Range<usize>,
        own: usize,
        buffers: &mut BackwardBuffers,
    ) {
        let (lanes, width) = (S::F32_LANES, round_up(self.p.head_dim, UNIT));
        let mut spans = [Span::default(); QUERY_BLOCK / ROWS];
        for (g, span) in spans.iter_mut().enumerate().take(groups) {
            *span = self.p.span(self.task.batch, first + g * ROWS, keys.clone());
            if !span.is_empty() {
                self.strip(simd, shaping, first, g, *span, keys.start, buffers);
            }
        }
        for key in keys.clone().step_by(ROWS) {
            let sees = |g: &usize| spans[*g].seen_start < key + ROWS && key < spans[*g].seen_end;
            let Some(from) = (0..groups).find(sees) else { continue };
            let to = (from..groups).take_while(sees).last().unwrap_or(from) + 1;
            let (row, depth) = (first - buffers.first_query + from * ROWS, (to - from) * ROWS);
            let at = from * ROWS * BACKWARD_KEYS + key - keys.start;
            let to = own + (key - keys.start) * width;
            // SAFETY: the groups lie within the block and the keys within the tile, whose shapes the buffers have.
            unsafe {
                let weights = Left { data: buffers.weights.as_ptr().add(at), row: 1, step: BACKWARD_KEYS };
                let dout = Right { data: buffers.dout.as_ptr().add(row * width), step: width, vector: lanes };
                product(simd, depth, weights, dout, width / lanes, buffers.dv.as_mut_ptr().add(to), width, Start::Output);
                let dscores = Left { data: buffers.dscores.as_ptr().add(at), row: 1, step: BACKWARD_KEYS };
                let q = Right { data: buffers.q.as_ptr().add(row * width), step: width, vector: lanes };
                product(simd, depth, dscores, q, width / lanes, buffers.dk.as_mut_ptr().add(to), width, Start::Output);
            }
        }
    }

    /// The probabilities of one group of queries and a span of keys, the gradients of their scores, and from those the part of dq.
    #[allow(clippy::too_many_arguments)]
    #[inline(always)]
    fn strip<S: Simd>(
        &self,
        simd: S,
        shaping: &Shaping<S>,
        first: usize,
        g: usize,
        span: Span,
        tile: usize,
        buffers: &mut BackwardBuffers,
    ) {
        let (p, lanes) = (self.p, S::F32_LANES);
        let width = round_up(p.head_dim, UNIT);
        let (row, key, len) = (first - buffers.first_query + g * ROWS, span.start - buffers.first_key, span.end - span.start);
        // SAFETY: the group lies within the block and the span within the tile, whose shapes the buffers have.
        unsafe {
            let at = g * ROWS * BACKWARD_KEYS + span.start - tile;
            let (weights, dscores) = (buffers.weights.as_mut_ptr().add(at), buffers.dscores.as_mut_ptr().add(at));
            let q = Left { data: buffers.q.as_ptr().add(row * width), row: width, step: 1 };
            let panels = Right { data: buffers.key_panels.as_ptr().add(key * p.head_dim), step: lanes, vector: p.head_dim * lanes };
            product(simd, p.head_dim, q, panels, len / lanes, weights, BACKWARD_KEYS, Start::Zero);
            let dout = Left { data: buffers.dout.as_ptr().add(row * width), row: width, step: 1 };
            let panels = Right { data: buffers.value_panels.as_ptr().add(key * p.head_dim), ..panels };
            product(simd, p.head_dim, dout, panels, len / lanes, dscores, BACKWARD_KEYS, Start::Zero);
            for r in 0..ROWS {
                let row = GradientRow {
                    query: Query::new(p, self.task.batch, first + g * ROWS + r),
                    log_sum: simd.splat_f32s(buffers.log_sum[row + r]),
                    delta: simd.splat_f32s(buffers.delta[row + r]),
                    start: span.start,
                    weights: weights.add(r * BACKWARD_KEYS),
                    dscores: dscores.add(r * BACKWARD_KEYS),
                };
                row.part::<true>(simd, shaping, span.start..span.whole_start, buffers.by_distance);
                row.part::<false>(simd, shaping, span.whole_start..span.whole_end, buffers.by_distance);
                row.part::<true>(simd, shaping, span.whole_end..span.end, buffers.by_distance);
            }
            let dscores = Left { data: dscores.add(span.seen_start - span.start), row: BACKWARD_KEYS, step: 1 };
            let keys = Right { data: buffers.keys.as_ptr().add((span.seen_start - buffers.first_key) * width), step: width, vector: lanes };
            product(
                simd,
                span.seen_end - span.seen_start,
                dscores,
                keys,
                width / lanes,
                buffers.dq.as_mut_ptr().add(row * width),
                width,
                Start::Output,
            );
        }
    }

    /// Writes dq and the gradient of the table of a head.
    #[inline(always)]
    fn write_queries<S: Simd>(&self, simd: S, head: usize, buffers: &BackwardBuffers) {
        let (p, task) = (self.p, &self.task);
        let width = round_up(p.head_dim, UNIT);
        for i in self.rows.clone() {
            let row = ((task.part * p.batch + task.batch) * p.queries + i) * p.heads + head;
            // SAFETY: one task writes the rows of a head in the image of its part.
            let row = unsafe { self.gradients.dq.row(row * p.head_dim, p.head_dim) };
            write_row(simd, p.scale, &buffers.dq[(i - buffers.first_query) * width..][..width], row);
        }
        let (Bias::Relative { of_distance, .. }, buckets @ 1..) = (p.bias, self.gradients.buckets) else { return };
        let row = (task.batch * self.gradients.parts + task.part) * p.heads + head;
        // SAFETY: as above.
        let table = unsafe { self.gradients.tables.row(row * buckets, buckets) };
        for (&x, &bucket) in buffers.by_distance.iter().zip(of_distance[..p.keys].iter().rev()) {
            table[bucket as usize] += f64::from(x);
        }
    }

    /// Writes dk and dv of this task's tiles.
    #[inline(always)]
    fn write_keys<S: Simd>(&self, simd: S, buffers: &BackwardBuffers) {
        let (p, task) = (self.p, &self.task);
        let width = round_up(p.head_dim, UNIT);
        let keys = buffers.first_key..p.keys.min(task.blocks.end * BACKWARD_KEYS);
        for (i, key) in keys.enumerate() {
            let row = ((task.group * p.batch + task.batch) * p.keys + key) * p.kv_heads + task.kv_head;
            for (from, to) in [(&buffers.dk, self.gradients.dk), (&buffers.dv, self.gradients.dv)] {
                // SAFETY: one task writes the rows of a part of the keys in the image of its group.
                let row = unsafe { to.row(row * p.head_dim, p.head_dim) };
                write_row(simd, 1.0, &from[i * width..][..width], row);
            }
        }
    }
}

/// One query against a span of keys, which begins at key `start`.
struct GradientRow<S: Simd> {
    query: Query,
    log_sum: S::f32s,
    delta: S::f32s,
    start: usize,
    /// Products of query and keys, which become probabilities.
    weights: *mut f32,
    /// Gradients of the probabilities, which become those of the products.
    dscores: *mut f32,
}

impl<S: Simd> GradientRow<S> {
    /// # Safety
    /// `keys` lie within the span, whole vectors, and both rows hold it; `by_distance` is empty or of `relative_len`.
    #[inline(always)]
    unsafe fn part<const MASKED: bool>(&self, simd: S, shaping: &Shaping<S>, keys: Range<usize>, by_distance: &mut [f32]) {
        for key in keys.step_by(S::F32_LANES) {
            // SAFETY: as promised by the caller.
            unsafe {
                let (weight, dscore) = (self.weights.add(key - self.start), self.dscores.add(key - self.start));
                let (score, slope) = shaping.score::<MASKED>(simd, &self.query, key, load(simd, weight));
                let probability = simd::exp(simd, simd.sub_f32s(score, self.log_sum));
                store(simd, weight, probability);
                let mut d = simd.mul_f32s(probability, simd.sub_f32s(load(simd, dscore), self.delta));
                if !by_distance.is_empty() {
                    let at = by_distance.as_mut_ptr().add(self.query.relative + key);
                    store(simd, at, simd.add_f32s(load(simd, at), d));
                }
                if let Some(slope) = slope {
                    d = simd.mul_f32s(d, slope);
                }
                store(simd, dscore, d);
            }
        }
    }
}
