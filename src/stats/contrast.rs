//! Contrasts: a question about several cells of a design as one number per seed, for the paired t test.

/// One number per seed: Σ weight × value over the cells, `values` being indexed by seed, then by cell.
///
/// A seed counts only where every cell of non-zero weight has a value: the rest would ask another question. The main
/// effect of a factor weighs the cells of its high level by 2/cells and the others by -2/cells; an interaction
/// multiplies signs; the slope over a covariate is a contrast too. What all cells of a seed share cancels where weights
/// sum to 0, and [`paired`](super::paired) on the result is exact whatever the cells' correlations.
///
/// # Panics
///
/// A seed's row differs in length from `weights`.
pub fn contrasts(values: &[Vec<Option<f64>>], weights: &[f64]) -> Vec<f64> {
    values
        .iter()
        .filter_map(|cells| {
            assert_eq!(cells.len(), weights.len());
            cells.iter().zip(weights).filter(|(_, weight)| **weight != 0.0).map(|(cell, weight)| Some(weight * (*cell)?)).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn missing_cells_cost_only_the_questions_that_ask_for_them() {
        let values = [vec![Some(1.0), Some(2.0), Some(4.0)], vec![Some(1.0), None, Some(5.0)]];
        assert_eq!(contrasts(&values, &[-1.0, 0.0, 1.0]), [3.0, 4.0]);
        assert_eq!(contrasts(&values, &[-1.0, 1.0, 0.0]), [1.0]);
    }

    proptest! {
        /// In a full 2×2 design with known effects each contrast answers with its own effect, whatever the seeds add.
        #[test]
        fn factorial(seeds in prop::collection::vec(-9.0..9.0f64, 1..6), a in -1.0..1.0f64, b in -1.0..1.0f64, ab in -1.0..1.0f64) {
            let signs = [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)];
            let values: Vec<_> = seeds.iter().map(|seed| signs.map(|(u, v)| Some(seed + (a * u + b * v + ab * u * v) / 2.0)).to_vec()).collect();
            for (effect, weights) in [(a, signs.map(|(u, _)| u / 2.0)), (b, signs.map(|(_, v)| v / 2.0)), (ab, signs.map(|(u, v)| u * v / 2.0))] {
                prop_assert!(contrasts(&values, &weights).iter().all(|found| (found - effect).abs() < 1e-12));
            }
        }
    }
}
