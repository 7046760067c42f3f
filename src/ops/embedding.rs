//! Rows of a matrix by index.

use super::{Op, fused, operator, path};
use burn::tensor::{Int, Tensor};

/// The rows of `weight` that `tokens` name. Backward adds up the gradients of equal tokens in row order.
///
/// # Shapes
///
/// - `weight`: `[vocab, width]`, `tokens`: `[batch, seq]`
/// - output: `[batch, seq, width]`
///
/// # Panics
///
/// On Flex, if a token is not below vocab; GPUs do not check.
pub fn embedding(weight: Tensor<2>, tokens: Tensor<2, Int>) -> Tensor<3> {
    if path::fused(Op::Embedding, &weight) {
        let ([batch, seq], [_, width]) = (tokens.dims(), weight.dims());
        let rows: Tensor<2> =
            operator::call(fused::embedding::Embedding, vec![weight.into_dispatch()], Some(tokens.reshape([batch * seq])));
        return rows.reshape([batch, seq, width]);
    }
    burn::tensor::module::embedding(weight, tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, noisy, values, weighted_sum};
    use burn::tensor::TensorData;

    #[test]
    fn rows_and_accumulated_gradients() {
        let table = noisy("table", [5, 3]);
        let ids = [4usize, 1, 1, 0, 1, 4];
        let tokens = Tensor::<2, Int>::from_data(TensorData::new(ids.map(|i| i as i32).to_vec(), [2, 3]), &table.device());
        let y = embedding(table.clone(), tokens);
        let rows = values(table.clone());
        let expected: Vec<f64> = ids.iter().flat_map(|id| rows[id * 3..id * 3 + 3].to_vec()).collect();
        close("rows", &values(y.clone()), &expected, 0.0);
        let gradient = values(table.grad(&weighted_sum(y.clone()).backward()).unwrap());
        let ones: Vec<f64> =
            (0..18).map(|i| crate::ops::check::weighted(&(0..18).map(|j| f64::from(i == j)).collect::<Vec<_>>())).collect();
        let mut sums = vec![0.0; 15];
        for (place, id) in ids.iter().enumerate() {
            for c in 0..3 {
                sums[id * 3 + c] += ones[place * 3 + c];
            }
        }
        close("gradient", &gradient, &sums, 1e-6);
    }
}
