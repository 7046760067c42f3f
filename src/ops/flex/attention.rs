//! Causal attention on the CPU in memory linear in the sequence, forward and backward, on f32 slices.
//!
//! The scores of a few queries against a tile of keys are made, normalised and used while they are in cache, and never all
//! kept (Dao et al. 2022, FlashAttention); the softmax keeps a running maximum and sum (Milakov & Gimelshein 2018). The
//! backward pass makes the probabilities again from the logarithm of that sum.
//!
//! Work is split by shapes alone, every element of a result has one owner, and sums over owners run in a fixed order: the
//! results are the same to the bit for any number of threads.

mod backward;
mod forward;
mod memory;

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use self::backward::{Backward, Gradients};
use self::forward::Forward;
use self::memory::{Images, OnScratch, Shared};
use super::simd;
use super::tile::{ROWS, UNIT, load, round_down, round_up};
use super::view::View;
use crate::ops::profile::span;

/// Queries of a block, which share their passage over the keys.
const QUERY_BLOCK: usize = 64;
/// Keys of a tile in the forward pass.
const FORWARD_KEYS: usize = 512;
/// Keys of a tile in the backward pass.
const BACKWARD_KEYS: usize = 64;
/// Tasks that a call is split into, where its shapes allow; a constant, so that results do not depend on the threads.
const TASKS: usize = 32;
/// Where a running maximum begins: below every score, and finite, so that differences with it are numbers.
const LOWEST: f32 = f32::MIN;

/// What is added to the scores, by the distance of the key behind the query.
#[derive(Clone, Copy, Debug)]
pub enum Bias<'a> {
    /// Nothing.
    None,
    /// A positive slope per query head: the score falls by slope · distance.
    Alibi(&'a [f32]),
    /// An entry of a table by bucket of the distance and by query head.
    Relative {
        /// [buckets, heads], row-major.
        table: &'a [f32],
        /// Rows of the table.
        buckets: usize,
        /// The bucket of each distance from 0 to `keys` - 1.
        of_distance: &'a [u32],
    },
}

/// Shapes and options of one attention. Query i stands at position `keys - queries + i` and sees key j if j is not after it,
/// not before the document it belongs to, and among the last `window` keys up to itself.
///
/// The score is `scale · q·k`, then `c · tanh(score / c)` for a soft cap c, then the bias is added.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// Sequences.
    pub batch: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, a divisor of `heads`; query head h reads h / (heads / kv_heads).
    pub kv_heads: usize,
    /// Queries per sequence: the last positions of it.
    pub queries: usize,
    /// Keys per sequence, at least `queries`.
    pub keys: usize,
    /// Elements of a query, key or value.
    pub head_dim: usize,
    /// What q·k is multiplied by.
    pub scale: f32,
    /// The bound of the scores before the bias.
    pub soft_cap: Option<f32>,
    /// Keys that a query sees at most, itself included; at least 1.
    pub window: Option<usize>,
    /// [batch, keys]: the first position of the document that each position belongs to, non-decreasing along the sequence.
    pub starts: Option<&'a [u32]>,
    /// What is added to the scores.
    pub bias: Bias<'a>,
}

