//! Dropout with a mask made on the host.

use burn::tensor::{FloatDType, Tensor, TensorData};
use rand::Rng;

/// Zeroes each element with `probability` and divides the others by 1 - probability (inverted dropout, Srivastava et
/// al. 2014), so that the expectation stays.
///
/// One 32-bit number of `generator` per element in row-major order: the mask is the same on every device. Without
/// dropout (`probability` 0) nothing is drawn and `x` is returned as it is.
///
/// # Panics
///
/// If `probability` is not in [0, 1).
pub fn dropout<const D: usize>(x: Tensor<D>, probability: f64, generator: &mut impl Rng) -> Tensor<D> {
    assert!((0.0..1.0).contains(&probability), "dropout: probability {probability} is not in [0, 1)");
    if probability == 0.0 {
        return x;
    }
    let threshold = (probability * 2f64.powi(32)).round() as u64;
    let kept = (1.0 / (1.0 - probability)) as f32;
    let count = x.shape().num_elements();
    let mask: Vec<f32> = (0..count).map(|_| if u64::from(generator.next_u32()) < threshold { 0.0 } else { kept }).collect();
    let mask = Tensor::<D>::from_data(TensorData::new(mask, x.dims()), &x.device());
    let dtype = FloatDType::from(x.dtype());
    x * mask.cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::check::{leaf, values},
        random::{Purpose, generator},
    };

    #[test]
    fn expectation_stays_and_the_share_is_right() {
        let n = 200_000;
        for probability in [0.1, 0.5, 0.9] {
            let x = leaf(vec![1.0; n], [n]);
            let y = values(dropout(x, probability, &mut generator(1, Purpose::Dropout, "a")));
            let zeros = y.iter().filter(|v| **v == 0.0).count() as f64 / n as f64;
            let deviation = (probability * (1.0 - probability) / n as f64).sqrt();
            assert!((zeros - probability).abs() < 5.0 * deviation, "{zeros} of {probability}");
            let mean = y.iter().sum::<f64>() / n as f64;
            assert!((mean - 1.0).abs() < 5.0 * deviation / (1.0 - probability), "{mean}");
        }
    }

    #[test]
    fn repeatable_by_key_and_different_by_key() {
        let run = |key| values(dropout(leaf(vec![1.0; 256], [16, 16]), 0.3, &mut generator(1, Purpose::Dropout, key)));
        assert_eq!(run("x/1/0"), run("x/1/0"));
        assert_ne!(run("x/1/0"), run("x/2/0"));
    }

    #[test]
    fn gradient_passes_through_the_same_mask() {
        let x = leaf((1..=64).map(|i| i as f32).collect(), [64]);
        let y = dropout(x.clone(), 0.25, &mut generator(3, Purpose::Dropout, "g"));
        let gradient = values(x.grad(&y.clone().sum().backward()).unwrap());
        for (i, (y, g)) in values(y).iter().zip(gradient).enumerate() {
            assert!((y - g * (i + 1) as f64).abs() < 1e-4);
        }
    }

    #[test]
    fn nothing_drawn_without_dropout() {
        let mut used = generator(1, Purpose::Dropout, "n");
        let _ = dropout(leaf(vec![1.0; 8], [8]), 0.0, &mut used);
        assert_eq!(used.next_u64(), generator(1, Purpose::Dropout, "n").next_u64());
    }
}
