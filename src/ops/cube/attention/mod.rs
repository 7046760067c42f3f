//! Attention of three products and a kernel per row of scores, which are in memory all at once.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    reduce::{max_over_cube, sum_over_cube},
    tensor::{arg, count, dense, dims, elem, grid, matmul, per_element, reshape, room, statistic, swap, units},
};
use crate::ops::{
    activations::Activations,
    fused::attention::{Added, Attention},
    operator::{Keeps, Kept, Kernels},
    relative_bucket::relative_bucket,
};
use burn::{
    backend::{Flex, fusion::custom::TensorSpec, ops::IntTensorOps},
    tensor::{DType, IntDType},
};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    kernel::cast,
    tensor::CubeTensor,
};

const NOTHING: u8 = 0;
const SLOPES: u8 = 1;
const TABLE: u8 = 2;

/// A score before what is added, from a product.
#[cube]
fn capped(product: f32, scale: f32, cap: f32, #[comptime] has_cap: bool) -> f32 {
    let mut score = product * scale;
    if comptime!(has_cap) {
        score = cap * f32::tanh(clamp(score / cap, -10.0f32, 10.0f32));
    }
    score
}

/// What is added to the score of a pair at this distance. `numbers` are slopes per head, or a number per distance and head.
#[cube]
fn added(numbers: &[f32], head: usize, distance: usize, #[comptime] heads: usize, #[comptime] kind: u8) -> f32 {
    let mut sum = 0.0f32;
    if comptime!(kind == SLOPES) {
        sum = -numbers[head] * (distance as f32);
    } else if comptime!(kind == TABLE) {
        sum = numbers[distance * heads + head];
    }
    sum
}

/// One cube per row of `[batch, heads, queries, keys]`.
#[cube(launch)]
fn softmax<F: Float>(
    products: &[F],
    numbers: &[f32],
    starts: &[i32],
    weights: &mut [F],
    log_sum: &mut [f32],
    rows: usize,
    queries: usize,
    keys: usize,
    window: usize,
    scale: f32,
    cap: f32,
    #[comptime] heads: usize,
    #[comptime] has_cap: bool,
    #[comptime] has_starts: bool,
    #[comptime] kind: u8,
    #[comptime] units: usize,
    #[define(F)] _elem: ElemType,
) {
    // Cubes beyond the last row do it once more: a barrier must be met by all units.
    let row = min(CUBE_POS, rows - 1);
    let unit = UNIT_POS as usize;
    let start = row * keys;
    let position = row % queries + keys - queries;
    let head = row / queries % heads;
    let end = position + 1;
    let mut first = end - min(window, end);
    if comptime!(has_starts) {
        let entry = row / queries / heads;
        first = max(first, starts[entry * keys + position] as usize);
    }
    let mut top = comptime!(f32::MIN).runtime();
    let mut key = first + unit;
    while key < end {
        let score = capped(f32::cast_from(products[start + key]), scale, cap, has_cap);
        top = max(top, score + added(numbers, head, position - key, heads, kind));
        key += units;
    }
    let top = max_over_cube(top, units);
    let mut sum = 0.0f32;
    let mut key = first + unit;
    while key < end {
        let score = capped(f32::cast_from(products[start + key]), scale, cap, has_cap);
        sum += f32::exp(score + added(numbers, head, position - key, heads, kind) - top);
        key += units;
    }
    let log = top + f32::ln(sum_over_cube(sum, units));
    if unit == 0 {
        log_sum[row] = log;
    }
    let mut key = unit;
    while key < keys {
        let mut weight = 0.0f32;
        if key >= first && key < end {
            let score = capped(f32::cast_from(products[start + key]), scale, cap, has_cap);
            weight = f32::exp(score + added(numbers, head, position - key, heads, kind) - log);
        }
        weights[start + key] = F::cast_from(weight);
        key += units;
    }
}

/// From the gradient of the weights to that of the scores, and through cap and scale to that of the products.
#[cube(launch)]
fn softmax_backward<F: Float>(
    products: &[F],
    weights: &[F],
    dweights: &[F],
    dscores: &mut [f32],
    dproducts: &mut [F],
    rows: usize,
    keys: usize,
    scale: f32,
    cap: f32,
    #[comptime] has_cap: bool,
    #[comptime] units: usize,
    #[define(F)] _elem: ElemType,
) {
    let row = min(CUBE_POS, rows - 1);
    let unit = UNIT_POS as usize;
    let start = row * keys;
    let mut along = 0.0f32;
    let mut key = unit;
    while key < keys {
        along += f32::cast_from(weights[start + key]) * f32::cast_from(dweights[start + key]);
        key += units;
    }
    let along = sum_over_cube(along, units);
    let mut key = unit;
    while key < keys {
        let slope = f32::cast_from(weights[start + key]) * (f32::cast_from(dweights[start + key]) - along);
        dscores[start + key] = slope;
        let mut bend = scale;
        if comptime!(has_cap) {
            let share = capped(f32::cast_from(products[start + key]), scale, cap, has_cap) / cap;
            bend *= 1.0f32 - share * share;
        }
        dproducts[start + key] = F::cast_from(slope * bend);
        key += units;
    }
}

