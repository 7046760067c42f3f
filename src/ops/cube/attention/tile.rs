//! What the kernels do with tiles: load rows, multiply tiles, make scores.

use super::blueprint::{BiasKind, Blueprint, SIDE, Scoring, UNITS};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Below every score, and finite, so that differences with it are numbers.
pub const LOWEST: f32 = f32::MIN;
/// From here on the hyperbolic tangent is 1 in f32; drivers may overflow beyond.
const FLAT: f32 = 15.0;

/// Copies `count` rows of a head from `first` on into a tile, as f32, zeros where rows or columns end.
#[cube]
pub fn load<F: Float>(
    from: &Tensor<F>,
    batch: usize,
    head: usize,
    first: usize,
    to: &mut Shared<[f32]>,
    #[comptime] count: usize,
    #[comptime] blueprint: Blueprint,
) {
    let width = comptime!(blueprint.width());
    let pitch = comptime!(blueprint.pitch());
    let head_dim = comptime!(blueprint.head_dim);
    let rows = from.shape(2);
    let base = batch * from.stride(0) + head * from.stride(1);
    let stride = from.stride(2);
    let mut i = UNIT_POS as usize;
    while i < comptime!(count * width) {
        let row = i / width;
        let column = i % width;
        let mut value = 0.0f32;
        if first + row < rows && column < head_dim {
            value = f32::cast_from(from[base + (first + row) * stride + column]);
        }
        to[row * pitch + column] = value;
        i += UNITS;
    }
}

/// Products of rows of two tiles: element (m, n) is that of row `top + 8m` of `a` and row `left + 8n` of the `count` of `b`;
/// beyond these, of any.
#[cube]
pub fn products(
    a: &Shared<[f32]>,
    b: &Shared<[f32]>,
    top: usize,
    left: usize,
    out: &mut Array<f32>,
    #[comptime] m: usize,
    #[comptime] count: usize,
    #[comptime] blueprint: Blueprint,
) {
    let pitch = comptime!(blueprint.pitch());
    let n = comptime!(count.div_ceil(SIDE));
    #[unroll]
    for i in 0..comptime!(m * n) {
        out[i] = 0.0f32;
    }
    for column in 0..comptime!(blueprint.head_dim) {
        let mut rows = Array::<f32>::new(m);
        #[unroll]
        for i in 0..m {
            rows[i] = a[(top + i * SIDE) * pitch + column];
        }
        #[unroll]
        for j in 0..n {
            let mut row = left + j * SIDE;
            if comptime!(!count.is_multiple_of(SIDE)) {
                row = min(row, comptime!(count - 1));
            }
            let other = b[row * pitch + column];
            #[unroll]
            for i in 0..m {
                out[i * n + j] += rows[i] * other;
            }
        }
    }
}

/// Adds `weights · rows`: row `top + 8m` of the weights, column `left + 8n` of the rows, over `count` rows.
#[cube]
pub fn accumulate(
    weights: &Shared<[f32]>,
    rows: &Shared<[f32]>,
    top: usize,
    left: usize,
    out: &mut Array<f32>,
    #[comptime] m: usize,
    #[comptime] count: usize,
    #[comptime] blueprint: Blueprint,
) {
    let pitch = comptime!(blueprint.pitch());
    let columns = comptime!(blueprint.width() / SIDE);
    for k in 0..count {
        let mut own = Array::<f32>::new(m);
        #[unroll]
        for i in 0..m {
            own[i] = weights[(top + i * SIDE) * comptime!(count + 1) + k];
        }
        #[unroll]
        for j in 0..columns {
            let other = rows[k * pitch + left + j * SIDE];
            #[unroll]
            for i in 0..m {
                out[i * columns + j] += own[i] * other;
            }
        }
    }
}

/// The first key that the query at a position sees. `starts` are those of its sequence's documents from `base` on.
#[cube]
pub fn first_key(position: usize, base: usize, starts: &[u32], window: u32, #[comptime] scoring: Scoring) -> usize {
    let mut first = 0usize;
    if comptime!(scoring.documents) {
        first = usize::cast_from(starts[base + position]);
    }
    if comptime!(scoring.window) {
        let window = usize::cast_from(window);
        if position + 1 > window {
            first = max(first, position + 1 - window);
        }
    }
    min(first, position)
}

