//! Greedy pairwise covering arrays: every pair of values of two axes that can stand together stands in some row.

use std::collections::BTreeSet;

/// A pair of (axis, value), the smaller axis first.
type Pair = ((usize, usize), (usize, usize));

/// Rows of one value per axis that cover every feasible pair, and the number of pairs covered.
///
/// `sizes` are the numbers of values; `valid` judges rows that may still have gaps and must say no as early as it can.
/// Axes that constrain others come first, so that dead ends show early.
pub fn pairwise(sizes: &[usize], valid: &dyn Fn(&[Option<usize>]) -> bool) -> (Vec<Vec<usize>>, usize) {
    let mut open: BTreeSet<Pair> = BTreeSet::new();
    for a in 0..sizes.len() {
        for b in a + 1..sizes.len() {
            open.extend((0..sizes[a]).flat_map(|i| (0..sizes[b]).map(move |j| ((a, i), (b, j)))));
        }
    }
    let all = open.len();
    let (mut rows, mut infeasible) = (vec![], 0);
    while let Some(&((a, i), (b, j))) = open.first() {
        let mut row = vec![None; sizes.len()];
        (row[a], row[b]) = (Some(i), Some(j));
        if valid(&row) && complete(&mut row, 0, sizes, valid, &open) {
            let row: Vec<usize> = row.into_iter().flatten().collect();
            open.retain(|&((a, i), (b, j))| row[a] != i || row[b] != j);
            rows.push(row);
        } else {
            infeasible += 1;
            open.remove(&((a, i), (b, j)));
        }
    }
    (rows, all - infeasible)
}

/// Fills the gaps from axis `at` on, the value first that covers most open pairs with what stands already.
fn complete(
    row: &mut [Option<usize>],
    at: usize,
    sizes: &[usize],
    valid: &dyn Fn(&[Option<usize>]) -> bool,
    open: &BTreeSet<Pair>,
) -> bool {
    if at == sizes.len() {
        return true;
    }
    if row[at].is_some() {
        return complete(row, at + 1, sizes, valid, open);
    }
    let gain = |value: usize| {
        let pair = |(axis, other): (usize, usize)| if axis < at { ((axis, other), (at, value)) } else { ((at, value), (axis, other)) };
        row.iter().enumerate().filter_map(|(axis, v)| v.map(|v| (axis, v))).filter(|&cell| open.contains(&pair(cell))).count()
    };
    let mut values: Vec<(usize, usize)> = (0..sizes[at]).map(|value| (gain(value), value)).collect();
    values.sort_by_key(|&(gain, value)| (usize::MAX - gain, value));
    for (_, value) in values {
        row[at] = Some(value);
        if valid(row) && complete(row, at + 1, sizes, valid, open) {
            return true;
        }
    }
    row[at] = None;
    false
}

#[test]
fn covers_every_feasible_pair() {
    let sizes = [3, 4, 2, 3];
    // Value 3 of axis 1 only with value 0 of axis 0.
    let valid = |row: &[Option<usize>]| !matches!((row[0], row[1]), (Some(1 | 2), Some(3)));
    let (rows, pairs) = pairwise(&sizes, &valid);
    let mut found = BTreeSet::new();
    for row in &rows {
        assert!(valid(&row.iter().copied().map(Some).collect::<Vec<_>>()));
        for a in 0..sizes.len() {
            for b in a + 1..sizes.len() {
                found.insert(((a, row[a]), (b, row[b])));
            }
        }
    }
    assert_eq!(found.len(), pairs);
    assert_eq!(pairs, 12 + 6 + 9 + 8 + 12 + 6 - 2);
    assert!(rows.len() < 3 * 4 * 2 * 3 / 3, "{}", rows.len());
}