/// `[batch, heads, queries, keys]` added up by distance: `[keys, heads]`.
#[cube(launch)]
fn by_distance(dscores: &[f32], sums: &mut [f32], batch: usize, queries: usize, keys: usize, #[comptime] heads: usize) {
    if ABSOLUTE_POS < keys * heads {
        let distance = ABSOLUTE_POS / heads;
        let head = ABSOLUTE_POS % heads;
        let mut sum = 0.0f32;
        for entry in 0..batch {
            for query in 0..queries {
                let position = query + keys - queries;
                if distance <= position {
                    sum += dscores[((entry * heads + head) * queries + query) * keys + position - distance];
                }
            }
        }
        sums[ABSOLUTE_POS] = sum;
    }
}

/// `[keys, heads]` added up by the bucket of the distance: `[buckets, heads]`.
#[cube(launch)]
fn by_bucket(of_distance: &[f32], bucket_of: &[i32], sums: &mut [f32], buckets: usize, keys: usize, #[comptime] heads: usize) {
    if ABSOLUTE_POS < buckets * heads {
        let bucket = (ABSOLUTE_POS / heads) as i32;
        let mut sum = 0.0f32;
        for distance in 0..keys {
            if bucket_of[distance] == bucket {
                sum += of_distance[distance * heads + ABSOLUTE_POS % heads];
            }
        }
        sums[ABSOLUTE_POS] = sum;
    }
}

/// `[buckets, heads]` by distance: `[keys, heads]`.
#[cube(launch)]
fn spread<F: Float>(
    table: &[F],
    bucket_of: &[i32],
    numbers: &mut [f32],
    keys: usize,
    #[comptime] heads: usize,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < keys * heads {
        let bucket = bucket_of[ABSOLUTE_POS / heads] as usize;
        numbers[ABSOLUTE_POS] = f32::cast_from(table[bucket * heads + ABSOLUTE_POS % heads]);
    }
}

/// Sizes, and the operands brought together: the queries of the heads that share a head of keys are one matrix.
struct Problem {
    batch: usize,
    heads: usize,
    kv_heads: usize,
    queries: usize,
    keys: usize,
    kind: u8,
    numbers: CubeTensor,
    starts: Option<CubeTensor>,
    bucket_of: Option<CubeTensor>,
}

impl Problem {
    fn new(attention: &Attention, inputs: &[CubeTensor], starts: Option<CubeTensor>) -> Self {
        let (q, k) = (&inputs[0], &inputs[1]);
        let ([batch, heads, queries, _], [_, kv_heads, keys, _]) = (dims(q), dims(k));
        let upload = |bytes: &[u8], count: usize, dtype| {
            let handle = q.client.create_from_slice(bytes);
            CubeTensor::new_contiguous(q.client.clone(), q.device.clone(), [count].into(), handle, dtype)
        };
        let (kind, numbers, bucket_of) = match &attention.added {
            Added::Nothing => (NOTHING, upload(f32::as_bytes(&[0.0]), 1, DType::F32), None),
            Added::Slopes(slopes) => (SLOPES, upload(f32::as_bytes(slopes), slopes.len(), DType::F32), None),
            Added::Table { max_distance } => {
                let table = dense(&inputs[3]);
                let [buckets, _] = dims(&table);
                let ids: Vec<i32> = (0..keys).map(|distance| relative_bucket(distance, buckets, *max_distance) as i32).collect();
                let bucket_of = upload(i32::as_bytes(&ids), keys, DType::I32);
                let numbers = room(&table, [keys, heads], DType::F32);
                let (grid, units) = per_element(keys * heads);
                spread::launch(&q.client, grid, units, arg(&table), arg(&bucket_of), arg(&numbers), keys, heads, elem(&table));
                (TABLE, numbers, Some(bucket_of))
            }
        };
        let starts = starts.map(|starts| dense(&CubeBackend::int_cast(starts, IntDType::I32)));
        Self { batch, heads, kv_heads, queries, keys, kind, numbers, starts, bucket_of }
    }

    fn rows(&self) -> usize {
        self.batch * self.heads * self.queries
    }

