//! Two products of one input, one gating the other.

use super::{Sums, activation, linear};
use crate::ops::Activation;

/// activation(x·G + g) ⊙ (x·U + u).
#[derive(Clone, Copy, Debug)]
pub struct GatedLinear<'a> {
    /// `[width, hidden]` each: gate and up.
    pub weights: [&'a [f64]; 2],
    /// `[hidden]` each.
    pub biases: [Option<&'a [f64]>; 2],
    /// Columns of the weights.
    pub hidden: usize,
    /// Applied to the gate.
    pub activation: Activation,
}

impl GatedLinear<'_> {
    fn products(&self, x: &[f64]) -> [Sums; 2] {
        [0, 1].map(|i| linear::forward(x, self.weights[i], self.biases[i], self.hidden))
    }

    /// The result for x `[rows, width]`.
    pub fn forward(&self, x: &[f64]) -> Sums {
        let [gate, up] = self.products(x);
        activation::gated(self.activation, &gate, &up)
    }

    /// The gradients of x, of both weights and of both biases.
    pub fn backward(&self, x: &[f64], dy: &[f64]) -> (Sums, [Sums; 2], [Sums; 2]) {
        let [gate, up] = self.products(x);
        let by_product = activation::gated_backward(self.activation, &gate, &up, dy);
        let [[dx, dg, bg], [more, du, bu]] = [0, 1].map(|i| linear::backward(x, self.weights[i], &by_product[i], self.hidden));
        (sum(&dx, &more), [dg, du], [bg, bu])
    }
}

/// Elementwise.
pub(super) fn sum(a: &Sums, b: &Sums) -> Sums {
    let mut sum = a.clone();
    (0..b.len()).for_each(|i| sum.add_sized(i, b.value[i], b.size[i]));
    sum
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn gradients_agree_with_differences() {
        let (rows, width, hidden) = (3, 4, 5);
        let (x, dy) = (numbers("x", rows * width), numbers("dy", rows * hidden));
        let [g, u] = ["g", "u"].map(|key| numbers(key, width * hidden));
        let [a, b] = ["a", "b"].map(|key| numbers(key, hidden));
        let op = GatedLinear { weights: [&g, &u], biases: [Some(&a), Some(&b)], hidden, activation: Activation::Silu };
        let (dx, [dg, du], [da, db]) = op.backward(&x, &dy);
        gradient("dx", &dx, &x, &dy, |x| op.forward(x).value);
        gradient("dgate", &dg, &g, &dy, |g| GatedLinear { weights: [g, &u], ..op }.forward(&x).value);
        gradient("dup", &du, &u, &dy, |u| GatedLinear { weights: [&g, u], ..op }.forward(&x).value);
        gradient("dgate's bias", &da, &a, &dy, |a| GatedLinear { biases: [Some(a), Some(&b)], ..op }.forward(&x).value);
        gradient("dup's bias", &db, &b, &dy, |b| GatedLinear { biases: [Some(&a), Some(b)], ..op }.forward(&x).value);
    }
}