/// Queries, from the first to behind the last.
#[derive(CubeType, Clone, Copy)]
pub struct Span {
    /// The first.
    pub begin: usize,
    /// Behind the last.
    pub end: usize,
}

/// The queries that see some of the keys from `first` to before `end`: from the one that stands at the first key to the last
/// that looks back so far. The first key seen never falls from one query to the next.
#[cube]
pub fn queries_of(
    first: usize,
    end: usize,
    queries: usize,
    before: usize,
    base: usize,
    starts: &[u32],
    window: u32,
    #[comptime] scoring: Scoring,
) -> Span {
    let mut begin = 0usize;
    if first > before {
        begin = first - before;
    }
    let mut below = begin;
    let mut above = queries;
    while below < above {
        let middle = below + (above - below) / 2;
        if first_key(middle + before, base, starts, window, scoring) < end {
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    Span { begin, end: below }
}

/// A score before the softmax.
#[derive(CubeType, Clone, Copy)]
pub struct Score {
    /// The score.
    pub value: f32,
    /// Its derivative by scale · q·k.
    pub slope: f32,
}

/// The score of a product of query and key at a distance.
#[cube]
pub fn score(
    product: f32,
    distance: usize,
    head: usize,
    heads: usize,
    bias: &[f32],
    buckets: &[u32],
    scale: f32,
    soft_cap: f32,
    #[comptime] scoring: Scoring,
) -> Score {
    let mut value = product * scale;
    let mut slope = 1.0f32;
    if comptime!(scoring.soft_cap) {
        let level = clamp(value / soft_cap, -FLAT, FLAT).tanh();
        value = soft_cap * level;
        slope = 1.0f32 - level * level;
    }
    if comptime!(matches!(scoring.bias, BiasKind::Alibi)) {
        value -= bias[head] * f32::cast_from(distance);
    }
    if comptime!(matches!(scoring.bias, BiasKind::Relative)) {
        value += bias[usize::cast_from(buckets[distance]) * heads + head];
    }
    Score { value, slope }
}

/// Adds what a tile of score gradients gives to the gradient of each bucket. `dscores` has `rows` rows of `columns + 1`
/// elements, zero where nothing is seen; its first element stands at query position `position` and key `from`.
///
/// To be called by all units of a cube, which keep to their buckets from call to call; `tables` of the cube begins at `table`.
#[cube]
pub fn add_to_buckets(
    dscores: &Shared<[f32]>,
    diagonals: &mut Shared<[f32]>,
    buckets: &[u32],
    tables: &mut [f32],
    table: usize,
    bucket_count: usize,
    position: usize,
    from: usize,
    keys: usize,
    #[comptime] rows: usize,
    #[comptime] columns: usize,
    #[comptime] units: usize,
) {
    sync_cube();
    // A diagonal of the tile has one distance …
    let mut diagonal = UNIT_POS as usize;
    while diagonal < comptime!(rows + columns - 1) {
        let mut sum = 0.0f32;
        for row in 0..rows {
            if row + comptime!(columns - 1) >= diagonal {
                let column = row + comptime!(columns - 1) - diagonal;
                if column < columns {
                    sum += dscores[row * comptime!(columns + 1) + column];
                }
            }
        }
        diagonals[diagonal] = sum;
        diagonal += units;
    }
    sync_cube();
    // … and every bucket one unit.
    let mut bucket = UNIT_POS as usize;
    while bucket < bucket_count {
        let mut sum = 0.0f32;
        for diagonal in 0..comptime!(rows + columns - 1) {
            let shifted = position + diagonal;
            let last = from + comptime!(columns - 1);
            if shifted >= last && shifted - last < keys {
                if usize::cast_from(buckets[shifted - last]) == bucket {
                    sum += diagonals[diagonal];
                }
            }
        }
        tables[table + bucket] += sum;
        bucket += units;
    }
}
