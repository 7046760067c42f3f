//! Student's t distribution (Student 1908): how far a mean of few normal numbers strays, in units of its own error.

use statrs::{
    distribution::{Continuous, ContinuousCDF, StudentsT},
    function::beta::beta_reg,
};

/// P(|T| ≥ |t|) for `freedom` degrees of freedom; exact in the far tail, where 1 - cdf would round to 0.
///
/// # Panics
///
/// `freedom` is not positive, or `t` is not a number.
pub fn two_sided_p(t: f64, freedom: f64) -> f64 {
    assert!(freedom > 0.0 && !t.is_nan());
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    if square < 1.0 {
        // Near the middle freedom/(freedom + t²) rounds to 1, and its complement does not.
        return 1.0 - beta_reg(0.5, freedom / 2.0, square / (freedom + square));
    }
    beta_reg(freedom / 2.0, 0.5, freedom / (freedom + square))
}

/// The value below which T falls with probability `p`.
///
/// # Panics
///
/// `freedom` is not positive, or `p` is outside (0, 1).
pub fn quantile(p: f64, freedom: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0);
    if p > 0.5 { upper(1.0 - p, freedom) } else { -upper(p, freedom) }
}

/// The value that T exceeds with probability `p`, also where `p` is far too small for `1 - p` to be told from 1.
///
/// # Panics
///
/// `freedom` is not positive, or `p` is outside (0, 1).
pub fn upper(p: f64, freedom: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0);
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -upper(1.0 - p, freedom);
    }
    let distribution = StudentsT::new(0.0, 1.0, freedom).expect("positive degrees of freedom");
    // The library's inverse is good to 1e-8 or so, and not far out; Newton's steps on the tail polish it. Both scales are
    // logarithmic, where a tail that falls like a power is a straight line.
    let mut t = -distribution.inverse_cdf(p);
    for _ in 0..20 {
        let tail = two_sided_p(t, freedom) / 2.0;
        if !(t > 0.0 && t.is_finite() && tail > 0.0) {
            break;
        }
        let step = (tail / p).ln() * tail / (t * distribution.pdf(t));
        t *= step.clamp(-9.0, 9.0).exp();
        if step.abs() < 1e-14 {
            break;
        }
    }
    t
}

/// The t that |T| stays below with probability `level`: half the width of an interval, in standard errors.
///
/// # Panics
///
/// `freedom` is not positive, or `level` is outside (0, 1).
pub fn critical(level: f64, freedom: f64) -> f64 {
    quantile(0.5 + level / 2.0, freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-7, "{value} is not {expected}");
    }

    /// Values by mpmath at 25 digits: regularised incomplete beta function, inverted by bisection.
    #[test]
    fn quantiles_agree_with_high_precision() {
        let table = [
            (1.0, [1.37638192047117, 12.7062047361747, 63.6567411628716, 127.321336468872]),
            (2.0, [1.06066017177982, 4.30265272974946, 9.92484320091829, 14.0890472755553]),
            (4.0, [0.940964577235181, 2.77644510519779, 4.60409487134999, 5.59756836707546]),
            (9.0, [0.883403859685535, 2.26215716279821, 3.24983554159213, 3.68966239230423]),
            (30.0, [0.853767261471298, 2.04227245630124, 2.74999565356723, 3.02979822364824]),
            (200.0, [0.843422131535418, 1.97189622363391, 2.60063443619156, 2.83851368826247]),
        ];
        for (freedom, row) in table {
            for (p, expected) in [0.8, 0.975, 0.995, 0.9975].into_iter().zip(row) {
                close(quantile(p, freedom), expected);
                close(-quantile(1.0 - p, freedom), expected);
            }
        }
        assert_eq!(quantile(0.5, 4.0), 0.0);
        close(critical(0.95, 4.0), 2.77644510519779);
    }

    #[test]
    fn tails_agree_with_high_precision() {
        close(two_sided_p(2.5, 4.0), 0.0667665448119881);
        close(two_sided_p(-12.0, 4.0), 0.000276428548502973);
        close(two_sided_p(40.0, 7.0), 1.59021799848504e-9);
        close(two_sided_p(0.1, 1.0), 0.936548965138893);
        assert_eq!(two_sided_p(0.0, 3.0), 1.0);
        assert_eq!(two_sided_p(f64::INFINITY, 3.0), 0.0);
    }

    /// Cauchy's distribution and that of two degrees of freedom have closed forms, far out as well.
    #[test]
    fn tails_have_closed_forms() {
        for p in [0.499999, 0.45, 0.3, 0.1, 0.025, 1e-3, 1e-6, 1e-10, 1e-14] {
            let near =
                |value: f64, expected: f64| assert!((value - expected).abs() < 1e-11 * expected.max(1.0), "{p}: {value}, {expected}");
            near(upper(p, 1.0), 1.0 / (std::f64::consts::PI * p).tan());
            near(upper(p, 2.0), (1.0 - 2.0 * p) / (2.0 * p * (1.0 - p)).sqrt());
            for freedom in [1.0, 1.5, 2.0, 3.7, 9.0, 100.0] {
                let back = two_sided_p(upper(p, freedom), freedom) / 2.0;
                assert!((back / p - 1.0).abs() < 1e-11, "{p} {freedom}: {back}");
            }
        }
    }
}
