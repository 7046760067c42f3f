//! Matrix product with the last dimension, and a bias.

use super::{
    Op, count, fused, operator, precision,
    product::{self, lowered, product, raised},
};
use burn::tensor::Tensor;

/// x·W + b. Every dense product of a model goes through here.
///
/// # Shapes
///
/// - `x`: `[batch, seq, inputs]`, `weight`: `[inputs, outputs]`, `bias`: `[outputs]`
/// - output: `[batch, seq, outputs]`
///
/// # Panics
///
/// If `x` and `weight` differ in element type: CubeCL's matmul would read one as the other.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    assert_eq!(x.dtype(), weight.dtype(), "linear: element types differ");
    let [batch, seq, inputs] = x.dims();
    let [_, outputs] = weight.dims();
    count::report(|| 2 * (batch * seq * inputs * outputs) as u64);
    if product::fused(Op::Linear, &x) {
        let has_bias = bias.is_some();
        let bias = bias.map(|bias| lowered(bias).into_dispatch());
        let inputs = [lowered(x).into_dispatch(), lowered(weight).into_dispatch()].into_iter().chain(bias);
        return raised(operator::call(fused::linear::Linear { bias: has_bias, reads: precision::current() }, inputs.collect(), None));
    }
    let y = product(x.reshape([batch * seq, inputs]), weight).reshape([batch, seq, outputs]);
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        check::{close, differences, noisy, values, weighted, weighted_sum},
        count_flops,
        reference::linear::forward,
    };

    fn reference(x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
        forward(x, w, Some(b), b.len()).value
    }

    #[test]
    fn values_gradients_and_count() {
        let (x, w, b) = (noisy("x", [2, 3, 4]), noisy("w", [4, 5]), noisy("b", [5]));
        let (y, flops) = count_flops(|| linear(x.clone(), w.clone(), Some(b.clone())));
        assert_eq!(flops, 2 * 2 * 3 * 4 * 5);
        let [x64, w64, b64] = [values(x.clone()), values(w.clone()), values(b.clone())];
        close("y", &values(y.clone()), &reference(&x64, &w64, &b64), 1e-6);
        let g = weighted_sum(y).backward();
        close("dx", &values(x.grad(&g).unwrap()), &differences(&x64, |x| weighted(&reference(x, &w64, &b64))), 1e-6);
        close("dw", &values(w.grad(&g).unwrap()), &differences(&w64, |w| weighted(&reference(&x64, w, &b64))), 1e-6);
        close("db", &values(b.grad(&g).unwrap()), &differences(&b64, |b| weighted(&reference(&x64, &w64, b))), 1e-6);
    }
}
