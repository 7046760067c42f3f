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

/// The argument of the tanh in GELU's approximation, twice, and its derivative: (1 + tanh u)/2 is the sigmoid of 2u, and
/// 1 + tanh u would cancel where tanh u is near -1.
fn gelu_tanh(x: f64) -> (f64, f64) {
    let c = 2.0 * (2.0 / PI).sqrt();
    (c * (x + 0.044715 * x.powi(3)), c * (1.0 + 3.0 * 0.044715 * x * x))
}

/// The activation of a number.
pub fn value(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu2 => x.max(0.0).powi(2),
        Activation::Gelu => x * normal(x),
        Activation::GeluTanh => x * sigmoid(gelu_tanh(x).0),
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
            let (u, slope) = gelu_tanh(x);
            sigmoid(u) * (1.0 + x * slope * sigmoid(-u))
        }
        Activation::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
        Activation::Sigmoid => sigmoid(x) * sigmoid(-x),
    }
}

/// Its second derivative, by differences: how far a rounding of x moves the slope. The step is the spacing of bf16 at 1, so
/// that a kink counts where such a rounding may carry x across it.
fn bend(kind: Activation, x: f64) -> f64 {
    const STEP: f64 = 1.0 / 128.0;
    (slope(kind, x + STEP) - slope(kind, x - STEP)) / (2.0 * STEP)
}

/// The activation of each element.
pub fn forward(kind: Activation, x: &[f64]) -> Sums {
    let mut y = Sums::zeros(x.len());
    for (i, x) in x.iter().enumerate() {
        let value = value(kind, *x);
        y.add_sized(i, value, value.abs() + (slope(kind, *x) * x).abs());
    }
    y
}

/// The gradient of x.
pub fn backward(kind: Activation, x: &[f64], dy: &[f64]) -> Sums {
    let mut dx = Sums::zeros(x.len());
    for (i, (x, dy)) in x.iter().zip(dy).enumerate() {
        let slope = slope(kind, *x);
        dx.add_sized(i, dy * slope, dy.abs() * (slope.abs() + (bend(kind, *x) * x).abs()));
    }
    dx
}

/// activation(gate) · up.
pub fn gated(kind: Activation, gate: &Sums, up: &Sums) -> Sums {
    let mut y = Sums::zeros(up.len());
    for i in 0..up.len() {
        let (x, up, size) = (gate.value[i], up.value[i], up.size[i]);
        let value = value(kind, x);
        y.add_sized(i, value * up, value.abs() * size + (slope(kind, x) * gate.size[i] * up).abs());
    }
    y
}

/// The gradients of gate and up.
pub fn gated_backward(kind: Activation, gate: &Sums, up: &Sums, dy: &[f64]) -> [Sums; 2] {
    let [mut dgate, mut dup] = [(); 2].map(|()| Sums::zeros(up.len()));
    for (i, dy) in dy.iter().enumerate() {
        let (x, up, size) = (gate.value[i], up.value[i], up.size[i]);
        let (value, slope) = (value(kind, x), slope(kind, x));
        dgate.add_sized(i, dy * up * slope, dy.abs() * (size * slope.abs() + (up * bend(kind, x) * gate.size[i]).abs()));
        dup.add_sized(i, dy * value, dy.abs() * (value.abs() + slope.abs() * gate.size[i]));
    }
    [dgate, dup]
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn slopes_agree_with_differences() {
        let x: Vec<f64> = (-60..=60).filter(|i| *i != 0).map(|i| f64::from(i) * 0.13).collect();
        let (up, dy) = (numbers("up", x.len()), numbers("dy", x.len()));
        for kind in Activation::ALL {
            gradient("dx", &backward(kind, &x, &dy), &x, &dy, |x| forward(kind, x).value);
            let (gate, sums) = (Sums::of(&x), Sums::of(&up));
            let [dgate, dup] = gated_backward(kind, &gate, &sums, &dy);
            gradient("dgate", &dgate, &x, &dy, |x| gated(kind, &Sums::of(x), &sums).value);
            gradient("dup", &dup, &up, &dy, |up| gated(kind, &gate, &Sums::of(up)).value);
        }
    }

    #[test]
    fn tails_do_not_cancel() {
        // x·Φ(x) by its asymptotic series, and x·e^(2u), both at -8.
        let x = -8.0f64;
        let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        let series = 1.0 - 1.0 / 64.0 + 3.0 / 4096.0 - 15.0 / 262_144.0;
        assert!((value(Activation::Gelu, x) / (-density * series) - 1.0).abs() < 1e-4);
        let twice = 2.0 * (2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3));
        assert!((value(Activation::GeluTanh, x) / (x * twice.exp()) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn known_values() {
        // Φ(1) and tanh by tables; the tails must not overflow.
        assert!((value(Activation::Gelu, 1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
        assert!((value(Activation::GeluTanh, 1.0) - 0.841_191_990_608_276_8).abs() < 1e-12);
        assert!((value(Activation::Silu, 1.0) - 0.731_058_578_630_004_9).abs() < 1e-15);
        for kind in Activation::ALL {
            for x in [-1e4, 0.0, 1e4] {
                assert!(value(kind, x).is_finite() && slope(kind, x).is_finite(), "{kind:?} at {x}");
            }
        }
    }
}
