//! The backward pass on tensor cores: a cube per 64 queries for their gradient, a cube per 64 keys for those of keys and values.

use super::{
    super::tile::{add_to_buckets, first_key, queries_of, score},
    Blueprint, LANES, ROWS, UNITS,
    fragment::{Chunk, Pair, accumulate, arrived_but_one, commit, exp_above, fetch, fetch_numbers, products, store},
};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The gradient of a tile of queries and what it adds to the gradient of each bucket; arguments as in the portable kernel.
#[cube(launch, address_type = "dynamic")]
pub fn query_gradients_mma<F: Float>(
    q: &Tensor<Chunk<F>>,
    k: &Tensor<Chunk<F>>,
    v: &Tensor<Chunk<F>>,
    dout: &Tensor<Chunk<F>>,
    starts: &[u32],
    bias: &[f32],
    buckets: &[u32],
    log_sum: &[f32],
    delta: &[f32],
    dq: &mut Tensor<Pair<F>>,
    tables: &mut [f32],
    scale: f32,
    soft_cap: f32,
    window: u32,
    bucket_count: u32,
    #[comptime] blueprint: Blueprint,
    #[define(F)] _dtype: ElemType,
) {
    let scoring = comptime!(blueprint.scoring);
    let relative = comptime!(blueprint.relative());
    let columns = comptime!(blueprint.columns);
    let tiles = comptime!(blueprint.columns / 8);
    let pitch = comptime!(blueprint.pitch());
    let parts = comptime!(blueprint.head_dim / 8);

    let (heads, queries, keys) = (q.shape(1), q.shape(2), k.shape(2));
    let before = keys - queries;
    let tile = CUBE_COUNT_X as usize - 1 - CUBE_POS_X as usize;
    let (head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let kv_head = head / (heads / k.shape(1));
    let first = tile * ROWS;
    let lane = UNIT_POS_PLANE as usize;
    let own = (UNIT_POS as usize / LANES) * 16;
    let (top, left) = (own + lane / 4, lane % 4 * 2);
    let count = usize::cast_from(bucket_count);
    let table = ((batch * heads + head) * CUBE_COUNT_X as usize + tile) * count;

    let mut query_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(ROWS * pitch), 16usize);
    let mut dout_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(ROWS * pitch), 16usize);
    let mut key_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(2 * columns * pitch), 16usize);
    let mut value_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(2 * columns * pitch), 16usize);
    // One element each where nothing reads them.
    let mut dscores = Shared::<[f32]>::new_slice(comptime!(if relative { ROWS * (columns + 1) } else { 1 }));
    let mut diagonals = Shared::<[f32]>::new_slice(comptime!(if relative { ROWS + columns } else { 1 }));

    let mut lows = Array::<usize>::new(2usize);
    let mut levels = Array::<f32>::new(2usize);
    let mut deltas = Array::<f32>::new(2usize);
    let mut gradient = Array::<Pair<f32>>::new(comptime!(2 * parts));
    let mut weights = Array::<Pair<f32>>::new(comptime!(2 * tiles));
    let mut dweights = Array::<Pair<f32>>::new(comptime!(2 * tiles));
    #[unroll]
    for half in 0..2usize {
        let query = min(first + top + half * 8, queries - 1);
        lows[half] = first_key(query + before, batch * keys, starts, window, scoring);
        levels[half] = log_sum[(batch * heads + head) * queries + query];
        deltas[half] = delta[(batch * heads + head) * queries + query];
    }
    #[unroll]
    for i in 0..comptime!(2 * parts) {
        gradient[i] = Vector::<f32, Const<2>>::new(0.0f32);
    }
    if comptime!(relative) {
        let mut bucket = UNIT_POS as usize;
        while bucket < count {
            tables[table + bucket] = 0.0f32;
            bucket += UNITS;
        }
    }

    // The first key that all rows of this plane see.
    let last = min(first + own + 15, queries - 1);
    let low = first_key(last + before, batch * keys, starts, window, scoring);
    let end = min(first + ROWS, queries) + before;
    let mut from = first_key(first + before, batch * keys, starts, window, scoring) / columns * columns;
    // Half of either tile is read while the other is filled.
    let mut half_tile = 0usize;
    fetch::<F>(q, batch, head, first, &mut query_tile, 0usize, ROWS, blueprint);
    fetch::<F>(dout, batch, head, first, &mut dout_tile, 0usize, ROWS, blueprint);
    fetch::<F>(k, batch, kv_head, from, &mut key_tile, half_tile, columns, blueprint);
    fetch::<F>(v, batch, kv_head, from, &mut value_tile, half_tile, columns, blueprint);
    commit();
    while from < end {
        if from + columns < end {
            fetch::<F>(k, batch, kv_head, from + columns, &mut key_tile, columns - half_tile, columns, blueprint);
            fetch::<F>(v, batch, kv_head, from + columns, &mut value_tile, columns - half_tile, columns, blueprint);
        }
        commit();
        arrived_but_one();
        products::<F>(&query_tile, &key_tile, own, half_tile, &mut weights, blueprint);
        products::<F>(&dout_tile, &value_tile, own, half_tile, &mut dweights, blueprint);
        // Whether every row of this plane sees every key of this tile.
        let whole = from >= low && from + columns <= first + own + before + 1 && first + own + 16 <= queries;
        #[unroll]
        for half in 0..2usize {
            let row = top + half * 8;
            let position = min(first + row, queries - 1) + before;
            #[unroll]
            for tile in 0..tiles {
                let mut values = weights[2 * tile + half];
                let mut dvalues = dweights[2 * tile + half];
                #[unroll]
                for i in 0..2usize {
                    // A key behind the query counts as at it, so that a table by distance is not left.
                    let key = from + tile * 8 + left + i;
                    let distance = max(position, key) - key;
                    let found = score(values.extract(i), distance, head, heads, bias, buckets, scale, soft_cap, scoring);
                    dvalues.insert(i, exp_above(found.value, levels[half]) * (dvalues.extract(i) - deltas[half]));
                    values.insert(i, found.slope);
                }
                weights[2 * tile + half] = values;
                dweights[2 * tile + half] = dvalues;
            }
            if !whole {
                let seen = first + row < queries;
                #[unroll]
                for tile in 0..tiles {
                    let mut dvalues = dweights[2 * tile + half];
                    #[unroll]
                    for i in 0..2usize {
                        let key = from + tile * 8 + left + i;
                        let seen = seen && key >= lows[half] && key <= position;
                        dvalues.insert(i, select(seen, dvalues.extract(i), 0.0f32.runtime()));
                    }
                    dweights[2 * tile + half] = dvalues;
                }
            }
            #[unroll]
            for tile in 0..tiles {
                if comptime!(relative) {
                    #[unroll]
                    for i in 0..2usize {
                        dscores[row * comptime!(columns + 1) + tile * 8 + left + i] = dweights[2 * tile + half].extract(i);
                    }
                }
                weights[2 * tile + half] *= dweights[2 * tile + half];
            }
        }
        if comptime!(relative) {
            let position = first + before;
            add_to_buckets(&dscores, &mut diagonals, buckets, tables, table, count, position, from, keys, ROWS, columns, UNITS);
        }
        accumulate::<F>(&weights, &key_tile, half_tile, &mut gradient, blueprint);
        sync_cube();
        half_tile = columns - half_tile;
        from += columns;
    }
    let mut factors = Array::<f32>::new(2usize);
    factors[0] = scale;
    factors[1] = scale;
    store::<F>(&gradient, &factors, dq, batch, head, first + own, blueprint);
}

