//! Dropout with masks that are addressed by place and step, so that no draw depends on another.

use super::{Pass, init::Scope};
use crate::{
    ops,
    random::{Purpose, generator},
};
use burn::{module::Module, tensor::Tensor};

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
                // One word for each element, as if the rows before these had drawn theirs.
                let row = x.shape().num_elements() / x.dims()[0];
                generator.set_word_pos(u128::from(noise.row) * row as u128);
                ops::dropout(x, self.probability, &mut generator)
            }
            _ => x,
        }
    }
}
