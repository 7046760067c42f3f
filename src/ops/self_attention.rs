//! The attention branch up to its output projection.

use super::{
    AttentionOptions, Backend, Op, Rotation, attention,
    capability::serves_heads,
    fused, join_heads, linear, operator,
    product::{self, lowered, raised},
    rotary,
};
use burn::tensor::Tensor;

/// A matrix `[inputs, outputs]` and a bias `[outputs]`.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[inputs, outputs]`.
    pub weight: Tensor<2>,
    /// `[outputs]`.
    pub bias: Option<Tensor<1>>,
}

/// [`attention`] of three projections of x, queries and keys rotated: what LLaMA's block does, as one operator.
///
/// # Shapes
///
/// - `x`: `[batch, seq, width]`, projections: `[width, heads · head_dim]` for queries, `[width, kv_heads · head_dim]` for
///   keys and values; the rotation is of seq positions
/// - output: `[batch, seq, heads · head_dim]`
///
/// # Panics
///
/// As [`attention`].
pub fn self_attention(
    x: Tensor<3>,
    projections: [Affine; 3],
    head_dim: usize,
    rotation: Option<&Rotation>,
    options: &AttentionOptions,
) -> Tensor<3> {
    let [batch, seq, width] = x.dims();
    if product::fused(Op::SelfAttention, &x) && serves_heads(Backend::of(&x.device()), head_dim) {
        let columns: usize = projections.iter().map(|projection| projection.weight.dims()[1]).sum();
        super::count::report(|| 2 * (batch * seq * width * columns) as u64);
        let (operator, table) = super::attention::operator(options);
        let heads = projections[0].weight.dims()[1] / head_dim;
        super::count::report(|| (4 * head_dim * heads * batch * super::attention::visible(seq, seq, options.window)) as u64);
        let biases = projections.each_ref().map(|projection| projection.bias.is_some());
        let rotation = rotation.cloned().map(fused::rotary::Rotary);
        let (weights, vectors): (Vec<_>, Vec<_>) = projections.into_iter().map(|p| (lowered(p.weight).into_dispatch(), p.bias)).unzip();
        let vectors = vectors.into_iter().flatten().map(|bias| lowered(bias).into_dispatch());
        let inputs = std::iter::once(lowered(x).into_dispatch()).chain(weights).chain(vectors).chain(table.map(Tensor::into_dispatch));
        let operator = fused::self_attention::SelfAttention { attention: operator, rotation, head_dim, biases };
        return raised(operator::call(operator, inputs.collect(), super::attention::flat_starts(options)));
    }
    let [q, k, v] = projections.map(|Affine { weight, bias }| {
        let heads = weight.dims()[1] / head_dim;
        linear(x.clone(), weight, bias).reshape([batch, seq, heads, head_dim]).swap_dims(1, 2)
    });
    let [q, k] = [q, k].map(|x| rotation.map_or_else(|| x.clone(), |rotation| rotary(x.clone(), rotation)));
    join_heads(attention(q, k, v, options))
}
