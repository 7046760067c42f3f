//! Dropout with a mask made on the host.

use burn::tensor::{FloatDType, Tensor, TensorData};

/// Zeroes each element with `probability` and divides the others by 1 - probability (inverted dropout, Srivastava et
/// al. 2014), so that the expectation stays.
///
/// One of `words` per element in row-major order, each of 32 random bits: the mask is the same on every device. Without
/// dropout (`probability` 0) none is taken and `x` is returned as it is.
///
/// # Panics
///
/// If `probability` is not in [0, 1), or there are fewer words than elements.
pub fn dropout<const D: usize>(x: Tensor<D>, probability: f64, words: impl Iterator<Item = u32>) -> Tensor<D> {
    assert!((0.0..1.0).contains(&probability), "dropout: probability {probability} is not in [0, 1)");
    if probability == 0.0 {
        return x;
    }
    let threshold = (probability * 2f64.powi(32)).round() as u64;
    let kept = (1.0 / (1.0 - probability)) as f32;
    let count = x.shape().num_elements();
    let mask: Vec<f32> = words.take(count).map(|word| if u64::from(word) < threshold { 0.0 } else { kept }).collect();
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
    use rand::Rng;

    fn words(seed: u64, key: &str) -> impl Iterator<Item = u32> {
        let mut generator = generator(seed, Purpose::Dropout, key);
        std::iter::from_fn(move || Some(generator.next_u32()))
    }

    #[test]
    fn expectation_stays_and_the_share_is_right() {
        let n = 200_000;
        for probability in [0.1, 0.5, 0.9] {
            let x = leaf(vec![1.0; n], [n]);
            let y = values(dropout(x, probability, words(1, "a")));
            let zeros = y.iter().filter(|v| **v == 0.0).count() as f64 / n as f64;
            let deviation = (probability * (1.0 - probability) / n as f64).sqrt();
            assert!((zeros - probability).abs() < 5.0 * deviation, "{zeros} of {probability}");
            let mean = y.iter().sum::<f64>() / n as f64;
            assert!((mean - 1.0).abs() < 5.0 * deviation / (1.0 - probability), "{mean}");
        }
    }

    #[test]
    fn repeatable_by_key_and_different_by_key() {
        let run = |key| values(dropout(leaf(vec![1.0; 256], [16, 16]), 0.3, words(1, key)));
        assert_eq!(run("x/1/0"), run("x/1/0"));
        assert_ne!(run("x/1/0"), run("x/2/0"));
    }

    #[test]
    fn gradient_passes_through_the_same_mask() {
        let x = leaf((1..=64).map(|i| i as f32).collect(), [64]);
        let y = dropout(x.clone(), 0.25, words(3, "g"));
        let gradient = values(x.grad(&y.clone().sum().backward()).unwrap());
        for (i, (y, g)) in values(y).iter().zip(gradient).enumerate() {
            assert!((y - g * (i + 1) as f64).abs() < 1e-4);
        }
    }

    #[test]
    fn nothing_drawn_without_dropout() {
        let _ = dropout(leaf(vec![1.0; 8], [8]), 0.0, std::iter::from_fn(|| panic!("nothing is to be drawn")));
    }
}