/// The gradients of a tile of keys and of its values, over all query heads that read them; arguments as in the portable kernel.
/// Rows of the tiles of scores are keys here, columns queries.
#[cube(launch, address_type = "dynamic")]
pub fn key_gradients_mma<F: Float>(
    q: &Tensor<Chunk<F>>,
    k: &Tensor<Chunk<F>>,
    v: &Tensor<Chunk<F>>,
    dout: &Tensor<Chunk<F>>,
    starts: &[u32],
    bias: &[f32],
    buckets: &[u32],
    log_sum: &[f32],
    delta: &[f32],
    dk: &mut Tensor<Pair<F>>,
    dv: &mut Tensor<Pair<F>>,
    scale: f32,
    soft_cap: f32,
    window: u32,
    #[comptime] blueprint: Blueprint,
    #[define(F)] _dtype: ElemType,
) {
    let scoring = comptime!(blueprint.scoring);
    let columns = comptime!(blueprint.columns);
    let tiles = comptime!(blueprint.columns / 8);
    let pitch = comptime!(blueprint.pitch());
    let parts = comptime!(blueprint.head_dim / 8);

    let (heads, queries, keys) = (q.shape(1), q.shape(2), k.shape(2));
    let before = keys - queries;
    let (kv_head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let group = heads / k.shape(1);
    let first = CUBE_POS_X as usize * ROWS;
    let lane = UNIT_POS_PLANE as usize;
    let own = (UNIT_POS as usize / LANES) * 16;
    let (top, left) = (own + lane / 4, lane % 4 * 2);

    let mut key_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(ROWS * pitch), 16usize);
    let mut value_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(ROWS * pitch), 16usize);
    let mut query_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(2 * columns * pitch), 16usize);
    let mut dout_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(2 * columns * pitch), 16usize);

    let mut levels = Shared::<[f32]>::new_slice(comptime!(2 * columns));
    let mut deltas = Shared::<[f32]>::new_slice(comptime!(2 * columns));

    let mut key_gradient = Array::<Pair<f32>>::new(comptime!(2 * parts));
    let mut value_gradient = Array::<Pair<f32>>::new(comptime!(2 * parts));
    let mut weights = Array::<Pair<f32>>::new(comptime!(2 * tiles));
    let mut dscores = Array::<Pair<f32>>::new(comptime!(2 * tiles));
    #[unroll]
    for i in 0..comptime!(2 * parts) {
        key_gradient[i] = Vector::<f32, Const<2>>::new(0.0f32);
        value_gradient[i] = Vector::<f32, Const<2>>::new(0.0f32);
    }
    fetch::<F>(k, batch, kv_head, first, &mut key_tile, 0usize, ROWS, blueprint);
    fetch::<F>(v, batch, kv_head, first, &mut value_tile, 0usize, ROWS, blueprint);

    let seen = queries_of(first, min(first + ROWS, keys), queries, before, batch * keys, starts, window, scoring);
    for member in 0..group {
        let head = kv_head * group + member;
        let line = (batch * heads + head) * queries;
        let mut from = seen.begin / columns * columns;
        // Half of either tile is read while the other is filled.
        let mut half_tile = 0usize;
        fetch::<F>(q, batch, head, from, &mut query_tile, half_tile, columns, blueprint);
        fetch::<F>(dout, batch, head, from, &mut dout_tile, half_tile, columns, blueprint);
        fetch_numbers(log_sum, line + from, line + queries, &mut levels, half_tile, columns);
        fetch_numbers(delta, line + from, line + queries, &mut deltas, half_tile, columns);
        commit();
        while from < seen.end {
            let next = from + columns;
            if next < seen.end {
                let other = columns - half_tile;
                fetch::<F>(q, batch, head, next, &mut query_tile, other, columns, blueprint);
                fetch::<F>(dout, batch, head, next, &mut dout_tile, other, columns, blueprint);
                fetch_numbers(log_sum, line + next, line + queries, &mut levels, other, columns);
                fetch_numbers(delta, line + next, line + queries, &mut deltas, other, columns);
            }
            commit();
            arrived_but_one();
            products::<F>(&key_tile, &query_tile, own, half_tile, &mut weights, blueprint);
            products::<F>(&value_tile, &dout_tile, own, half_tile, &mut dscores, blueprint);
            // Whether every query of this tile sees every key of this plane.
            let last = min(from + columns, queries) - 1;
            let low = first_key(last + before, batch * keys, starts, window, scoring);
            let whole = first + own >= low && first + own + 15 <= from + before && first + own + 16 <= keys && from + columns <= queries;
            #[unroll]
            for tile in 0..tiles {
                #[unroll]
                for i in 0..2usize {
                    let column = tile * 8 + left + i;
                    let position = min(from + column, queries - 1) + before;
                    let level = levels[half_tile + column];
                    let own_delta = deltas[half_tile + column];
                    #[unroll]
                    for half in 0..2usize {
                        let key = first + top + half * 8;
                        let mut values = weights[2 * tile + half];
                        let mut dvalues = dscores[2 * tile + half];
                        let distance = max(position, key) - key;
                        let found = score(values.extract(i), distance, head, heads, bias, buckets, scale, soft_cap, scoring);
                        let weight = exp_above(found.value, level);
                        values.insert(i, weight);
                        dvalues.insert(i, weight * (dvalues.extract(i) - own_delta) * found.slope);
                        weights[2 * tile + half] = values;
                        dscores[2 * tile + half] = dvalues;
                    }
                }
            }
            if !whole {
                #[unroll]
                for tile in 0..tiles {
                    #[unroll]
                    for i in 0..2usize {
                        let query = from + tile * 8 + left + i;
                        let position = min(query, queries - 1) + before;
                        let low = first_key(position, batch * keys, starts, window, scoring);
                        #[unroll]
                        for half in 0..2usize {
                            let key = first + top + half * 8;
                            let seen = key >= low && key <= position && key < keys && query < queries;
                            let mut values = weights[2 * tile + half];
                            let mut dvalues = dscores[2 * tile + half];
                            values.insert(i, select(seen, values.extract(i), 0.0f32.runtime()));
                            dvalues.insert(i, select(seen, dvalues.extract(i), 0.0f32.runtime()));
                            weights[2 * tile + half] = values;
                            dscores[2 * tile + half] = dvalues;
                        }
                    }
                }
            }
            accumulate::<F>(&weights, &dout_tile, half_tile, &mut value_gradient, blueprint);
            accumulate::<F>(&dscores, &query_tile, half_tile, &mut key_gradient, blueprint);
            sync_cube();
            half_tile = columns - half_tile;
            from = next;
        }
    }
    let mut factors = Array::<f32>::new(2usize);
    factors[0] = scale;
    factors[1] = scale;
    store::<F>(&key_gradient, &factors, dk, batch, kv_head, first + own, blueprint);
    factors[0] = 1.0f32;
    factors[1] = 1.0f32;
    store::<F>(&value_gradient, &factors, dv, batch, kv_head, first + own, blueprint);
}
