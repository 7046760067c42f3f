//! Sum of squares.

use super::Sums;

/// Σ x².
pub fn forward(x: &[f64]) -> Sums {
    Sums::of(&[x.iter().map(|x| x * x).sum()])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sum_by_hand() {
        assert_eq!(super::forward(&[3.0, -4.0, 0.0]).value, [25.0]);
        assert_eq!(super::forward(&[]).value, [0.0]);
    }
}
