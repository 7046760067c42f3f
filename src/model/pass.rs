//! What a forward pass is told beside its input.

use crate::ops::{self, Activations, Neighbours, Precision};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;

/// What a forward pass needs beside the tokens.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Set while training: addresses the dropout masks. None: evaluation, no dropout.
    pub noise: Option<Noise>,
    /// `[batch, seq]`: where the document of each token starts, for attention that keeps documents apart. None: one document
    /// per sequence.
    pub starts: Option<Tensor<2, Int>>,
    /// `[1, scored]`: the positions that have a target, of `batch · seq` in row order, rising. What comes behind the blocks is
    /// computed at these alone. None: every position has one.
    pub scored: Option<Tensor<2, Int>>,
    /// What is kept for the backward pass.
    pub activations: Activations,
    /// The type of the operands of matrix products.
    pub precision: Precision,
    /// The devices that divide the layers among them. None: this one has the whole model.
    pub neighbours: Option<Arc<dyn Neighbours>>,
}

impl Pass {
    /// All tokens, where this device has a part of them.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, seq, width]`, of the tokens of this device
    /// - output: `[batch, seq, width]`
    pub(super) fn gathered(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.neighbours {
            Some(neighbours) => ops::gather(x, neighbours),
            None => x,
        }
    }

    /// The same pass for tensors without gradients.
    pub(super) fn without_gradients(&self) -> Self {
        let inner = |indices: &Option<Tensor<2, Int>>| indices.clone().map(Tensor::inner);
        Self { starts: inner(&self.starts), scored: inner(&self.scored), ..self.clone() }
    }
}

/// The address of a step's random draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Seed of the run.
    pub seed: u64,
    /// Optimizer step, from 0.
    pub step: u64,
    /// Micro-batch within the step, from 0.
    pub micro: u64,
    /// Rows of the micro-batch before those of this pass, where it is divided among devices.
    pub row: u64,
}

/// Where the document of each token starts, `[rows, seq]`, in rows of tokens in which `opening` opens a document. What
/// stands before the first opening of a row is the rest of a document that began before the row.
///
/// # Panics
///
/// If the rows differ in length.
pub fn document_starts<'a>(rows: impl Iterator<Item = &'a [u32]>, opening: u32, device: &Device) -> Tensor<2, Int> {
    let (mut starts, mut count) = (vec![], 0);
    for row in rows {
        count += 1;
        let mut start = 0;
        starts.extend(row.iter().enumerate().map(|(position, token)| {
            if *token == opening {
                start = position as i32;
            }
            start
        }));
    }
    let seq = starts.len() / usize::max(count, 1);
    Tensor::from_data(TensorData::new(starts, [count, seq]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_start_where_they_are_opened() {
        let rows: [&[u32]; 3] = [&[7, 3, 0, 5, 0, 0], &[0, 1, 2, 3, 4, 5], &[1, 1, 1, 1, 1, 0]];
        let starts = document_starts(rows.into_iter(), 0, &Device::flex());
        assert_eq!(starts.dims(), [3, 6]);
        let starts: Vec<i64> = starts.into_data().iter::<i64>().collect();
        assert_eq!(starts, [0, 0, 2, 2, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    }
}
