//! What matrix products read.
//!
//! Where bf16 is asked for, fused operators on the CPU are told the precision and read their f32 tensors so; on GPUs they
//! are given tensors of bf16 ([`lowered`], [`raised`]). Composed operators multiply tensors of that type, by [`product`]
//! alone. Nothing else multiplies, so that no product mixes types.

use super::{
    capability::{Backend, Implementation, Op, path_of_rounded},
    fused::round::Round,
    operator, path,
    precision::{self, Precision},
};
use burn::tensor::{DType, FloatDType, Tensor};

/// Whether a fused operator takes this tensor with the operands that are asked for.
pub(super) fn fused<const D: usize>(op: Op, x: &Tensor<D>) -> bool {
    if precision::current().is_f32() || x.dtype() != DType::F32 {
        return path::fused(op, x);
    }
    path_of_rounded(op, Backend::of(&x.device()), path::chosen()).path != Implementation::Composed
}

/// An input of a fused operator that multiplies: a tensor of bf16 on a GPU where that is asked for.
pub(super) fn lowered<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if by_type(&x) { x.cast(FloatDType::BF16) } else { x }
}

/// The result of an operator whose inputs were [lowered], in f32 again.
pub(super) fn raised<const D: usize>(y: Tensor<D>) -> Tensor<D> {
    if by_type(&y) { y.cast(FloatDType::F32) } else { y }
}

/// Whether rounding is a change of the element type here.
fn by_type<const D: usize>(x: &Tensor<D>) -> bool {
    !precision::current().is_f32() && Backend::of(&x.device()) != Backend::Flex
}

/// `x` as an operand of an operator that reads f32 as it is.
pub(super) fn operand<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match precision::current() {
        Precision::F32 => x,
        Precision::Bf16 if by_type(&x) => lowered(x),
        Precision::Bf16 => operator::call(Round, vec![x.into_dispatch()], None),
    }
}

/// `x` as an operand of an operator that keeps none of its inputs. Nothing is kept for this one either.
pub(super) fn passing_operand<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match precision::current() {
        Precision::F32 => x,
        Precision::Bf16 if by_type(&x) => lowered(x),
        Precision::Bf16 => {
            let plain = x.clone().detach();
            // Both differences are exact: rounding moves a number by less than a part in 2^8.
            let step = plain.clone().cast(FloatDType::BF16).cast(FloatDType::F32) - plain;
            x + step
        }
    }
}