impl Problem<'_> {
    /// # Panics
    /// If the shapes contradict each other.
    fn check(&self) {
        assert!(self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads), "heads must be a multiple of kv_heads");
        assert!(self.queries <= self.keys, "more queries than keys");
        assert!(self.keys < 1 << 24, "positions must be exact in f32");
        assert!(self.window != Some(0), "a window must hold the query itself");
        assert!(self.starts.is_none_or(|starts| starts.len() == self.batch * self.keys), "starts must be [batch, keys]");
        let sorted = |starts: &[u32]| starts.chunks_exact(self.keys.max(1)).all(|starts| starts.is_sorted());
        assert!(self.starts.is_none_or(sorted), "starts must not decrease");
        match self.bias {
            Bias::None => {}
            Bias::Alibi(slopes) => assert_eq!(slopes.len(), self.heads, "one slope per head"),
            Bias::Relative { table, buckets, of_distance } => {
                assert_eq!(table.len(), buckets * self.heads, "the table must be [buckets, heads]");
                assert!(of_distance.len() >= self.keys, "a bucket for each distance");
                assert!(of_distance[..self.keys].iter().all(|&b| (b as usize) < buckets), "a bucket outside the table");
            }
        }
    }

    /// The position of a query; rows past the last query stand with it.
    #[inline(always)]
    fn position(&self, query: usize) -> usize {
        self.keys - self.queries + query.min(self.queries - 1)
    }

    /// The first key that a query sees.
    #[inline(always)]
    fn low(&self, batch: usize, query: usize) -> usize {
        let position = self.position(query);
        let document = self.starts.map_or(0, |starts| starts[batch * self.keys + position] as usize);
        let window = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        document.max(window).min(position)
    }

    /// The queries that would see some key of a range if there were no documents.
    fn rows_near(&self, keys: &Range<usize>) -> Range<usize> {
        let before = self.keys - self.queries;
        let end = self.window.map_or(self.queries, |window| (keys.end + window - 1).saturating_sub(before).min(self.queries));
        keys.start.saturating_sub(before).min(end)..end
    }

    /// The queries that see some key of a range.
    fn rows_of(&self, batch: usize, keys: Range<usize>) -> Range<usize> {
        let first = keys.start.saturating_sub(self.keys - self.queries);
        let (mut below, mut above) = (first, self.queries);
        // The first key seen never falls from one query to the next.
        while below < above {
            let middle = below + (above - below) / 2;
            if self.low(batch, middle) < keys.end {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        first..below
    }

    /// What the [`ROWS`] queries from `first` see of a range of keys that begins and ends at multiples of [`UNIT`].
    #[inline(always)]
    fn span(&self, batch: usize, first: usize, keys: Range<usize>) -> Span {
        let last = first + ROWS - 1;
        let some = self.low(batch, first)..self.position(last) + 1;
        let all = self.low(batch, last)..self.position(first) + 1;
        let start = round_down(some.start, UNIT).max(keys.start);
        let end = round_up(some.end, UNIT).min(keys.end).max(start);
        let whole_start = round_up(all.start, UNIT).clamp(start, end);
        let whole_end = round_down(all.end, UNIT).clamp(whole_start, end);
        let seen_start = some.start.clamp(start, end);
        Span { start, end, seen_start, seen_end: some.end.clamp(seen_start, end), whole_start, whole_end }
    }
}

/// A range of keys in whole units that some query of a group sees.
#[derive(Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
    /// From the first to the last key that some query sees.
    seen_start: usize,
    seen_end: usize,
    /// Whole units that every query sees.
    whole_start: usize,
    whole_end: usize,
}

impl Span {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// Attention of every query.
///
/// `q` is [batch, heads, queries, head_dim], `k` and `v` are [batch, kv_heads, keys, head_dim]; `out` is
/// [batch, queries, heads, head_dim] and `log_sum`, the logarithm of the sum of e^score that [`backward`] needs,
/// [batch, heads, queries]. Both are overwritten whole.
///
/// # Panics
/// If lengths do not fit the problem.
pub fn forward(p: &Problem, q: View, k: View, v: View, out: &mut [f32], log_sum: &mut [f32]) {
    let _span = span("attention");
    p.check();
    assert_eq!(out.len(), p.batch * p.queries * p.heads * p.head_dim, "out must be [batch, queries, heads, head_dim]");
    assert_eq!(log_sum.len(), p.batch * p.heads * p.queries, "log_sum must be [batch, heads, queries]");
    if out.is_empty() {
        return;
    }
    let last = |block: usize| p.position((block + 1) * QUERY_BLOCK - 1) + 1;
    let costs: Vec<_> = (0..p.queries.div_ceil(QUERY_BLOCK)).map(|block| last(block).min(p.window.unwrap_or(p.keys))).collect();
    let split = Split::new(p, &costs);
    let relative = relative_rows(p);
    let (out, log_sum) = (Shared::new(out), Shared::new(log_sum));
    (0..split.tasks()).into_par_iter().for_each_init(Vec::new, |scratch, task| {
        let task = split.task(task);
        simd::run(OnScratch(Forward { p, q, k, v, relative: &relative, out: &out, log_sum: &log_sum, task }, scratch));
    });
}

/// Gradients of [`forward`] from that of its output.
///
/// `q`, `k`, `v` are as there; `out` and `dout` are [batch, heads, queries, head_dim]. Writes `dq`
/// [batch, queries, heads, head_dim], `dk` and `dv` [batch, keys, kv_heads, head_dim] and, for a relative bias, the gradient of
/// its `table` [buckets, heads]; all are overwritten whole.
///
/// # Panics
/// If lengths do not fit the problem, or a table is given without a relative bias.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    p: &Problem,
    q: View,
    k: View,
    v: View,
    out: View,
    log_sum: &[f32],
    dout: View,
    dq: &mut [f32],
    dk: &mut [f32],
    dv: &mut [f32],
    table: Option<&mut [f32]>,
) {
    let _span = span("attention");
    p.check();
    assert_eq!(dq.len(), p.batch * p.queries * p.heads * p.head_dim, "dq must be [batch, queries, heads, head_dim]");
    assert_eq!(dk.len(), p.batch * p.keys * p.kv_heads * p.head_dim, "dk must be [batch, keys, kv_heads, head_dim]");
    assert_eq!(dv.len(), dk.len(), "dv must be [batch, keys, kv_heads, head_dim]");
    assert_eq!(log_sum.len(), p.batch * p.heads * p.queries, "log_sum must be [batch, heads, queries]");
    let buckets = match (&table, p.bias) {
        (Some(table), Bias::Relative { buckets, .. }) => {
            assert_eq!(table.len(), buckets * p.heads, "the table must be [buckets, heads]");
            buckets
        }
        (Some(_), _) => panic!("a gradient of a table that the problem lacks"),
        (None, _) => 0,
    };
    if dq.is_empty() {
        dk.fill(0.0);
        dv.fill(0.0);
        if let Some(table) = table {
            table.fill(0.0);
        }
        return;
    }
    let keys_of = |tiles: &Range<usize>| tiles.start * BACKWARD_KEYS..p.keys.min(tiles.end * BACKWARD_KEYS);
    let costs: Vec<_> = (0..p.keys.div_ceil(BACKWARD_KEYS)).map(|tile| p.rows_near(&keys_of(&(tile..tile + 1))).len()).collect();
    let split = Split::new(p, &costs);
    let rows: Vec<_> = split.parts.iter().map(|tiles| p.rows_near(&keys_of(tiles))).collect();
    let relative = relative_rows(p);
    let mut tables = vec![0.0; p.batch * split.parts.len() * p.heads * buckets];
    {
        let (dq, dk, dv) = (Images::new(dq, rows.len()), Images::new(dk, split.groups), Images::new(dv, split.groups));
        let tables = Shared::new(&mut tables);
        let gradients = Gradients { dq: &dq.shared, dk: &dk.shared, dv: &dv.shared, tables: &tables, buckets, parts: rows.len() };
        (0..split.tasks()).into_par_iter().for_each_init(Vec::new, |scratch, task| {
            let task = split.task(task);
            simd::run(OnScratch(
                Backward { p, q, k, v, out, log_sum, dout, relative: &relative, gradients, rows: rows[task.part].clone(), task },
                scratch,
            ));
        });
        dq.reduce(p.heads * p.head_dim, |part, row| rows[part].contains(&(row % p.queries)));
        dk.reduce(p.kv_heads * p.head_dim, |_, _| true);
        dv.reduce(p.kv_heads * p.head_dim, |_, _| true);
    }
    if let Some(table) = table {
        sum_tables(p, &tables, buckets, table);
    }
}

