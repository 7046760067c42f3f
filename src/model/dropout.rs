//! Dropout with masks that are addressed by place and step, so that no draw depends on another.

use super::{Pass, init::Scope};
use crate::{
    ops,
    random::{Purpose, generator},
};
use burn::{module::Module, tensor::Tensor};
use rand::Rng;

/// Sets numbers to 0 with a probability and divides the others by the rest of it (Srivastava et al. 2014, inverted).
#[derive(Module, Debug)]
pub struct Dropout {
    #[module(skip)]
    probability: f64,
    #[module(skip)]
    path: String,
}

impl Dropout {
    /// The dropout that stands at `scope`.
    pub fn build(scope: &Scope, probability: f64) -> Self {
        Self { probability, path: scope.path().to_string() }
    }

    /// The identity outside of training and at probability 0.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[batch, …]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>, pass: &Pass) -> Tensor<D> {
        match pass.noise {
            Some(noise) if self.probability > 0.0 => {
                let key = format!("{}/{}/{}", self.path, noise.step, noise.micro);
                let mut generator = generator(noise.seed, Purpose::Dropout, &key);
                // One word for each element, as if those before these had drawn theirs: rows, and tokens of other devices.
                let (rows, count) = (x.dims()[0], x.shape().num_elements() / x.dims()[0]);
                let (size, rank) = pass.neighbours.as_ref().map_or((1, 0), |neighbours| (neighbours.size(), neighbours.rank()));
                let first = |row: usize| (noise.row as usize + row) * size + rank;
                let words = (0..rows).flat_map(|row| {
                    generator.set_word_pos(first(row) as u128 * count as u128);
                    (0..count).map(|_| generator.next_u32()).collect::<Vec<u32>>()
                });
                ops::dropout(x, self.probability, words)
            }
            _ => x,
        }
    }
}
