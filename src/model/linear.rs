//! A matrix, and a bias where the configuration asks for one.

use super::init::{Role, Scope};
use crate::{
    model::{Account, Pass},
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
        Self { weight: scope.matrix("weight", inputs, outputs, role), bias: bias.then(|| scope.bias("bias", outputs, role)) }
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

    /// [`Linear::forward`] where devices may have rows of the matrix, and columns of `x`: the sum over all of them, of the tokens
    /// of this one.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, seq, inputs]`
    /// - output: `[batch, seq, outputs]`, of fewer tokens where layers are divided
    pub fn forward_summed(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let Some(neighbours) = &pass.neighbours else { return self.forward(x) };
        let y = ops::scatter(ops::linear(x, self.weight.val(), None), neighbours);
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
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
