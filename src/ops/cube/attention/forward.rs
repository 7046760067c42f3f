//! The forward pass on any GPU: a cube per tile of queries, which passes over the keys that they see.

use super::{
    blueprint::{Blueprint, SIDE},
    tile::{LOWEST, accumulate, first_key, load, products, score},
};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Output and log-sum of a tile of queries.
///
/// `q`, `out` are `[batch, heads, queries, head_dim]`, `k`, `v` `[batch, kv_heads, keys, head_dim]` with any strides but a
/// contiguous last dimension; `log_sum` is `[batch, heads, queries]`. Launched with a cube per query tile, head and sequence.
#[cube(launch, address_type = "dynamic")]
pub fn forward<F: Float>(
    q: &Tensor<F>,
    k: &Tensor<F>,
    v: &Tensor<F>,
    starts: &[u32],
    bias: &[f32],
    buckets: &[u32],
    out: &mut Tensor<F>,
    log_sum: &mut [f32],
    scale: f32,
    soft_cap: f32,
    window: u32,
    #[comptime] blueprint: Blueprint,
    #[define(F)] _dtype: ElemType,
) {
    let scoring = comptime!(blueprint.scoring);
    let rows = comptime!(blueprint.queries);
    let columns = comptime!(blueprint.keys);
    let m = comptime!(blueprint.queries / SIDE);
    let n = comptime!(blueprint.keys / SIDE);
    let parts = comptime!(blueprint.width() / SIDE);
    let pitch = comptime!(blueprint.pitch());
    let head_dim = comptime!(blueprint.head_dim);

    let (heads, queries, keys) = (q.shape(1), q.shape(2), k.shape(2));
    let before = keys - queries;
    // The longest rows first.
    let tile = CUBE_COUNT_X as usize - 1 - CUBE_POS_X as usize;
    let (head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let kv_head = head / (heads / k.shape(1));
    let first = tile * rows;
    let (top, left) = (UNIT_POS as usize / SIDE, UNIT_POS as usize % SIDE);

    let mut query_tile = Shared::<[f32]>::new_slice(comptime!(rows * pitch));
    let mut key_tile = Shared::<[f32]>::new_slice(comptime!(columns * pitch));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(rows * (columns + 1)));
    let mut maxima = Shared::<[f32]>::new_slice(comptime!(rows * SIDE));
    let mut sums = Shared::<[f32]>::new_slice(comptime!(rows * SIDE));

    let mut lows = Array::<usize>::new(m);
    let mut greatest = Array::<f32>::new(m);
    let mut total = Array::<f32>::new(m);
    let mut mixed = Array::<f32>::new(comptime!(m * parts));
    let mut scores = Array::<f32>::new(comptime!(m * n));
    #[unroll]
    for i in 0..m {
        let position = min(first + top + i * SIDE, queries - 1) + before;
        lows[i] = first_key(position, batch * keys, starts, window, scoring);
        greatest[i] = LOWEST;
        total[i] = 0.0f32;
    }
    #[unroll]
    for i in 0..comptime!(m * parts) {
        mixed[i] = 0.0f32;
    }

    load::<F>(q, batch, head, first, &mut query_tile, rows, blueprint);
    let end = min(first + rows, queries) + before;
    let mut from = first_key(first + before, batch * keys, starts, window, scoring) / columns * columns;
    while from < end {
        sync_cube();
        load::<F>(k, batch, kv_head, from, &mut key_tile, columns, blueprint);
        sync_cube();
        products(&query_tile, &key_tile, top, left, &mut scores, m, columns, blueprint);
        #[unroll]
        for i in 0..m {
            let row = top + i * SIDE;
            let position = first + row + before;
            let mut part = LOWEST.runtime();
            #[unroll]
            for j in 0..n {
                let key = from + left + j * SIDE;
                let mut value = LOWEST.runtime();
                if key >= lows[i] && key <= position && key < keys && first + row < queries {
                    value = score(scores[i * n + j], position - key, head, heads, bias, buckets, scale, soft_cap, scoring).value;
                }
                scores[i * n + j] = value;
                part = max(part, value);
            }
            maxima[row * SIDE + left] = part;
        }
        // Keys have been used and maxima are whole.
        sync_cube();
        load::<F>(v, batch, kv_head, from, &mut key_tile, columns, blueprint);
        #[unroll]
        for i in 0..m {
            let row = top + i * SIDE;
            let mut most = greatest[i];
            #[unroll]
            for part in 0..SIDE {
                most = max(most, maxima[row * SIDE + part]);
            }
            let shrink = (greatest[i] - most).exp();
            greatest[i] = most;
            total[i] *= shrink;
            #[unroll]
            for part in 0..parts {
                mixed[i * parts + part] *= shrink;
            }
            let mut sum = 0.0f32;
            #[unroll]
            for j in 0..n {
                let column = left + j * SIDE;
                let key = from + column;
                let mut weight = 0.0f32;
                if key >= lows[i] && key <= first + row + before && key < keys && first + row < queries {
                    weight = (scores[i * n + j] - most).exp();
                }
                weights[row * comptime!(columns + 1) + column] = weight;
                sum += weight;
            }
            sums[row * SIDE + left] = sum;
        }
        sync_cube();
        #[unroll]
        for i in 0..m {
            #[unroll]
            for part in 0..SIDE {
                total[i] += sums[(top + i * SIDE) * SIDE + part];
            }
        }
        accumulate(&weights, &key_tile, top, left, &mut mixed, m, columns, blueprint);
        from += columns;
    }

    let base = batch * out.stride(0) + head * out.stride(1);
    #[unroll]
    for i in 0..m {
        let query = first + top + i * SIDE;
        if query < queries {
            // A query that sees nothing has output 0.
            let mut inverse = 0.0f32;
            let mut level = LOWEST.runtime();
            if total[i] > 0.0f32 {
                inverse = 1.0f32 / total[i];
                level = greatest[i] + total[i].ln();
            }
            #[unroll]
            for part in 0..parts {
                let column = left + part * SIDE;
                if column < head_dim {
                    let at = base + query * out.stride(2) + column;
                    out[at] = F::cast_from(mixed[i * parts + part] * inverse);
                }
            }
            if left == 0 {
                log_sum[(batch * heads + head) * queries + query] = level;
            }
        }
    }
}
