//! Layer normalisation.

use super::{
    Op,
    add::{add, terms},
    flex::norm::Kind,
    fused::norm::Norm,
    operator, path, precision,
};
use burn::tensor::{DType, DispatchTensor, FloatDType, Tensor};

/// (x - mean) / √(var + eps) · gain + bias over the last dimension, var without Bessel's correction (Ba et al. 2016,
/// equation 4). All in f32, then cast to the input's type.
///
/// # Shapes
///
/// - `x`: `[..., width]`, `gain`, `bias`: `[width]`
/// - output: as `x`
pub fn layer_norm<const D: usize>(x: Tensor<D>, gain: Option<Tensor<1>>, bias: Option<Tensor<1>>, eps: f64) -> Tensor<D> {
    if path::fused(Op::LayerNorm, &x) {
        let (norm, vectors) = fused([gain, bias], eps, false, x.dtype());
        return operator::call(norm, std::iter::once(x.into_dispatch()).chain(vectors).collect(), None);
    }
    let dtype = FloatDType::from(x.dtype());
    let wide = precision::wide(x.dtype());
    let x = x.cast(wide);
    let centred = x.clone() - x.mean_dim(D - 1);
    let variance = (centred.clone() * centred.clone()).mean_dim(D - 1);
    let mut y = centred * variance.add_scalar(eps).sqrt().recip();
    if let Some(gain) = gain {
        y = y * gain.cast(wide).unsqueeze();
    }
    if let Some(bias) = bias {
        y = y + bias.cast(wide).unsqueeze();
    }
    y.cast(dtype)
}

/// [`layer_norm`] of x + branch, and x + branch, in one pass.
///
/// # Shapes
///
/// - `x`, `branch`: `[..., width]`, `gain`, `bias`: `[width]`
/// - outputs: as `x`
///
/// # Panics
///
/// If x and branch differ in shape.
pub fn add_layer_norm<const D: usize>(
    x: Tensor<D>,
    branch: Tensor<D>,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    eps: f64,
) -> [Tensor<D>; 2] {
    if path::fused(Op::LayerNorm, &x) {
        let (norm, vectors) = fused([gain, bias], eps, true, x.dtype());
        return operator::call_of_sum(norm, terms(x, branch).into_iter().chain(vectors).collect());
    }
    let sum = add(x, branch);
    [layer_norm(sum.clone(), gain, bias, eps), sum]
}

/// The fused operator of these options, and the gain and the bias that there are in the type of x.
fn fused(vectors: [Option<Tensor<1>>; 2], eps: f64, sum: bool, dtype: DType) -> (Norm, impl Iterator<Item = DispatchTensor>) {
    let [gain, bias] = vectors.each_ref().map(Option::is_some);
    let norm = Norm { kind: Kind::Layer, offset: 0.0, eps: eps as f32, gain, bias, sum };
    (norm, vectors.into_iter().flatten().map(move |vector| vector.cast(dtype).into_dispatch()))
}

#[cfg(test)]
mod tests {
    use super::{super::reference::norm::Norm, layer_norm};
    use crate::ops::check::{close, differences, leaf, noisy, values, weighted, weighted_sum};

    fn reference(x: &[f64], gain: &[f64], bias: &[f64], eps: f64) -> Vec<f64> {
        Norm { width: gain.len(), centred: true, eps, gain: Some(gain), offset: 0.0, bias: Some(bias) }.forward(x).value
    }

    #[test]
    fn values_and_gradients_agree_with_float64() {
        let eps = 1e-3;
        for (with_gain, with_bias) in [(true, true), (true, false), (false, false)] {
            let (x, w, b) = (noisy("x", [2, 3, 5]), noisy("w", [5]), noisy("b", [5]));
            let y = layer_norm(x.clone(), with_gain.then(|| w.clone()), with_bias.then(|| b.clone()), eps);
            let x64 = values(x.clone());
            let w64 = if with_gain { values(w.clone()) } else { vec![1.0; 5] };
            let b64 = if with_bias { values(b.clone()) } else { vec![0.0; 5] };
            close("y", &values(y.clone()), &reference(&x64, &w64, &b64, eps), 1e-6);
            let gradients = weighted_sum(y).backward();
            let dx = differences(&x64, |x| weighted(&reference(x, &w64, &b64, eps)));
            close("dx", &values(x.grad(&gradients).unwrap()), &dx, 4e-6);
            if with_gain {
                let dw = differences(&w64, |w| weighted(&reference(&x64, w, &b64, eps)));
                close("dw", &values(w.grad(&gradients).unwrap()), &dw, 4e-6);
            }
            if with_bias {
                let db = differences(&b64, |b| weighted(&reference(&x64, &w64, b, eps)));
                close("db", &values(b.grad(&gradients).unwrap()), &db, 4e-6);
            }
        }
    }

    #[test]
    fn a_large_mean_does_not_spoil_the_variance() {
        let row: Vec<f32> = (0..64).map(|i| 1000.0 + i as f32 / 8.0).collect();
        let y = layer_norm(leaf(row.clone(), [1, 64]), None, None, 1e-5);
        let x64: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
        close("y", &values(y), &reference(&x64, &[1.0; 64], &[0.0; 64], 1e-5), 1e-4);
    }
}
