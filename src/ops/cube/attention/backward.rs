//! The backward pass on any GPU: probabilities are made again tile by tile, every element of a gradient has one owner, and
//! sums run in a fixed order.

use super::{
    blueprint::{BiasKind, Blueprint, SIDE, UNITS},
    tile::{accumulate, add_to_buckets, first_key, load, products, queries_of, score},
};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Rows of a cube of [`deltas`].
pub const DELTA_ROWS: usize = SIDE;

/// The product of each row of the output with its gradient, `[batch, heads, queries]`; launched with a cube per
/// [`DELTA_ROWS`] queries, head and sequence.
#[cube(launch, address_type = "dynamic")]
pub fn deltas<F: Float>(out: &Tensor<F>, dout: &Tensor<F>, delta: &mut [f32], #[comptime] head_dim: usize, #[define(F)] _dtype: ElemType) {
    let (heads, queries) = (out.shape(1), out.shape(2));
    let (head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let (row, lane) = (UNIT_POS as usize / SIDE, UNIT_POS as usize % SIDE);
    let query = CUBE_POS_X as usize * DELTA_ROWS + row;
    let mut parts = Shared::<[f32]>::new_slice(UNITS);
    let mut sum = 0.0f32;
    if query < queries {
        let a = batch * out.stride(0) + head * out.stride(1) + query * out.stride(2);
        let b = batch * dout.stride(0) + head * dout.stride(1) + query * dout.stride(2);
        let mut column = lane;
        while column < head_dim {
            sum += f32::cast_from(out[a + column]) * f32::cast_from(dout[b + column]);
            column += SIDE;
        }
    }
    parts[row * SIDE + lane] = sum;
    sync_cube();
    if lane == 0 && query < queries {
        let mut total = 0.0f32;
        #[unroll]
        for i in 0..SIDE {
            total += parts[row * SIDE + i];
        }
        delta[(batch * heads + head) * queries + query] = total;
    }
}

/// The gradient of a tile of queries and, for a relative bias, what the tile adds to the gradient of each bucket.
///
/// Layouts as in the forward pass; `delta` is that of [`deltas`], `tables` `[batch, heads, tiles, bucket_count]`.
/// Launched with a cube per query tile, head and sequence.
#[cube(launch, address_type = "dynamic")]
pub fn query_gradients<F: Float>(
    q: &Tensor<F>,
    k: &Tensor<F>,
    v: &Tensor<F>,
    dout: &Tensor<F>,
    starts: &[u32],
    bias: &[f32],
    buckets: &[u32],
    log_sum: &[f32],
    delta: &[f32],
    dq: &mut Tensor<F>,
    tables: &mut [f32],
    scale: f32,
    soft_cap: f32,
    window: u32,
    bucket_count: u32,
    #[comptime] blueprint: Blueprint,
    #[define(F)] _dtype: ElemType,
) {
    let scoring = comptime!(blueprint.scoring);
    let relative = comptime!(matches!(blueprint.scoring.bias, BiasKind::Relative));
    let rows = comptime!(blueprint.queries);
    let columns = comptime!(blueprint.keys);
    let m = comptime!(blueprint.queries / SIDE);
    let n = comptime!(blueprint.keys / SIDE);
    let parts = comptime!(blueprint.width() / SIDE);
    let pitch = comptime!(blueprint.pitch());
    let head_dim = comptime!(blueprint.head_dim);

    let (heads, queries, keys) = (q.shape(1), q.shape(2), k.shape(2));
    let before = keys - queries;
    let tile = CUBE_COUNT_X as usize - 1 - CUBE_POS_X as usize;
    let (head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let kv_head = head / (heads / k.shape(1));
    let first = tile * rows;
    let unit = UNIT_POS as usize;
    let (top, left) = (unit / SIDE, unit % SIDE);
    let count = usize::cast_from(bucket_count);
    let table = ((batch * heads + head) * CUBE_COUNT_X as usize + tile) * count;

    let mut query_tile = Shared::<[f32]>::new_slice(comptime!(rows * pitch));
    let mut dout_tile = Shared::<[f32]>::new_slice(comptime!(rows * pitch));
    let mut key_tile = Shared::<[f32]>::new_slice(comptime!(columns * pitch));
    let mut dscores = Shared::<[f32]>::new_slice(comptime!(rows * (columns + 1)));
    let mut diagonals = Shared::<[f32]>::new_slice(comptime!(rows + columns));

    let mut lows = Array::<usize>::new(m);
    let mut levels = Array::<f32>::new(m);
    let mut deltas = Array::<f32>::new(m);
    let mut gradient = Array::<f32>::new(comptime!(m * parts));
    let mut scores = Array::<f32>::new(comptime!(m * n));
    let mut dweights = Array::<f32>::new(comptime!(m * n));
    #[unroll]
    for i in 0..m {
        let query = min(first + top + i * SIDE, queries - 1);
        lows[i] = first_key(query + before, batch * keys, starts, window, scoring);
        levels[i] = log_sum[(batch * heads + head) * queries + query];
        deltas[i] = delta[(batch * heads + head) * queries + query];
    }
    #[unroll]
    for i in 0..comptime!(m * parts) {
        gradient[i] = 0.0f32;
    }
    if comptime!(relative) {
        let mut bucket = unit;
        while bucket < count {
            tables[table + bucket] = 0.0f32;
            bucket += UNITS;
        }
    }

    load::<F>(q, batch, head, first, &mut query_tile, rows, blueprint);
    load::<F>(dout, batch, head, first, &mut dout_tile, rows, blueprint);
    let end = min(first + rows, queries) + before;
    let mut from = first_key(first + before, batch * keys, starts, window, scoring) / columns * columns;
    while from < end {
        sync_cube();
        load::<F>(v, batch, kv_head, from, &mut key_tile, columns, blueprint);
        sync_cube();
        products(&dout_tile, &key_tile, top, left, &mut dweights, m, columns, blueprint);
        sync_cube();
        load::<F>(k, batch, kv_head, from, &mut key_tile, columns, blueprint);
        sync_cube();
        products(&query_tile, &key_tile, top, left, &mut scores, m, columns, blueprint);
        // From products to gradients of scores, by the score and by scale · q·k.
        #[unroll]
        for i in 0..m {
            let row = top + i * SIDE;
            let position = first + row + before;
            #[unroll]
            for j in 0..n {
                let column = left + j * SIDE;
                let key = from + column;
                let mut dscore = 0.0f32;
                let mut slope = 0.0f32;
                if key >= lows[i] && key <= position && key < keys && first + row < queries {
                    let found = score(scores[i * n + j], position - key, head, heads, bias, buckets, scale, soft_cap, scoring);
                    dscore = (found.value - levels[i]).exp() * (dweights[i * n + j] - deltas[i]);
                    slope = found.slope;
                }
                scores[i * n + j] = dscore * slope;
                if comptime!(relative) {
                    dscores[row * comptime!(columns + 1) + column] = dscore;
                }
            }
        }
        if comptime!(relative) {
            add_to_buckets(&dscores, &mut diagonals, buckets, tables, table, count, first + before, from, keys, rows, columns, UNITS);
        }
        #[unroll]
        for i in 0..m {
            #[unroll]
            for j in 0..n {
                dscores[(top + i * SIDE) * comptime!(columns + 1) + left + j * SIDE] = scores[i * n + j];
            }
        }
        sync_cube();
        accumulate(&dscores, &key_tile, top, left, &mut gradient, m, columns, blueprint);
        from += columns;
    }

    let base = batch * dq.stride(0) + head * dq.stride(1);
    #[unroll]
    for i in 0..m {
        let query = first + top + i * SIDE;
        if query < queries {
            #[unroll]
            for part in 0..parts {
                let column = left + part * SIDE;
                if column < head_dim {
                    let at = base + query * dq.stride(2) + column;
                    dq[at] = F::cast_from(gradient[i * parts + part] * scale);
                }
            }
        }
    }
}

/// The gradients of a tile of keys and of its values, over all query heads that read them.
///
/// Layouts as in [`query_gradients`]. Launched with a cube per key tile, kv head and sequence.
#[cube(launch, address_type = "dynamic")]
pub fn key_gradients<F: Float>(
    q: &Tensor<F>,
    k: &Tensor<F>,
    v: &Tensor<F>,
    dout: &Tensor<F>,
    starts: &[u32],
    bias: &[f32],
    buckets: &[u32],
    log_sum: &[f32],
    delta: &[f32],
    dk: &mut Tensor<F>,
    dv: &mut Tensor<F>,
    scale: f32,
    soft_cap: f32,
    window: u32,
    #[comptime] blueprint: Blueprint,
    #[define(F)] _dtype: ElemType,
) {
    let scoring = comptime!(blueprint.scoring);
    // Here the rows of a tile are keys and its columns queries.
    let rows = comptime!(blueprint.keys);
    let columns = comptime!(blueprint.queries);
    let m = comptime!(blueprint.keys / SIDE);
    let n = comptime!(blueprint.queries.div_ceil(SIDE));
    let parts = comptime!(blueprint.width() / SIDE);
    let pitch = comptime!(blueprint.pitch());
    let head_dim = comptime!(blueprint.head_dim);

    let (heads, queries, keys) = (q.shape(1), q.shape(2), k.shape(2));
    let before = keys - queries;
    let (kv_head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let group = heads / k.shape(1);
    let first = CUBE_POS_X as usize * rows;
    let (top, left) = (UNIT_POS as usize / SIDE, UNIT_POS as usize % SIDE);

    let mut key_tile = Shared::<[f32]>::new_slice(comptime!(rows * pitch));
    let mut value_tile = Shared::<[f32]>::new_slice(comptime!(rows * pitch));
    let mut query_tile = Shared::<[f32]>::new_slice(comptime!(columns * pitch));
    let mut dout_tile = Shared::<[f32]>::new_slice(comptime!(columns * pitch));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(rows * (columns + 1)));
    let mut dscores = Shared::<[f32]>::new_slice(comptime!(rows * (columns + 1)));

    let mut key_gradient = Array::<f32>::new(comptime!(m * parts));
    let mut value_gradient = Array::<f32>::new(comptime!(m * parts));
    let mut scores = Array::<f32>::new(comptime!(m * n));
    let mut dweights = Array::<f32>::new(comptime!(m * n));
    #[unroll]
    for i in 0..comptime!(m * parts) {
        key_gradient[i] = 0.0f32;
        value_gradient[i] = 0.0f32;
    }
    load::<F>(k, batch, kv_head, first, &mut key_tile, rows, blueprint);
    load::<F>(v, batch, kv_head, first, &mut value_tile, rows, blueprint);

    let seen = queries_of(first, min(first + rows, keys), queries, before, batch * keys, starts, window, scoring);
    for member in 0..group {
        let head = kv_head * group + member;
        let line = (batch * heads + head) * queries;
        let mut from = seen.begin / columns * columns;
        while from < seen.end {
            sync_cube();
            load::<F>(q, batch, head, from, &mut query_tile, columns, blueprint);
            load::<F>(dout, batch, head, from, &mut dout_tile, columns, blueprint);
            sync_cube();
            products(&key_tile, &query_tile, top, left, &mut scores, m, columns, blueprint);
            products(&value_tile, &dout_tile, top, left, &mut dweights, m, columns, blueprint);
            #[unroll]
            for j in 0..n {
                let column = left + j * SIDE;
                let query = from + column;
                if column < columns {
                    let known = min(query, queries - 1);
                    let position = known + before;
                    let low = first_key(position, batch * keys, starts, window, scoring);
                    let level = log_sum[line + known];
                    let own_delta = delta[line + known];
                    #[unroll]
                    for i in 0..m {
                        let row = top + i * SIDE;
                        let key = first + row;
                        let mut weight = 0.0f32;
                        let mut dscore = 0.0f32;
                        if key >= low && key <= position && key < keys && query < queries {
                            let found = score(scores[i * n + j], position - key, head, heads, bias, buckets, scale, soft_cap, scoring);
                            weight = (found.value - level).exp();
                            dscore = weight * (dweights[i * n + j] - own_delta) * found.slope;
                        }
                        weights[row * comptime!(columns + 1) + column] = weight;
                        dscores[row * comptime!(columns + 1) + column] = dscore;
                    }
                }
            }
            sync_cube();
            accumulate(&weights, &dout_tile, top, left, &mut value_gradient, m, columns, blueprint);
            accumulate(&dscores, &query_tile, top, left, &mut key_gradient, m, columns, blueprint);
            from += columns;
        }
    }

    let key_base = batch * dk.stride(0) + kv_head * dk.stride(1);
    let value_base = batch * dv.stride(0) + kv_head * dv.stride(1);
    #[unroll]
    for i in 0..m {
        let key = first + top + i * SIDE;
        if key < keys {
            #[unroll]
            for part in 0..parts {
                let column = left + part * SIDE;
                if column < head_dim {
                    let (dk_at, dv_at) = (key_base + key * dk.stride(2) + column, value_base + key * dv.stride(2) + column);
                    dk[dk_at] = F::cast_from(key_gradient[i * parts + part] * scale);
                    dv[dv_at] = F::cast_from(value_gradient[i * parts + part]);
                }
            }
        }
    }
}

/// The gradient of the table `[buckets, heads]` from what each sequence and tile adds, `[batch, heads, tiles, buckets]`, in
/// their order; a unit per element.
#[cube(launch)]
pub fn sum_tables(tables: &[f32], table: &mut [f32], batch: u32, heads: u32, tiles: u32, buckets: u32) {
    let (heads, tiles, buckets) = (usize::cast_from(heads), usize::cast_from(tiles), usize::cast_from(buckets));
    if ABSOLUTE_POS < heads * buckets {
        let (bucket, head) = (ABSOLUTE_POS / heads, ABSOLUTE_POS % heads);
        let mut sum = 0.0f32;
        for b in 0..usize::cast_from(batch) {
            for tile in 0..tiles {
                sum += tables[((b * heads + head) * tiles + tile) * buckets + bucket];
            }
        }
        table[ABSOLUTE_POS] = sum;
    }
}
