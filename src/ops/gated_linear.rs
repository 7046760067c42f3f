//! A gated pair of products.

use super::{
    Activation, Affine, Op, count, fused, gated, linear, operator, precision,
    product::{self, lowered, raised},
};
use burn::tensor::Tensor;

/// [`gated`] of two products of x: activation(x·G + g) ⊙ (x·U + u).
///
/// # Shapes
///
/// - `x`: `[batch, seq, width]`, weights: `[width, hidden]`
/// - output: `[batch, seq, hidden]`
pub fn gated_linear(x: Tensor<3>, gate: Affine, up: Affine, activation: Activation) -> Tensor<3> {
    if product::fused(Op::GatedLinear, &x) {
        let ([batch, seq, width], [_, hidden]) = (x.dims(), gate.weight.dims());
        count::report(|| 4 * (batch * seq * width * hidden) as u64);
        let biases = [gate.bias.is_some(), up.bias.is_some()];
        let weights = [gate.weight, up.weight].map(|w| lowered(w).into_dispatch());
        let vectors = [gate.bias, up.bias].into_iter().flatten().map(|b| lowered(b).into_dispatch());
        let inputs = std::iter::once(lowered(x).into_dispatch()).chain(weights).chain(vectors);
        return raised(operator::call(
            fused::gated_linear::GatedLinear { activation, biases, reads: precision::current() },
            inputs.collect(),
            None,
        ));
    }
    gated(linear(x.clone(), gate.weight, gate.bias), linear(x, up.weight, up.bias), activation)
}