    /// `[batch, heads, queries, n]` as `[batch, kv_heads, heads / kv_heads · queries, n]`.
    fn grouped(&self, x: &CubeTensor) -> CubeTensor {
        let [_, _, _, n] = dims(x);
        reshape(dense(x), [self.batch, self.kv_heads, self.heads / self.kv_heads * self.queries, n])
    }

    /// The way back.
    fn single(&self, x: CubeTensor) -> CubeTensor {
        let [_, _, _, n] = dims(&x);
        reshape(x, [self.batch, self.heads, self.queries, n])
    }

    /// Products of queries and keys, the weights of the softmax, and the logarithms of its sums.
    fn weights(&self, attention: &Attention, q: &CubeTensor, k: &CubeTensor) -> [CubeTensor; 3] {
        let products = dense(&matmul(self.grouped(q), swap(k.clone(), 2, 3)));
        let weights = room(&products, products.meta.shape().clone(), products.dtype);
        let log_sum = room(&products, [self.batch, self.heads, self.queries], DType::F32);
        let units = units(self.keys);
        softmax::launch(
            &products.client,
            grid(self.rows()),
            CubeDim::new_1d(units as u32),
            arg(&products),
            arg(&self.numbers),
            arg(self.starts.as_ref().unwrap_or(&self.numbers)),
            arg(&weights),
            arg(&log_sum),
            self.rows(),
            self.queries,
            self.keys,
            attention.window.unwrap_or(self.keys),
            attention.scale,
            attention.soft_cap.unwrap_or(1.0),
            self.heads,
            attention.soft_cap.is_some(),
            self.starts.is_some(),
            self.kind,
            units,
            elem(&products),
        );
        [products, weights, log_sum]
    }
}

impl Kernels<CubeBackend> for Attention {
    fn forward(&self, inputs: Vec<CubeTensor>, starts: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let problem = Problem::new(self, &inputs, starts);
        let [_, weights, log_sum] = problem.weights(self, &inputs[0], &inputs[1]);
        let out = problem.single(matmul(weights, inputs[2].clone()));
        vec![out.clone(), out, log_sum]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let Kept { inputs, indices, .. } = kept;
        let problem = Problem::new(self, &inputs, indices);
        let (q, k, v) = (&inputs[0], &inputs[1], &inputs[2]);
        let [products, weights, _] = problem.weights(self, q, k);
        let dout = problem.grouped(&gradient);
        let dweights = dense(&matmul(dout.clone(), swap(v.clone(), 2, 3)));
        let dscores = room(&products, products.meta.shape().clone(), DType::F32);
        let dproducts = room(&products, products.meta.shape().clone(), products.dtype);
        let units = units(problem.keys);
        softmax_backward::launch(
            &products.client,
            grid(problem.rows()),
            CubeDim::new_1d(units as u32),
            arg(&products),
            arg(&weights),
            arg(&dweights),
            arg(&dscores),
            arg(&dproducts),
            problem.rows(),
            problem.keys,
            self.scale,
            self.soft_cap.unwrap_or(1.0),
            self.soft_cap.is_some(),
            units,
            elem(&products),
        );
        let dq = problem.single(matmul(dproducts.clone(), k.clone()));
        let dk = matmul(swap(dproducts, 2, 3), problem.grouped(q));
        let dv = matmul(swap(weights, 2, 3), dout);
        let mut all = vec![dq, dk, dv];
        if let (Some(bucket_of), Some(table)) = (&problem.bucket_of, inputs.get(3)) {
            let Problem { batch, heads, queries, keys, .. } = problem;
            let sums = room(&dscores, [keys, heads], DType::F32);
            let (grid, units) = per_element(keys * heads);
            by_distance::launch(&dscores.client, grid, units, arg(&dscores), arg(&sums), batch, queries, keys, heads);
            let dtable = room(table, table.meta.shape().clone(), DType::F32);
            let (grid, units) = per_element(count(&dtable));
            let [buckets, _] = dims(table);
            by_bucket::launch(&dscores.client, grid, units, arg(&sums), arg(bucket_of), arg(&dtable), buckets, keys, heads);
            all.push(cast(dtable, table.dtype));
        }
        all.into_iter().zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }

    fn keeps(&self, activations: Activations) -> Keeps {
        Kernels::<Flex>::keeps(self, activations)
    }
}

impl Described for Attention {
    fn outputs(&self, inputs: &[TensorSpec], tracked: bool) -> Vec<TensorSpec> {
        let q = &inputs[0];
        let mut all = vec![q.clone()];
        if tracked {
            all.extend([q.clone(), statistic([q.shape[0], q.shape[1], q.shape[2]])]);
        }
        all
    }
}
