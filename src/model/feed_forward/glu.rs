//! The gated branch (Shazeer 2020, equations 5 and 6).

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

/// down(f(gate(x)) ⊙ up(x)). In the LLaMA release: gate is w1, up is w3, down is w2.
#[derive(Module, Debug)]
pub struct Glu {
    gate: Linear,
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Glu {
    pub(super) fn build(spec: &FeedForwardSpec, scope: &Scope, width: usize) -> Self {
        Self {
            gate: Linear::build(&scope.child("gate"), width, spec.hidden, spec.bias, Role::Hidden),
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
        self.down.forward_summed(ops::gated_linear(x, self.gate.affine(), self.up.affine(), self.activation), pass)
    }

    /// The activation of each hidden unit, before it gates, `[batch, seq, hidden]`.
    pub(super) fn units(&self, x: Tensor<3>) -> Tensor<3> {
        ops::activate(self.gate.forward(x), self.activation)
    }

    /// Kept: the input, both products, and what `down` reads.
    pub(super) fn account(spec: &FeedForwardSpec, width: usize) -> Account {
        2 * Linear::account(width, spec.hidden, spec.bias)
            + Linear::account(spec.hidden, width, spec.bias)
            + Account::kept(4 * (width + 3 * spec.hidden))
            + Account::cheap(4 * spec.hidden)
    }
}
