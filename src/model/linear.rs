//! A matrix, and a bias where the configuration asks for one.

use super::init::{Role, Scope};
use crate::{
    model::Account,
    ops::{self, Affine},
};
use burn::{
    module::{Module, Param},
    tensor::Tensor,
};

/// y = x·W + b with W `[inputs, outputs]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Draws the weight by the scheme for `role`; a bias starts at 0.
    pub fn build(scope: &Scope, inputs: usize, outputs: usize, bias: bool, role: Role) -> Self {
        Self { weight: scope.matrix("weight", inputs, outputs, role), bias: bias.then(|| scope.constant("bias", [outputs], 0.0)) }
    }

    /// The matrix and the bias, for operators that take several.
    pub fn affine(&self) -> Affine {
        Affine { weight: self.weight.val(), bias: self.bias.as_ref().map(Param::val) }
    }

    /// # Shapes
    ///
    /// - `x`: `[batch, seq, inputs]`
    /// - output: `[batch, seq, outputs]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        ops::linear(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }

    /// Cost of such a layer. It keeps its input, which whoever made it or reads it first accounts for.
    pub fn account(inputs: usize, outputs: usize, bias: bool) -> Account {
        Account {
            parameters: (inputs * outputs + if bias { outputs } else { 0 }) as u64,
            flops_per_token: 6.0 * (inputs * outputs) as f64,
            ..Account::default()
        }
    }
}
