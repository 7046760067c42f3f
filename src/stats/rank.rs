//! Rank correlations: whether an order of arms, as published, holds here.

use super::{correlation, normal, student};

/// Up to this many arms p counts every order they could have come in.
const EXACT: usize = 8;

/// How well two orders agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// How many arms.
    pub count: usize,
    /// From -1, the order reversed, to 1, the same order.
    pub coefficient: f64,
    /// Two-sided p of "the orders have nothing to do with each other": exact up to eight arms, ties included; beyond, by
    /// Student's t (Spearman) or the normal distribution (Kendall). It cannot go below 2/n!, a third for three arms.
    pub p: f64,
}

/// Spearman's ρ (1904): Pearson's correlation of ranks, ties sharing their mean rank. None below three arms, and where
/// all are tied.
///
/// # Panics
///
/// The slices differ in length.
pub fn spearman(one: &[f64], other: &[f64]) -> Option<Rank> {
    let (a, b) = (ranks(one), ranks(other));
    let coefficient = correlation(&a, &b)?;
    let count = a.len();
    // Ranks are halves of integers: sums of their products are exact, and ties are told from near ties.
    let center = (count as f64 + 1.0) / 2.0;
    let statistic = |order: &[usize]| order.iter().zip(&a).map(|(i, a)| (a - center) * (b[*i] - center)).sum::<f64>().abs();
    let p = exact(count, statistic).unwrap_or_else(|| {
        let freedom = (count - 2) as f64;
        student::two_sided_p(coefficient * (freedom / (1.0 - coefficient * coefficient)).sqrt(), freedom)
    });
    Some(Rank { count, coefficient, p })
}

/// Kendall's τ-b (1945): pairs of arms in the same order less pairs in the opposite one, over what ties allow. None
/// below three arms, and where all are tied.
///
/// # Panics
///
/// The slices differ in length.
pub fn kendall(one: &[f64], other: &[f64]) -> Option<Rank> {
    assert_eq!(one.len(), other.len());
    let count = one.len();
    let (ties, others) = (tied(one), tied(other));
    let pairs = |groups: &[f64]| groups.iter().map(|t| t * (t - 1.0) / 2.0).sum::<f64>();
    let all = pairs(&[count as f64]);
    let (free, free_other) = (all - pairs(&ties), all - pairs(&others));
    if count < 3 || free == 0.0 || free_other == 0.0 {
        return None;
    }
    let concord = |order: &[usize]| -> f64 {
        let sign = |a: f64, b: f64| {
            if a > b {
                1.0
            } else if a < b {
                -1.0
            } else {
                0.0
            }
        };
        (0..count)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| sign(one[i], one[j]) * sign(other[order[i]], other[order[j]]))
            .sum()
    };
    let score = concord(&(0..count).collect::<Vec<_>>());
    let p = exact(count, |order| concord(order).abs()).unwrap_or_else(|| {
        // Kendall (1970), the variance of the score with ties in both orders.
        let n = count as f64;
        let sum = |groups: &[f64], f: fn(f64) -> f64| groups.iter().map(|t| f(*t)).sum::<f64>();
        let cubic = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
        let triples = |t: f64| t * (t - 1.0) * (t - 2.0);
        let variance = (cubic(n) - sum(&ties, cubic) - sum(&others, cubic)) / 18.0
            + sum(&ties, triples) * sum(&others, triples) / (9.0 * triples(n))
            + 2.0 * pairs(&ties) * pairs(&others) / (n * (n - 1.0));
        2.0 * normal::below(-score.abs() / variance.sqrt())
    });
    Some(Rank { count, coefficient: score / (free * free_other).sqrt(), p })
}

/// The share of all orders whose statistic is at least that of the order as it is; none where they are too many.
fn exact(count: usize, statistic: impl Fn(&[usize]) -> f64) -> Option<f64> {
    if count > EXACT {
        return None;
    }
    let mut order: Vec<usize> = (0..count).collect();
    let observed = statistic(&order) - 1e-9;
    let (mut far, mut all) = (0u32, 0u32);
    let mut visit = |order: &[usize]| {
        all += 1;
        far += u32::from(statistic(order) >= observed);
    };
    visit(&order);
    // Heap's algorithm (1963): all orders by swaps.
    let (mut counters, mut i) = (vec![0; count], 1);
    while i < count {
        if counters[i] < i {
            order.swap(if i % 2 == 0 { 0 } else { counters[i] }, i);
            visit(&order);
            counters[i] += 1;
            i = 1;
        } else {
            counters[i] = 0;
            i += 1;
        }
    }
    Some(far as f64 / all as f64)
}

/// Ranks from 1, ties at their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: &f64| values.iter().filter(|other| *other < value).count() as f64;
    let same = |value: &f64| values.iter().filter(|other| *other == value).count() as f64;
    values.iter().map(|value| below(value) + (same(value) + 1.0) / 2.0).collect()
}

/// Sizes of the groups of equal values.
fn tied(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|group| group.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits() {
        let (up, down) = ([1.0, 2.0, 5.0, 9.0], [3.0, 2.0, 1.0, 0.0]);
        for rank in [spearman, kendall] {
            assert_eq!(rank(&up[..2], &up[..2]), None);
            assert_eq!(rank(&[1.0; 4], &up), None);
            // Two of 4! orders are as extreme.
            let same = rank(&up, &up).unwrap();
            assert!((same.coefficient - 1.0).abs() < 1e-15 && (same.p - 2.0 / 24.0).abs() < 1e-15, "{same:?}");
            assert!((rank(&up, &down).unwrap().coefficient + 1.0).abs() < 1e-15);
        }
    }

    proptest! {
        /// Monotone maps change nothing, a reversal only the sign, and neither does the order in which arms are listed matter.
        #[test]
        fn properties(pairs in prop::collection::vec((0..9i32, 0..9i32), 3..8)) {
            let split = |pairs: &[(i32, i32)]| -> (Vec<f64>, Vec<f64>) { pairs.iter().map(|(a, b)| (*a as f64, *b as f64)).unzip() };
            let (x, y) = split(&pairs);
            for rank in [spearman, kendall] {
                let Some(first) = rank(&x, &y) else { continue };
                prop_assert!(first.coefficient.abs() <= 1.0 + 1e-12 && first.p > 0.0 && first.p <= 1.0);
                let mapped: Vec<f64> = x.iter().map(|v| v.exp()).collect();
                prop_assert_eq!(rank(&mapped, &y).unwrap(), first);
                let reversed: Vec<f64> = x.iter().map(|v| -v).collect();
                let reversed = rank(&reversed, &y).unwrap();
                prop_assert!((reversed.coefficient + first.coefficient).abs() < 1e-12 && (reversed.p - first.p).abs() < 1e-12);
                let mut listed = pairs.clone();
                listed.rotate_left(1);
                let (u, v) = split(&listed);
                let again = rank(&u, &v).unwrap();
                prop_assert!((again.coefficient - first.coefficient).abs() < 1e-12 && (again.p - first.p).abs() < 1e-12);
            }
        }
    }
}
