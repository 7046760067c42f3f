//! Holm's step-down correction (Holm 1979): the chance of any false discovery in a family stays below the level.

/// Adjusted p values, in the order given.
///
/// A comparison without a p stays without one and still counts: the family is what was declared, not what happened to
/// be computable.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let family = p.len();
    let mut order: Vec<(usize, f64)> = p.iter().enumerate().filter_map(|(index, p)| p.map(|p| (index, p))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; family];
    let mut floor: f64 = 0.0;
    for (rank, (index, p)) in order.into_iter().enumerate() {
        floor = floor.max(((family - rank) as f64 * p).min(1.0));
        adjusted[index] = Some(floor);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// R: `p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")` is 0.05 0.08 0.09 0.09 0.09.
    #[test]
    fn known_family() {
        let adjusted = holm(&[0.04, 0.01, 0.05, 0.02, 0.03].map(Some));
        for (value, expected) in adjusted.iter().zip([0.09, 0.05, 0.09, 0.08, 0.09]) {
            assert!((value.unwrap() - expected).abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn missing_members_count() {
        assert_eq!(holm(&[None, Some(0.01), None]), [None, Some(0.03), None]);
        assert_eq!(holm(&[]), []);
    }

    proptest! {
        #[test]
        fn properties(p in prop::collection::vec(0.0..=1.0f64, 1..12)) {
            let adjusted: Vec<f64> = holm(&p.iter().copied().map(Some).collect::<Vec<_>>()).into_iter().flatten().collect();
            let family = p.len() as f64;
            for (i, (raw, a)) in p.iter().zip(&adjusted).enumerate() {
                prop_assert!(a >= raw && *a <= 1.0);
                prop_assert!(*a <= (family * raw).min(1.0).max(adjusted.iter().zip(&p).filter(|(_, q)| *q <= raw).map(|(b, _)| *b).fold(0.0, f64::max)));
                for (other, b) in p.iter().zip(&adjusted).skip(i + 1) {
                    prop_assert!((raw < other && a <= b) || (raw > other && a >= b) || raw == other);
                }
            }
            let smallest = p.iter().copied().fold(1.0, f64::min);
            let first = adjusted.iter().copied().fold(1.0, f64::min);
            prop_assert!((first - (family * smallest).min(1.0)).abs() < 1e-12, "the smallest is Bonferroni's");
        }
    }
}
