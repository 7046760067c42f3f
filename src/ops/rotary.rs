//! Rotation of channel pairs by position.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};

/// The tables of a rotation of `seq` positions, on a device.
///
/// Composed form: x·cos + (x·S)·sin, where S is the signed permutation that brings each channel its partner. A product
/// with S is exact, needs no slices (whose backward fills whole tensors), and leaves channels that do not rotate alone
/// (cos 1, sin 0).
#[derive(Clone, Debug)]
pub struct Rotation {
    /// `[1, 1, seq, head_dim]`.
    cos: Tensor<4>,
    /// `[1, 1, seq, head_dim]`.
    sin: Tensor<4>,
    /// `[1, 1, head_dim, head_dim]`.
    swap: Tensor<4>,
}

impl Rotation {
    /// Uploads `cos` and `sin`, row-major `[seq, pairs]`. The first 2·pairs channels of a head rotate; pair p is the
    /// channels (2p, 2p + 1) if `interleaved` (LLaMA's release), else (p, p + pairs) (GPT-NeoX).
    ///
    /// # Panics
    ///
    /// If the tables differ in length, are no multiple of `pairs`, or rotate more than `head_dim` channels.
    pub fn new(cos: &[f32], sin: &[f32], pairs: usize, head_dim: usize, interleaved: bool, device: &Device) -> Self {
        assert!(cos.len() == sin.len() && cos.len().is_multiple_of(pairs) && 2 * pairs <= head_dim, "rotation: tables");
        let seq = cos.len() / pairs;
        let channels = |p: usize| if interleaved { (2 * p, 2 * p + 1) } else { (p, p + pairs) };
        let mut full_cos = vec![1f32; seq * head_dim];
        let mut full_sin = vec![0f32; seq * head_dim];
        for row in 0..seq {
            for p in 0..pairs {
                let (a, b) = channels(p);
                for channel in [a, b] {
                    full_cos[row * head_dim + channel] = cos[row * pairs + p];
                    full_sin[row * head_dim + channel] = sin[row * pairs + p];
                }
            }
        }
        // (x·S)[a] = -x[b] and (x·S)[b] = x[a].
        let mut swap = vec![0f32; head_dim * head_dim];
        for p in 0..pairs {
            let (a, b) = channels(p);
            swap[b * head_dim + a] = -1.0;
            swap[a * head_dim + b] = 1.0;
        }
        let upload = |data: Vec<f32>, rows: usize| Tensor::from_data(TensorData::new(data, [1, 1, rows, head_dim]), device);
        Self { cos: upload(full_cos, seq), sin: upload(full_sin, seq), swap: upload(swap, head_dim) }
    }
}

/// Rotates each pair (a, b) of channels to (a·cos - b·sin, b·cos + a·sin) (Su et al. 2021, equation 34), in f32, and
/// casts back.
///
/// # Shapes
///
/// - `x`: `[batch, heads, seq, head_dim]`
/// - output: as `x`
pub fn rotary(x: Tensor<4>, rotation: &Rotation) -> Tensor<4> {
    let dtype = FloatDType::from(x.dtype());
    let x = x.cast(FloatDType::F32);
    let partner = x.clone().matmul(rotation.swap.clone());
    (x * rotation.cos.clone() + partner * rotation.sin.clone()).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, noisy, values};

    fn angles(seq: usize, pairs: usize) -> Vec<f64> {
        (0..seq * pairs).map(|i| (i / pairs) as f64 * 0.3f64.powi((i % pairs) as i32)).collect()
    }

    fn rotation(seq: usize, pairs: usize, head_dim: usize, interleaved: bool, device: &Device) -> Rotation {
        let angles = angles(seq, pairs);
        let cos: Vec<f32> = angles.iter().map(|a| a.cos() as f32).collect();
        let sin: Vec<f32> = angles.iter().map(|a| a.sin() as f32).collect();
        Rotation::new(&cos, &sin, pairs, head_dim, interleaved, device)
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
                let y = rotary(x.clone().swap_dims(1, 2), &rotation(seq, pairs, head_dim, interleaved, &x.device()));
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
        let y = values(rotary(x.clone(), &rotation(5, 2, 6, false, &x.device())));
        let x = values(x);
        for row in 0..5 {
            assert_eq!(x[row * 6 + 4..row * 6 + 6], y[row * 6 + 4..row * 6 + 6]);
        }
    }
}
