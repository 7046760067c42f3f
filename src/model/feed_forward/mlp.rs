//! The ungated branch: Vaswani et al. 2017, equation 2, with any activation.

use super::FeedForwardSpec;
use crate::{
    model::{
        Account,
        init::{Role, Scope},
        linear::Linear,
    },
    ops::{self, Activation},
};
use burn::{module::Module, tensor::Tensor};

/// down(f(up(x))).
#[derive(Module, Debug)]
pub struct Mlp {
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    pub(super) fn build(spec: &FeedForwardSpec, scope: &Scope, width: usize) -> Self {
        Self {
            up: Linear::build(&scope.child("up"), width, spec.hidden, spec.bias, Role::Hidden),
            down: Linear::build(&scope.child("down"), spec.hidden, width, spec.bias, Role::Residual),
            activation: spec.kind.activation(),
        }
    }

    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down.forward(ops::activate(self.up.forward(x), self.activation))
    }

    /// The activation is recomputed in the backward pass, so only the outputs of the matrices are kept.
    pub(super) fn account(spec: &FeedForwardSpec, width: usize) -> Account {
        Linear::account(width, spec.hidden, spec.bias) + Linear::account(spec.hidden, width, spec.bias)
    }
}
