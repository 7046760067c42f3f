//! McNemar's exact test (McNemar 1947): two models on the same right-or-wrong questions.

use serde::Serialize;
use statrs::function::gamma::ln_gamma;

/// What McNemar's test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Questions that only the first model got right.
    pub only_first: u64,
    /// Questions that only the second one got right.
    pub only_second: u64,
    /// Two-sided p of "each is as likely to be the one that is right".
    pub p: f64,
}

/// The exact test of how many questions only the first, and only the second model got right.
///
/// Questions that both got right, or both wrong, say nothing about which is better. Of the others, without a difference, a
/// fair coin would decide: p is twice the chance of a split as uneven or more. Like every test over items it speaks of other
/// questions for *these two trained models*, not of other seeds.
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let (few, all) = (only_first.min(only_second), only_first + only_second);
    let p = if 2 * few == all { 1.0 } else { (2.0 * tail(few, all)).min(1.0) };
    McNemar { only_first, only_second, p }
}

/// P(X ≤ `few`) of `all` throws of a fair coin, `few` below the half: from the largest term down, each by its ratio to the one
/// before.
fn tail(few: u64, all: u64) -> f64 {
    let (k, n) = (few as f64, all as f64);
    let largest = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0) - n * std::f64::consts::LN_2;
    let (mut sum, mut term) = (0.0, 1.0);
    for i in (0..=few).rev() {
        sum += term;
        // C(n, i − 1)/C(n, i).
        term *= i as f64 / (all - i + 1) as f64;
    }
    (largest + f64::ln(sum)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 1 of 6 has 1 + 6 of 64 throws at or below.
    #[test]
    fn small_counts() {
        let close = |a: u64, b: u64, p: f64| assert!((mcnemar(a, b).p - p).abs() < 1e-12, "{a} {b}");
        close(0, 0, 1.0);
        close(4, 4, 1.0);
        close(1, 5, 14.0 / 64.0);
        close(5, 1, 14.0 / 64.0);
        close(0, 10, 2.0 / 1024.0);
        close(2, 3, 1.0);
    }
}
