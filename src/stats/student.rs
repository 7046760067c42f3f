//! Student's t distribution (Student 1908): how far a mean of few normal numbers strays, in units of its own error.

use statrs::{
    distribution::{ContinuousCDF, StudentsT},
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
    beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The value below which T falls with probability `p`.
///
/// # Panics
///
/// `freedom` is not positive, or `p` is outside (0, 1).
pub fn quantile(p: f64, freedom: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0);
    if p == 0.5 {
        return 0.0;
    }
    StudentsT::new(0.0, 1.0, freedom).expect("positive degrees of freedom").inverse_cdf(p)
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
}