/// a·b, composed of Burn's operations: of bf16 tensors where bf16 is asked for and both are f32. Burn then rounds the
/// product to bf16 too; it comes back in the operands' type.
///
/// # Panics
///
/// If the element types differ: CubeCL's matmul would read one as the other.
pub(super) fn product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_eq!(a.dtype(), b.dtype(), "matrix product: element types differ");
    match precision::current() {
        Precision::F32 => a.matmul(b),
        Precision::Bf16 => {
            let dtype = FloatDType::from(a.dtype());
            a.cast(FloatDType::BF16).matmul(b.cast(FloatDType::BF16)).cast(dtype)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        AttentionOptions, CrossEntropyOptions, Path, ScoreBias, attention,
        check::{close, leaf, noise, noisy, values, weighted, weighted_sum},
        computing, linear, linear_cross_entropy, with,
    };
    use burn::tensor::{Int, TensorData};

    /// To bf16 by its definition: the nearest of the numbers with 8 bits, the even one of two.
    fn round64(x: f64) -> f64 {
        if x == 0.0 {
            return x;
        }
        let unit = 2f64.powi(x.abs().log2().floor() as i32 - 7);
        (x / unit).round_ties_even() * unit
    }

    fn all(x: &[f64]) -> Vec<f64> {
        x.iter().map(|x| round64(*x)).collect()
    }

    /// a `[rows, inner]` · b `[inner, columns]`.
    fn times(a: &[f64], b: &[f64], inner: usize, columns: usize) -> Vec<f64> {
        let dot = |row: &[f64], column: usize| (0..inner).map(|i| row[i] * b[i * columns + column]).sum::<f64>();
        a.chunks(inner).flat_map(|row| (0..columns).map(move |column| dot(row, column))).collect()
    }

    fn transposed(x: &[f64], columns: usize) -> Vec<f64> {
        (0..columns).flat_map(|column| x.iter().skip(column).step_by(columns).copied().collect::<Vec<_>>()).collect()
    }

    #[test]
    fn rounds_to_nearest_even_on_one_way_only() {
        let numbers = vec![1.0, 1.0 + 2f32.powi(-8), 1.0 + 3.0 * 2f32.powi(-8), -1.0 - 1.1 * 2f32.powi(-8), 3.0e-30, 1.0e30, 0.1];
        let x = leaf(numbers.clone(), [7]);
        let y = computing(Precision::Bf16, || operand(x.clone()));
        assert_eq!(values(y.clone()), all(&values(x.clone())));
        let gradient = |y: Tensor<1>| values(x.grad(&(y * Tensor::from_inner(x.clone().inner())).sum().backward()).unwrap());
        assert_eq!(gradient(y), values(x.clone()));
        let y = computing(Precision::Bf16, || passing_operand(x.clone()));
        assert_eq!(values(y.clone()), all(&values(x.clone())));
        assert_eq!(gradient(y), values(x.clone()));
        assert_eq!(values(operand(x.clone())), values(x));
    }

    #[test]
    fn a_linear_layer_rounds_every_operand_and_nothing_else() {
        let (x, w, b) = (noisy("x", [2, 9, 33]), noisy("w", [33, 17]), noisy("b", [17]));
        let [x64, w64, b64] = [values(x.clone()), values(w.clone()), values(b.clone())];
        let y = computing(Precision::Bf16, || linear(x.clone(), w.clone(), Some(b.clone())));
        let biased =
            |y: Vec<f64>| y.chunks(17).flat_map(|row| row.iter().zip(&b64).map(|(y, b)| y + b).collect::<Vec<_>>()).collect::<Vec<_>>();
        close("y of rounded", &values(y.clone()), &biased(times(&all(&x64), &all(&w64), 33, 17)), 1e-5);
        close("y", &values(y.clone()), &biased(times(&x64, &w64, 33, 17)), 2e-2);

        let dy: Vec<f64> = values(y.clone()).iter().enumerate().map(|(i, _)| weighted(&unit(i, 18 * 17))).collect();
        let gradients = weighted_sum(y).backward();
        let [dx, dw] = [values(x.grad(&gradients).unwrap()), values(w.grad(&gradients).unwrap())];
        close("dx of rounded", &dx, &times(&all(&dy), &transposed(&all(&w64), 17), 17, 33), 1e-5);
        close("dw of rounded", &dw, &times(&transposed(&all(&x64), 33), &all(&dy), 18, 17), 1e-5);
        close("dx", &dx, &times(&dy, &transposed(&w64, 17), 17, 33), 2e-2);
        close("dw", &dw, &times(&transposed(&x64, 33), &dy, 18, 17), 2e-2);
    }

    fn unit(i: usize, n: usize) -> Vec<f64> {
        (0..n).map(|j| f64::from(i == j)).collect()
    }

    #[test]
    fn attention_and_loss_stay_near_f32_on_both_paths() {
        let [q, k, v] = ["q", "k", "v"].map(|key| noisy(key, [2, 4, 11, 16]));
        let options = AttentionOptions { scale: 0.25, soft_cap: None, window: None, starts: None, bias: ScoreBias::None };
        let attend = |precision, path| {
            let y = with(path, || computing(precision, || attention(q.clone(), k.clone(), v.clone(), &options)));
            let gradients = weighted_sum(y.clone()).backward();
            let [dq, dk, dv] = [&q, &k, &v].map(|x| values(x.grad(&gradients).unwrap()));
            [values(y), dq, dk, dv]
        };
        let exact = attend(Precision::F32, Path::Composed);
        for path in [Path::Fused, Path::Composed] {
            let got = attend(Precision::Bf16, path);
            for (name, (got, exact)) in ["y", "dq", "dk", "dv"].iter().zip(got.iter().zip(&exact)) {
                close(&format!("{path} {name}"), got, exact, 2e-2);
                assert_ne!(got, exact, "{path} {name} was not rounded");
            }
        }
        let (x, w) = (noisy("x", [2, 5, 24]), leaf(noise("head", 24 * 40), [24, 40]));
        let targets = Tensor::<2, Int>::from_data(TensorData::new((0..10).map(|i| i * 3).collect::<Vec<i32>>(), [2, 5]), &x.device());
        let loss = |precision, path| {
            let options = CrossEntropyOptions { soft_cap: None, z_loss: 0.0, label_smoothing: 0.0 };
            let loss = with(path, || computing(precision, || linear_cross_entropy(x.clone(), w.clone(), None, targets.clone(), options)));
            let gradients = loss.objective.clone().backward();
            [values(loss.objective), values(x.grad(&gradients).unwrap()), values(w.grad(&gradients).unwrap())]
        };
        let exact = loss(Precision::F32, Path::Composed);
        for path in [Path::Fused, Path::Composed] {
            for (name, (got, exact)) in ["loss", "dx", "dw"].iter().zip(loss(Precision::Bf16, path).iter().zip(&exact)) {
                close(&format!("{path} {name}"), got, exact, 2e-2);
                assert_ne!(got, exact, "{path} {name} was not rounded");
            }
        }
    }

    #[test]
    #[should_panic(expected = "element types differ")]
    fn mixed_types_are_refused() {
        let (a, b) = (noisy("a", [2, 3]), noisy("b", [3, 2]));
        product(a, b.cast(FloatDType::BF16));
    }
}