/// The sum of the tables that the tasks of each batch entry and part left, [.., heads, buckets], in their order.
fn sum_tables(p: &Problem, tables: &[f64], buckets: usize, table: &mut [f32]) {
    for (i, sum) in table.iter_mut().enumerate() {
        let (bucket, head) = (i / p.heads, i % p.heads);
        *sum = tables.iter().skip(head * buckets + bucket).step_by(p.heads * buckets).sum::<f64>() as f32;
    }
}

/// How a call is cut into tasks: by batch entry and kv head; if those are few, by query head instead, and by parts, which are
/// ranges of blocks of about equal cost.
struct Split {
    batch: usize,
    kv_heads: usize,
    /// Tasks that the query heads of one kv head are shared among.
    groups: usize,
    /// Query heads of a task.
    heads: usize,
    /// The blocks of each part.
    parts: Vec<Range<usize>>,
}

/// One task of a [`Split`].
struct Task {
    batch: usize,
    kv_head: usize,
    /// Which of the tasks of its kv head it is.
    group: usize,
    heads: Range<usize>,
    part: usize,
    blocks: Range<usize>,
}

impl Split {
    /// `costs` are those of each block.
    fn new(p: &Problem, costs: &[usize]) -> Split {
        let (pairs, shared) = (p.batch * p.kv_heads, p.heads / p.kv_heads);
        let groups = if pairs < TASKS { shared } else { 1 };
        let parts = TASKS.div_ceil(pairs * groups).min(costs.len());
        let total: usize = costs.iter().sum();
        let (mut bounds, mut sum) = (vec![0], 0);
        for (block, cost) in costs.iter().enumerate() {
            sum += cost;
            if sum * parts >= total * bounds.len() {
                bounds.push(block + 1);
            }
        }
        let parts = bounds.windows(2).map(|bounds| bounds[0]..bounds[1]).collect();
        Split { batch: p.batch, kv_heads: p.kv_heads, groups, heads: shared / groups, parts }
    }

    fn tasks(&self) -> usize {
        self.batch * self.kv_heads * self.groups * self.parts.len()
    }

