//! Activations, alone and as gates.

use super::Sums;
use crate::ops::Activation;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The normal distribution function.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The tanh of GELU's approximation, and the derivative of its argument.
fn gelu_tanh(x: f64) -> (f64, f64) {
    let c = (2.0 / PI).sqrt();
    ((c * (x + 0.044715 * x.powi(3))).tanh(), c * (1.0 + 3.0 * 0.044715 * x * x))
}

/// The activation of a number.
pub fn value(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu2 => x.max(0.0).powi(2),
        Activation::Gelu => x * normal(x),
        Activation::GeluTanh => 0.5 * x * (1.0 + gelu_tanh(x).0),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
    }
}

/// Its derivative; 0 at the kink of the rectifiers.
pub fn slope(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Identity => 1.0,
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Relu2 => 2.0 * x.max(0.0),
        Activation::Gelu => normal(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
        Activation::GeluTanh => {
            let (t, slope) = gelu_tanh(x);
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope
        }
        Activation::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
        Activation::Sigmoid => sigmoid(x) * sigmoid(-x),
    }
}

/// The activation of each element.
pub fn forward(kind: Activation, x: &[f64]) -> Sums {
    Sums::of(&x.iter().map(|x| value(kind, *x)).collect::<Vec<_>>())
}

/// The gradient of x.
pub fn backward(kind: Activation, x: &[f64], dy: &[f64]) -> Sums {
    Sums::of(&x.iter().zip(dy).map(|(x, dy)| slope(kind, *x) * dy).collect::<Vec<_>>())
}

/// activation(gate) · up.
pub fn gated(kind: Activation, gate: &[f64], up: &[f64]) -> Sums {
    Sums::of(&gate.iter().zip(up).map(|(gate, up)| value(kind, *gate) * up).collect::<Vec<_>>())
}

/// The gradients of gate and up.
pub fn gated_backward(kind: Activation, gate: &[f64], up: &[f64], dy: &[f64]) -> [Sums; 2] {
    let by_up: Vec<f64> = up.iter().zip(dy).map(|(up, dy)| up * dy).collect();
    let dup: Vec<f64> = gate.iter().zip(dy).map(|(gate, dy)| value(kind, *gate) * dy).collect();
    [backward(kind, gate, &by_up), Sums::of(&dup)]
}

/// All activations.
pub const ALL: [Activation; 7] = [
    Activation::Identity,
    Activation::Relu,
    Activation::Relu2,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sigmoid,
];

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn slopes_agree_with_differences() {
        let x: Vec<f64> = (-60..=60).filter(|i| *i != 0).map(|i| f64::from(i) * 0.13).collect();
        let (up, dy) = (numbers("up", x.len()), numbers("dy", x.len()));
        for kind in ALL {
            gradient("dx", &backward(kind, &x, &dy), &x, &dy, |x| forward(kind, x).value);
            let [dgate, dup] = gated_backward(kind, &x, &up, &dy);
            gradient("dgate", &dgate, &x, &dy, |x| gated(kind, x, &up).value);
            gradient("dup", &dup, &up, &dy, |up| gated(kind, &x, up).value);
        }
    }

    #[test]
    fn known_values() {
        // Φ(1) and tanh by tables; the tails must not overflow.
        assert!((value(Activation::Gelu, 1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
        assert!((value(Activation::GeluTanh, 1.0) - 0.841_191_990_608_276_8).abs() < 1e-12);
        assert!((value(Activation::Silu, 1.0) - 0.731_058_578_630_004_9).abs() < 1e-15);
        for kind in ALL {
            for x in [-1e4, 0.0, 1e4] {
                assert!(value(kind, x).is_finite() && slope(kind, x).is_finite(), "{kind:?} at {x}");
            }
        }
    }
}
