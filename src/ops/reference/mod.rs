//! Every operator in float64: plain loops on slices, forward and backward, written from the formulas and from nothing else
//! in this crate. What the kernels of a device are held against, by tests and by `ablate doctor`.
//!
//! Arrays are row-major. Results are [`Sums`], because what a kernel can be asked for depends on what cancels in it.

pub mod activation;
pub mod adamw;
pub mod attention;
pub mod cross_entropy;
pub mod embedding;
pub mod gated_linear;
pub mod linear;
pub mod norm;
pub mod rotary;
pub mod self_attention;
pub mod square_norm;

/// Sums in float64, each with the size of what a rounding of every term makes of it.
///
/// A kernel that adds in f32 is off by roundings of the terms, not of the sum: where terms cancel, the sum is smaller than the
/// error that nobody could avoid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// The sums.
    pub value: Vec<f64>,
    /// The root of the sum of the squares of the sizes of all terms, since roundings are independent of each other.
    pub size: Vec<f64>,
}

impl Sums {
    /// Sums of no terms.
    pub fn zeros(count: usize) -> Self {
        Self { value: vec![0.0; count], size: vec![0.0; count] }
    }

    /// Sums of one term each.
    pub fn of(value: &[f64]) -> Self {
        Self { value: value.to_vec(), size: value.iter().map(|value| value.abs()).collect() }
    }

    /// Adds a term to sum `i`.
    pub fn add(&mut self, i: usize, term: f64) {
        self.add_sized(i, term, term.abs());
    }

    /// Adds a term to sum `i` that is itself a result of this size.
    pub fn add_sized(&mut self, i: usize, term: f64, size: f64) {
        self.value[i] += term;
        self.size[i] = (self.size[i] * self.size[i] + size * size).sqrt();
    }

    /// How many sums.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }
}

/// Checks of gradients written by hand, by central differences.
#[cfg(test)]
pub(crate) mod check {
    use super::Sums;
    use crate::ops::check::{close, differences, noise};

    /// Repeatable numbers in [-1, 1).
    pub fn numbers(key: &str, count: usize) -> Vec<f64> {
        noise(key, count).into_iter().map(f64::from).collect()
    }

    /// The derivative of Σ `weights`·`f`(x), written by hand, agrees with differences; nothing is without a size.
    #[track_caller]
    pub fn gradient(what: &str, found: &Sums, x: &[f64], weights: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) {
        let loss = |x: &[f64]| f(x).iter().zip(weights).map(|(y, w)| y * w).sum();
        close(what, &found.value, &differences(x, loss), 1e-8);
        assert!(found.value.iter().zip(&found.size).all(|(value, size)| *value == 0.0 || *size > 0.0), "{what}: sizes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_remember_what_cancelled() {
        let mut sums = Sums::zeros(2);
        for term in [3.0, -4.0, 1.0] {
            sums.add(0, term);
        }
        sums.add_sized(1, 0.0, 5.0);
        assert_eq!(sums, Sums { value: vec![0.0, 0.0], size: vec![26f64.sqrt(), 5.0] });
        assert_eq!((sums.len(), sums.is_empty()), (2, false));
        assert_eq!(Sums::of(&[-2.0]).size, [2.0]);
    }
}
