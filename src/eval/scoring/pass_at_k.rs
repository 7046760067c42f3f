//! pass@k.

/// The chance that of `k` programs, drawn from `samples` of which `passed` pass, one or more do: 1 − C(n−c, k)/C(n, k), the
/// unbiased estimator of Chen et al. 2021, section 2.1. None where there are fewer samples than `k`, or `k` is 0.
pub fn pass_at_k(samples: usize, passed: usize, k: usize) -> Option<f64> {
    if k == 0 || k > samples || passed > samples {
        return None;
    }
    if samples - passed < k {
        return Some(1.0);
    }
    // C(n−c, k)/C(n, k) = ∏ (1 − k/i) over i from n−c+1 to n.
    Some(1.0 - (samples - passed + 1..=samples).map(|i| 1.0 - k as f64 / i as f64).product::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against counting every subset.
    #[test]
    fn is_the_share_of_subsets_with_a_pass() {
        for samples in 1..=9usize {
            for passed in 0..=samples {
                for k in 1..=samples {
                    let subsets = (0u32..1 << samples).filter(|set| set.count_ones() as usize == k);
                    let (mut all, mut hit) = (0, 0);
                    for set in subsets {
                        all += 1;
                        hit += usize::from(set & ((1 << passed) - 1) != 0);
                    }
                    let found = pass_at_k(samples, passed, k).unwrap();
                    assert!((found - f64::from(hit as u32) / f64::from(all)).abs() < 1e-12, "{samples} {passed} {k}: {found}");
                }
            }
        }
        assert_eq!((pass_at_k(3, 1, 4), pass_at_k(3, 1, 0)), (None, None));
    }
}
