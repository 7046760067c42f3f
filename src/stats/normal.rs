//! The standard normal distribution, exact in either tail.

use libm::erfc;
use statrs::function::erf::erfc_inv;

/// P(Z ≤ x).
pub(super) fn below(x: f64) -> f64 {
    erfc(-x / std::f64::consts::SQRT_2) / 2.0
}

/// The value that Z exceeds with probability `p`: infinite at 0 and 1.
pub(super) fn upper(p: f64) -> f64 {
    debug_assert!((0.0..=1.0).contains(&p));
    let z = std::f64::consts::SQRT_2 * erfc_inv(2.0 * p);
    if !z.is_finite() {
        return z;
    }
    // A step of Newton's on the logarithm of the tail polishes the inverse where the tail is small.
    let tail = below(-z);
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z > 1.0 && tail > 0.0 { z + (tail / p).ln() * tail / density } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values by mpmath at 25 digits.
    #[test]
    fn agrees_with_high_precision() {
        for (z, tail) in [(0.0, 0.5), (1.0, 0.15865525393145705), (1.959963984540054, 0.025), (6.0, 9.86587645037698e-10)] {
            assert!((below(-z) / tail - 1.0).abs() < 1e-13, "{z}");
            assert!((below(z) - (1.0 - tail)).abs() < 1e-15, "{z}");
            assert!((upper(tail) - z).abs() < 1e-13 && (upper(1.0 - tail) + z).abs() < 1e-6, "{z}: {}", upper(tail));
        }
        assert!((below(-upper(1e-100)) / 1e-100 - 1.0).abs() < 1e-12);
        assert_eq!((upper(0.0), upper(1.0)), (f64::INFINITY, f64::NEG_INFINITY));
    }
}
