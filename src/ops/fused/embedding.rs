//! Rows of a matrix by index; the backward touches only rows that were read.

use super::{room, slice, tensor, width};
use crate::ops::{
    operator::{Kept, Kernels, Properties},
    profile::span,
};
use burn::backend::{Flex, flex::FlexTensor};

/// Input: `[vocab, width]`; indices: `[n]`. Result: `[n, width]`.
#[derive(Debug)]
pub struct Embedding;

fn ids(indices: &Option<FlexTensor>) -> Vec<usize> {
    let indices = indices.as_ref().expect("an embedding has tokens").to_contiguous();
    indices.as_slice::<i32>().expect("tokens are i32").iter().map(|id| *id as usize).collect()
}

impl Properties for Embedding {}

impl Kernels<Flex> for Embedding {
    fn forward(&self, inputs: Vec<FlexTensor>, indices: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let _span = span("embedding");
        let table = inputs[0].to_contiguous();
        let (ids, width) = (ids(&indices), width(&table));
        let mut rows = room(ids.len() * width);
        for (row, id) in rows.chunks_exact_mut(width).zip(&ids) {
            row.copy_from_slice(&slice(&table)[id * width..][..width]);
        }
        vec![tensor(rows, [ids.len(), width])]
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, _: &[bool]) -> Vec<Option<FlexTensor>> {
        let _span = span("embedding");
        let (table, gradient) = (&kept.inputs[0], gradient.to_contiguous());
        let width = width(table);
        let mut sums = vec![0.0; table.layout().num_elements()];
        for (row, id) in slice(&gradient).chunks_exact(width).zip(ids(&kept.indices)) {
            let sum = &mut sums[id * width..][..width];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        vec![Some(tensor(sums, table.layout().shape().clone()))]
    }
}
