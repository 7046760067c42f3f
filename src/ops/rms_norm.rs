//! Root mean square normalisation.

use super::{
    Op,
    add::{add, terms},
    flex::norm::Kind,
    fused::norm::Norm,
    operator, path, precision,
};
use burn::tensor::{DType, DispatchTensor, FloatDType, Tensor};

/// The learned gain of [`rms_norm`].
#[derive(Clone, Debug)]
pub enum RmsGain {
    /// None: nanochat.
    None,
    /// Cast to the input's type, then multiply by w `[width]`: LLaMA's release.
    AfterCast(Tensor<1>),
    /// Multiply by 1 + w `[width]` in f32, then cast: Gemma.
    UnitOffset(Tensor<1>),
}

/// x / √(mean(x²) + eps) over the last dimension, in f32, cast back, with a gain (Zhang & Sennrich 2019, equation 4).
///
/// # Shapes
///
/// - `x`: `[..., width]`, gain: `[width]`
/// - output: as `x`
pub fn rms_norm<const D: usize>(x: Tensor<D>, gain: RmsGain, eps: f64) -> Tensor<D> {
    if path::fused(Op::RmsNorm, &x) {
        let (norm, gain) = fused(gain, eps, false, x.dtype());
        return operator::call(norm, std::iter::once(x.into_dispatch()).chain(gain).collect(), None);
    }
    let dtype = FloatDType::from(x.dtype());
    let wide = precision::wide(x.dtype());
    let x = x.cast(wide);
    let mean_square = (x.clone() * x.clone()).mean_dim(D - 1);
    let y = x * mean_square.add_scalar(eps).sqrt().recip();
    match gain {
        RmsGain::None => y.cast(dtype),
        RmsGain::AfterCast(w) => y.cast(dtype) * w.cast(dtype).unsqueeze(),
        RmsGain::UnitOffset(w) => (y * w.cast(wide).add_scalar(1.0).unsqueeze()).cast(dtype),
    }
}

/// [`rms_norm`] of x + branch, and x + branch, in one pass.
///
/// # Shapes
///
/// - `x`, `branch`: `[..., width]`, gain: `[width]`
/// - outputs: as `x`
///
/// # Panics
///
/// If x and branch differ in shape.
pub fn add_rms_norm<const D: usize>(x: Tensor<D>, branch: Tensor<D>, gain: RmsGain, eps: f64) -> [Tensor<D>; 2] {
    if path::fused(Op::RmsNorm, &x) {
        let (norm, gain) = fused(gain, eps, true, x.dtype());
        return operator::call_of_sum(norm, terms(x, branch).into_iter().chain(gain).collect());
    }
    let sum = add(x, branch);
    [rms_norm(sum.clone(), gain, eps), sum]
}

/// The fused operator of these options, and its gain in the type of x.
fn fused(gain: RmsGain, eps: f64, sum: bool, dtype: DType) -> (Norm, Option<DispatchTensor>) {
    let (gain, offset) = match gain {
        RmsGain::None => (None, 0.0),
        RmsGain::AfterCast(w) => (Some(w), 0.0),
        RmsGain::UnitOffset(w) => (Some(w), 1.0),
    };
    let norm = Norm { kind: Kind::Rms, offset, eps: eps as f32, gain: gain.is_some(), bias: false, sum };
    (norm, gain.map(|gain| gain.cast(dtype).into_dispatch()))
}

#[cfg(test)]
mod tests {
    use super::{super::reference::norm::Norm, RmsGain, rms_norm};
    use crate::ops::check::{close, differences, leaf, noisy, values, weighted, weighted_sum};
    use burn::tensor::{DType, FloatDType};

    fn reference(x: &[f64], gain: &[f64], eps: f64) -> Vec<f64> {
        Norm { width: gain.len(), centred: false, eps, gain: Some(gain), offset: 0.0, bias: None }.forward(x).value
    }

    #[test]
    fn values_and_gradients_agree_with_float64() {
        let eps = 1e-3;
        for offset in [false, true] {
            let (x, w) = (noisy("x", [2, 3, 5]), noisy("w", [5]));
            let gain = if offset { RmsGain::UnitOffset(w.clone()) } else { RmsGain::AfterCast(w.clone()) };
            let y = rms_norm(x.clone(), gain, eps);
            let (x64, w64) = (values(x.clone()), values(w.clone()));
            let full = |w: &[f64]| w.iter().map(|v| v + f64::from(u8::from(offset))).collect::<Vec<_>>();
            close("y", &values(y.clone()), &reference(&x64, &full(&w64), eps), 1e-6);
            let gradients = weighted_sum(y).backward();
            let dx = differences(&x64, |x| weighted(&reference(x, &full(&w64), eps)));
            let dw = differences(&w64, |w| weighted(&reference(&x64, &full(w), eps)));
            close("dx", &values(x.grad(&gradients).unwrap()), &dx, 3e-6);
            close("dw", &values(w.grad(&gradients).unwrap()), &dw, 3e-6);
        }
    }

    #[test]
    fn statistics_are_in_f32_for_bf16() {
        // 1 + 255 · (1/16)² in bf16 would stall at 1 + few: a running bf16 sum cannot absorb terms this small.
        let mut row = vec![0.0625f32; 256];
        row[0] = 1.0;
        let x = leaf(row.clone(), [1, 256]).cast(FloatDType::BF16);
        let y = rms_norm(x, RmsGain::None, 0.0);
        assert_eq!(y.dtype(), DType::BF16);
        let rms = (row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 256.0).sqrt();
        let expected: Vec<f64> = row.iter().map(|v| f64::from(*v) / rms).collect();
        close("bf16", &values(y.cast(FloatDType::F32)), &expected, 1.0 / 256.0);
    }
}
