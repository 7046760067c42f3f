//! Rows of a matrix by index. The backward adds up the gradients of equal tokens in the order of the tokens, without
//! atomics: within a chunk of tokens, each looks for the one before it and the one after it that equal it, and the first
//! of each kind adds up its chain; the chunks follow one another.
//!
//! Cost for n tokens: n times the distance between equal tokens in comparisons (at most a chunk), n rows read once, and a
//! launch per chunk. Rows that no token names are only set to 0.

#![allow(arithmetic_overflow)] // positions are placeholder constants for rustc

use super::{
    Described,
    tensor::{arg, count, dense, described, dims, elem, per_element, room, width},
};
use crate::ops::{
    fused::embedding::Embedding,
    operator::{Kept, Kernels},
};
use burn::{
    backend::{
        fusion::custom::TensorSpec,
        ops::{FloatTensorOps, IntTensorOps},
    },
    tensor::{DType, FloatDType, IntDType},
};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, ir::ElemType, prelude::*},
    kernel::cast,
    tensor::CubeTensor,
};

/// Tokens whose equals are looked for at a time.
const CHUNK: usize = 4096;

/// A token that is no row of the table reads zeros.
#[cube(launch)]
fn gather<F: Float>(
    table: &[F],
    ids: &[i32],
    rows: &mut [F],
    count: usize,
    vocab: usize,
    #[comptime] width: usize,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < count {
        let id = ids[ABSOLUTE_POS / width];
        let mut value = F::cast_from(0.0f32);
        if id >= 0 && (id as usize) < vocab {
            value = table[id as usize * width + ABSOLUTE_POS % width];
        }
        rows[ABSOLUTE_POS] = value;
    }
}

/// `next[i]` is the next token of the chunk that equals token i, or -1; `first[i]` is 1 where none before it does.
#[cube(launch)]
fn chain(ids: &[i32], next: &mut [i32], first: &mut [i32], tokens: usize, #[comptime] chunk: usize) {
    if ABSOLUTE_POS < tokens {
        let id = ids[ABSOLUTE_POS];
        let start = ABSOLUTE_POS / chunk * chunk;
        let end = min(start + chunk, tokens);
        let mut found = comptime!(-1i32).runtime();
        let mut i = ABSOLUTE_POS + 1;
        while i < end {
            if ids[i] == id {
                found = i as i32;
                i = end;
            }
            i += 1;
        }
        next[ABSOLUTE_POS] = found;
        let mut is_first = 1i32;
        let mut left = ABSOLUTE_POS - start;
        while left > 0 {
            if ids[start + left - 1] == id {
                is_first = 0i32;
                left = 1;
            }
            left -= 1;
        }
        first[ABSOLUTE_POS] = is_first;
    }
}

/// One unit per token of the chunk and column.
#[cube(launch)]
fn scatter<F: Float>(
    ids: &[i32],
    next: &[i32],
    first: &[i32],
    rows: &[F],
    table: &mut [f32],
    start: usize,
    count: usize,
    vocab: usize,
    #[comptime] width: usize,
    #[define(F)] _elem: ElemType,
) {
    if ABSOLUTE_POS < count {
        let token = start + ABSOLUTE_POS / width;
        let column = ABSOLUTE_POS % width;
        let id = ids[token];
        if first[token] == 1 && id >= 0 && (id as usize) < vocab {
            let mut sum = 0.0f32;
            let mut at = token as i32;
            while at >= 0 {
                sum += f32::cast_from(rows[at as usize * width + column]);
                at = next[at as usize];
            }
            table[id as usize * width + column] += sum;
        }
    }
}

fn ids(indices: Option<CubeTensor>) -> CubeTensor {
    dense(&CubeBackend::int_cast(indices.expect("an embedding has tokens"), IntDType::I32))
}

impl Kernels<CubeBackend> for Embedding {
    fn forward(&self, inputs: Vec<CubeTensor>, indices: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        let (table, ids) = (dense(&inputs[0]), ids(indices));
        let ([vocab, width], tokens) = (dims(&table), count(&ids));
        let rows = room(&table, [tokens, width], table.dtype);
        let (grid, units) = per_element(tokens * width);
        gather::launch(&table.client, grid, units, arg(&table), arg(&ids), arg(&rows), tokens * width, vocab, width, elem(&table));
        vec![rows]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        let (rows, ids) = (dense(&gradient), ids(kept.indices));
        let ([vocab, _], width, tokens) = (dims(&kept.inputs[0]), width(&rows), count(&ids));
        // Burn leaves gaps between rows on CUDA.
        let table = dense(&CubeBackend::float_zeros([vocab, width].into(), &rows.device, FloatDType::F32));
        let [next, first] = [(); 2].map(|()| room(&ids, [tokens], DType::I32));
        let (grid, units) = per_element(tokens);
        chain::launch(&ids.client, grid, units, arg(&ids), arg(&next), arg(&first), tokens, CHUNK);
        for start in (0..tokens).step_by(CHUNK) {
            let count = CHUNK.min(tokens - start) * width;
            let (grid, units) = per_element(count);
            scatter::launch(
                &rows.client,
                grid,
                units,
                arg(&ids),
                arg(&next),
                arg(&first),
                arg(&rows),
                arg(&table),
                start,
                count,
                vocab,
                width,
                elem(&rows),
            );
        }
        vec![Some(cast(table, rows.dtype))]
    }
}

impl Described for Embedding {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        let (table, ids) = (&inputs[0], &inputs[1]);
        vec![described([ids.shape.num_elements(), table.shape[1]], table)]
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{
        emit::{FLOATS, kernel},
        tensor::UNITS,
    };
    let (width, units) = (1024, UNITS as usize);
    let mut all = vec![("embedding_chain".into(), kernel!(target, units, chain::Chain, [buffer ids next first], (tokens), CHUNK))];
    for (name, float) in FLOATS {
        let gather = kernel!(target, units, gather::Gather, [buffer table ids rows], (count vocab), width, float);
        let scatter = kernel!(target, units, scatter::Scatter, [buffer ids next first rows table], (start count vocab), width, float);
        all.extend([(format!("embedding_gather_{name}"), gather), (format!("embedding_scatter_{name}"), scatter)]);
    }
    all
}
