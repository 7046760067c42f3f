//! Matrix product with the last dimension, and a bias.

use super::count;
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
    let y = x.reshape([batch * seq, inputs]).matmul(weight).reshape([batch, seq, outputs]);
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}
