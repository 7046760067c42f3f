//! A gated pair of products.

use super::{Activation, Affine, Op, count, fused, gated, linear, operator, product};
use burn::tensor::Tensor;

/// [`gated`] of two products of x: activation(x·G + g) ⊙ (x·U + u).
///
/// # Shapes
///
/// - `x`: `[batch, seq, width]`, weights: `[width, hidden]`
/// - output: `[batch, seq, hidden]`
pub fn gated_linear(x: Tensor<3>, gate: Affine, up: Affine, activation: Activation) -> Tensor<3> {
    // Between the products and the gate, gradients are rounded where the operands are.
    if product::fused(Op::GatedLinear, &x) {
        let ([batch, seq, width], [_, hidden]) = (x.dims(), gate.weight.dims());
        count::report(|| 4 * (batch * seq * width * hidden) as u64);
        let biases = [gate.bias.is_some(), up.bias.is_some()];
        let weights = [gate.weight, up.weight].map(Tensor::into_dispatch);
        let vectors = [gate.bias, up.bias].into_iter().flatten().map(Tensor::into_dispatch);
        let inputs = std::iter::once(x.into_dispatch()).chain(weights).chain(vectors);
        return operator::call(fused::gated_linear::GatedLinear { activation, biases }, inputs.collect(), None);
    }
    gated(linear(x.clone(), gate.weight, gate.bias), linear(x, up.weight, up.bias), activation)
}
