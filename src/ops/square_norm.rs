//! Sum of squares, the same bits for any number of threads.

use super::{Op, fused, operator, path};
use burn::tensor::{FloatDType, Tensor};

/// Elements of a partial sum. A full reduction of 4,194,304 elements or more on Flex adds up in the order in which
/// threads finish; rows of this length are summed one by one instead, level after level.
const BLOCK: usize = 4096;

/// Σ x² over all elements, in f32.
///
/// # Shapes
///
/// - `x`: any
/// - output: `[1]`
pub fn square_norm<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    if path::fused(Op::SquareNorm, &x) {
        return operator::call(fused::square_norm::SquareNorm, vec![x.into_dispatch()], None);
    }
    let count = x.shape().num_elements();
    let x = x.cast(FloatDType::F32).reshape([count]);
    sum(x.clone() * x)
}

fn sum(x: Tensor<1>) -> Tensor<1> {
    let [count] = x.dims();
    if count <= BLOCK {
        return x.sum();
    }
    let rows = count / BLOCK;
    let whole = rows * BLOCK;
    let rest = (whole < count).then(|| x.clone().slice(whole..count).sum());
    let partial = sum(x.slice(0..whole).reshape([rows, BLOCK]).sum_dim(1).reshape([rows]));
    match rest {
        Some(rest) => partial + rest,
        None => partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, noise, values};
    use burn::tensor::{Device, TensorData};

    fn tensor<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(data, shape), &Device::flex())
    }

    #[test]
    fn agrees_with_float64() {
        for shape in [[1, 1], [3, 5], [64, 64], [1, 4096], [7, 4099], [130, 512]] {
            let data = noise("norm", shape[0] * shape[1]);
            let expected: f64 = data.iter().map(|v| f64::from(*v).powi(2)).sum();
            // 4096 products in lanes, then pairs of levels: far fewer than 256 roundings on any path.
            close("norm", &values(square_norm(tensor(data, shape))), &[expected], 256.0 * f64::from(f32::EPSILON));
        }
    }

    #[test]
    fn same_bits_on_any_number_of_threads() {
        let (rows, columns) = (1283, 4096);
        let data = noise("threads", rows * columns);
        assert!(data.len() >= 5_000_000);
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let data = data.clone();
            pool.install(move || {
                let x = tensor(data, [rows, columns]);
                (0..4).map(|_| square_norm(x.clone()).into_scalar::<f32>().to_bits()).collect::<Vec<_>>()
            })
        };
        let reference = bits(1);
        for threads in [2, 4, 7] {
            assert_eq!(bits(threads), reference, "{threads} threads");
        }
    }
}
