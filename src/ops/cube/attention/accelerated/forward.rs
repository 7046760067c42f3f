//! The forward pass on tensor cores: a cube per 64 queries.

use super::{
    super::tile::{LOWEST, first_key, score},
    Blueprint, LANES, ROWS,
    fragment::{Chunk, Pair, accumulate, arrived, commit, exp, exp_above, fetch, products, row_max, row_sum, store},
};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Output and log-sum of a tile of queries; arguments as in the portable kernel.
#[cube(launch, address_type = "dynamic")]
pub fn forward_mma<F: Float>(
    q: &Tensor<Chunk<F>>,
    k: &Tensor<Chunk<F>>,
    v: &Tensor<Chunk<F>>,
    starts: &[u32],
    bias: &[f32],
    buckets: &[u32],
    out: &mut Tensor<Pair<F>>,
    log_sum: &mut [f32],
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
    let tile = CUBE_COUNT_X as usize - 1 - CUBE_POS_X as usize;
    let (head, batch) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let kv_head = head / (heads / k.shape(1));
    let first = tile * ROWS;
    let lane = UNIT_POS_PLANE as usize;
    let own = (UNIT_POS as usize / LANES) * 16;
    let (top, left) = (own + lane / 4, lane % 4 * 2);

    let mut query_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(ROWS * pitch), 16usize);
    let mut key_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(columns * pitch), 16usize);
    let mut value_tile = Shared::<[Chunk<F>]>::new_aligned_slice(comptime!(columns * pitch), 16usize);

    let mut lows = Array::<usize>::new(2usize);
    let mut greatest = Array::<f32>::new(2usize);
    let mut total = Array::<f32>::new(2usize);
    let mut mixed = Array::<Pair<f32>>::new(comptime!(2 * parts));
    let mut weights = Array::<Pair<f32>>::new(comptime!(2 * tiles));
    #[unroll]
    for half in 0..2usize {
        let position = min(first + top + half * 8, queries - 1) + before;
        lows[half] = first_key(position, batch * keys, starts, window, scoring);
        greatest[half] = LOWEST;
        total[half] = 0.0f32;
    }
    #[unroll]
    for i in 0..comptime!(2 * parts) {
        mixed[i] = Vector::<f32, Const<2>>::new(0.0f32);
    }

    // The first key that all rows of this plane see.
    let last = min(first + own + 15, queries - 1);
    let low = first_key(last + before, batch * keys, starts, window, scoring);
    let end = min(first + ROWS, queries) + before;
    let mut from = first_key(first + before, batch * keys, starts, window, scoring) / columns * columns;
    // Values arrive while scores are made, the next keys while values are mixed (Dao 2023).
    fetch::<F>(q, batch, head, first, &mut query_tile, 0usize, ROWS, blueprint);
    fetch::<F>(k, batch, kv_head, from, &mut key_tile, 0usize, columns, blueprint);
    commit();
    while from < end {
        arrived();
        fetch::<F>(v, batch, kv_head, from, &mut value_tile, 0usize, columns, blueprint);
        commit();
        products::<F>(&query_tile, &key_tile, own, 0usize, &mut weights, blueprint);
        // Whether every row of this plane sees every key of this tile.
        let whole = from >= low && from + columns <= first + own + before + 1 && first + own + 16 <= queries;
        #[unroll]
        for half in 0..2usize {
            let position = min(first + top + half * 8, queries - 1) + before;
            #[unroll]
            for tile in 0..tiles {
                let mut values = weights[2 * tile + half];
                #[unroll]
                for i in 0..2usize {
                    // A key behind the query counts as at it, so that a table by distance is not left.
                    let key = from + tile * 8 + left + i;
                    let distance = max(position, key) - key;
                    values.insert(i, score(values.extract(i), distance, head, heads, bias, buckets, scale, soft_cap, scoring).value);
                }
                weights[2 * tile + half] = values;
            }
            if !whole {
                let seen = first + top + half * 8 < queries;
                #[unroll]
                for tile in 0..tiles {
                    let mut values = weights[2 * tile + half];
                    #[unroll]
                    for i in 0..2usize {
                        let key = from + tile * 8 + left + i;
                        let seen = seen && key >= lows[half] && key <= position;
                        values.insert(i, select(seen, values.extract(i), LOWEST.runtime()));
                    }
                    weights[2 * tile + half] = values;
                }
            }
            let mut most = LOWEST.runtime();
            #[unroll]
            for tile in 0..tiles {
                let values = weights[2 * tile + half];
                most = max(most, max(values.extract(0usize), values.extract(1usize)));
            }
            let most = max(greatest[half], row_max(most));
            // Both may be the lowest number, whose multiples are none.
            let shrink = exp(greatest[half] - most);
            greatest[half] = most;
            #[unroll]
            for part in 0..parts {
                mixed[2 * part + half] *= Vector::<f32, Const<2>>::new(shrink);
            }
            // Far above what is not seen, so that its weight is 0 even where nothing is seen.
            let level = max(most, comptime!(LOWEST / 4.0));
            let mut sum = 0.0f32;
            #[unroll]
            for tile in 0..tiles {
                let mut values = weights[2 * tile + half];
                #[unroll]
                for i in 0..2usize {
                    let weight = exp_above(values.extract(i), level);
                    values.insert(i, weight);
                    sum += weight;
                }
                weights[2 * tile + half] = values;
            }
            total[half] = total[half] * shrink + row_sum(sum);
        }
        arrived();
        from += columns;
        if from < end {
            fetch::<F>(k, batch, kv_head, from, &mut key_tile, 0usize, columns, blueprint);
        }
        commit();
        accumulate::<F>(&weights, &value_tile, 0usize, &mut mixed, blueprint);
    }

    let mut factors = Array::<f32>::new(2usize);
    #[unroll]
    for half in 0..2usize {
        let query = first + top + half * 8;
        // A query that sees nothing has output 0.
        let mut inverse = 0.0f32;
        let mut level = LOWEST.runtime();
        if total[half] > 0.0f32 {
            inverse = 1.0f32 / total[half];
            level = greatest[half] + total[half].ln();
        }
        factors[half] = inverse;
        if left == 0 && query < queries {
            log_sum[(batch * heads + head) * queries + query] = level;
        }
    }
    store::<F>(&mixed, &factors, out, batch, head, first + own, blueprint);
}