    fn task(&self, index: usize) -> Task {
        let (rest, part) = (index / self.parts.len(), index % self.parts.len());
        let (rest, group) = (rest / self.groups, rest % self.groups);
        let (batch, kv_head) = (rest / self.kv_heads, rest % self.kv_heads);
        let first = (kv_head * self.groups + group) * self.heads;
        Task { batch, kv_head, group, heads: first..first + self.heads, part, blocks: self.parts[part].clone() }
    }
}

/// The bias of each head by key, for a relative bias: entry `keys - 1 - distance` of its row, so that it runs with the keys; the
/// rest of a row is what vectors at the end of one read. Empty for another bias.
fn relative_rows(p: &Problem) -> Vec<f32> {
    let Bias::Relative { table, of_distance, .. } = p.bias else { return Vec::new() };
    let len = relative_len(p);
    let mut rows = vec![0.0; p.heads * len];
    for (head, row) in rows.chunks_exact_mut(len).enumerate() {
        for (x, &bucket) in row.iter_mut().zip(of_distance[..p.keys].iter().rev()) {
            *x = table[bucket as usize * p.heads + head];
        }
    }
    rows
}

/// The length of a row of [`relative_rows`]: a group's first query may be read up to the unit in which its last query stands.
fn relative_len(p: &Problem) -> usize {
    p.keys + ROWS + UNIT
}

/// How the scores of one head come from products.
#[derive(Clone, Copy)]
struct Shaping<'a, S: Simd> {
    cap: Option<(S::f32s, S::f32s)>,
    slope: Option<S::f32s>,
    relative: Option<&'a [f32]>,
    /// 0, 1, 2, ….
    count: S::f32s,
}

/// What the scores of one query depend on: its position and the first key it sees.
#[derive(Clone, Copy)]
struct Query {
    low: usize,
    position: usize,
    /// Where the bias of key 0 lies in the head's row of a relative bias.
    relative: usize,
}

impl Query {
    #[inline(always)]
    fn new(p: &Problem, batch: usize, query: usize) -> Query {
        let position = p.position(query);
        Query { low: p.low(batch, query), position, relative: p.keys - 1 - position }
    }
}

impl<'a, S: Simd> Shaping<'a, S> {
    #[inline(always)]
    fn new(simd: S, p: &Problem<'a>, relative: &'a [f32], head: usize) -> Self {
        let cap = p.soft_cap.map(|c| (simd.splat_f32s(c), simd.splat_f32s(1.0 / c)));
        let slope = if let Bias::Alibi(slopes) = p.bias { Some(simd.splat_f32s(-slopes[head])) } else { None };
        let len = relative_len(p);
        let relative = if relative.is_empty() { None } else { Some(&relative[head * len..][..len]) };
        let mut count = [0.0; 64];
        for (i, x) in count.iter_mut().enumerate() {
            *x = i as f32;
        }
        // SAFETY: no vector has more than 64 lanes.
        let count = unsafe { load(simd, count.as_ptr()) };
        Shaping { cap, slope, relative, count }
    }

    /// Whether scores are the products themselves.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.cap.is_none() && self.slope.is_none() && self.relative.is_none()
    }

    /// The scores of keys `key..` and, under a soft cap, their derivative by the product.
    ///
    /// # Safety
    /// `key` lies in the span of the query's group.
    #[inline(always)]
    unsafe fn score<const MASKED: bool>(&self, simd: S, query: &Query, key: usize, product: S::f32s) -> (S::f32s, Option<S::f32s>) {
        let (mut score, mut slope) = (product, None);
        if let Some((cap, inverse)) = self.cap {
            let t = simd::tanh(simd, simd.mul_f32s(score, inverse));
            score = simd.mul_f32s(cap, t);
            slope = Some(simd.negate_mul_add_e_f32s(t, t, simd.splat_f32s(1.0)));
        }
        let at = simd.add_f32s(self.count, simd.splat_f32s(key as f32));
        if let Some(slope) = self.slope {
            let distance = simd.sub_f32s(simd.splat_f32s(query.position as f32), at);
            score = simd.mul_add_e_f32s(slope, distance, score);
        }
        if let Some(relative) = self.relative {
            // SAFETY: the row is long enough for every key of a span, see `relative_len`.
            score = simd.add_f32s(score, unsafe { load(simd, relative.as_ptr().add(query.relative + key)) });
        }
        if MASKED {
            let after = simd.greater_than_f32s(at, simd.splat_f32s(query.position as f32));
            let before = simd.less_than_f32s(at, simd.splat_f32s(query.low as f32));
            let hidden = simd.splat_f32s(f32::NEG_INFINITY);
            score = simd.select_f32s(after, hidden, simd.select_f32s(before, hidden, score));
        }
        (score, slope)
    }
}

#[cfg(test)]
pub mod reference;
#[cfg(test)]
mod tests;
