//! Rotation of channel pairs by position.

use super::{
    Op, fused, operator, path, precision,
    rotation::{Rotation, Uploaded},
};
use burn::tensor::{FloatDType, Tensor};

/// Rotates each pair (a, b) of channels to (a·cos - b·sin, b·cos + a·sin) (Su et al. 2021, equation 34), in f32 (f64 for f64),
/// and casts back.
///
/// # Shapes
///
/// - `x`: `[batch, heads, seq, head_dim]`
/// - output: as `x`
pub fn rotary(x: Tensor<4>, rotation: &Rotation) -> Tensor<4> {
    if path::fused(Op::Rotary, &x) {
        return operator::call(fused::rotary::Rotary(rotation.clone()), vec![x.into_dispatch()], None);
    }
    let dtype = FloatDType::from(x.dtype());
    let Uploaded { cos, sin, swap } = rotation.upload(&x.device());
    let wide = precision::wide(x.dtype());
    let x = x.cast(wide);
    let partner = x.clone().matmul(swap.cast(wide));
    (x * cos.cast(wide) + partner * sin.cast(wide)).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, noisy, values};

    fn angles(seq: usize, pairs: usize) -> Vec<f64> {
        (0..seq * pairs).map(|i| (i / pairs) as f64 * 0.3f64.powi((i % pairs) as i32)).collect()
    }

    fn rotation(seq: usize, pairs: usize, head_dim: usize, interleaved: bool) -> Rotation {
        let angles = angles(seq, pairs);
        let cos: Vec<f32> = angles.iter().map(|a| a.cos() as f32).collect();
        let sin: Vec<f32> = angles.iter().map(|a| a.sin() as f32).collect();
        Rotation::new(&cos, &sin, pairs, head_dim, interleaved)
    }

    /// Rotation by loops; `sign` -1 turns back.
    fn reference(x: &[f64], seq: usize, pairs: usize, head_dim: usize, interleaved: bool, sign: f64) -> Vec<f64> {
        let angles = angles(seq, pairs);
        let mut y = x.to_vec();
        for (row, out) in y.chunks_mut(head_dim).enumerate() {
            for p in 0..pairs {
                let (a, b) = if interleaved { (2 * p, 2 * p + 1) } else { (p, p + pairs) };
                let (s, c) = (sign * angles[(row % seq) * pairs + p]).sin_cos();
                let (va, vb) = (x[row * head_dim + a], x[row * head_dim + b]);
                out[a] = va * c - vb * s;
                out[b] = vb * c + va * s;
            }
        }
        y
    }

    #[test]
    fn values_and_gradients_agree_with_loops() {
        let (seq, head_dim) = (7, 8);
        for interleaved in [true, false] {
            for pairs in [1, 3, 4] {
                // A transposed view, as attention gives it.
                let x = noisy("x", [2, seq, 3, head_dim]);
                let y = rotary(x.clone().swap_dims(1, 2), &rotation(seq, pairs, head_dim, interleaved));
                let input = values(x.clone().swap_dims(1, 2));
                close("y", &values(y.clone()), &reference(&input, seq, pairs, head_dim, interleaved, 1.0), 3e-7);
                // The backward of a rotation is the rotation back.
                let probe = noisy("probe", [2, 3, seq, head_dim]);
                let gradient = x.grad(&(y * probe.clone()).sum().backward()).unwrap().swap_dims(1, 2);
                close("dx", &values(gradient), &reference(&values(probe), seq, pairs, head_dim, interleaved, -1.0), 3e-7);
            }
        }
    }

    #[test]
    fn channels_beyond_the_pairs_stay() {
        let x = noisy("x", [1, 1, 5, 6]);
        let y = values(rotary(x.clone(), &rotation(5, 2, 6, false)));
        let x = values(x);
        for row in 0..5 {
            assert_eq!(x[row * 6 + 4..row * 6 + 6], y[row * 6 + 4..row * 6 + 6]);
        }
    }
}
