//! The ungated branch: Vaswani et al. 2017, equation 2, with any activation.

use super::FeedForwardSpec;
use crate::{
    model::{
        Account, Pass,
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
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let x = pass.gathered(x);
        self.down.forward_summed(ops::activate(self.up.forward(x), self.activation), pass)
    }

    /// The activation of each hidden unit, `[batch, seq, hidden]`.
    pub(super) fn units(&self, x: Tensor<3>) -> Tensor<3> {
        ops::activate(self.up.forward(x), self.activation)
    }

    /// Kept: the input, the product, and what `down` reads.
    pub(super) fn account(spec: &FeedForwardSpec, width: usize) -> Account {
        Linear::account(width, spec.hidden, spec.bias)
            + Linear::account(spec.hidden, width, spec.bias)
            + Account::kept(4 * (width + 2 * spec.hidden))
            + Account::cheap(4 * spec.hidden)
    }
}
