//! Regular fractions of two-level factorial designs (Box, Hunter and Hunter, "Statistics for Experimenters", chapter 12).
//!
//! Of k factors, n are varied in full; each of the others takes the parity of some of these. The words that say so, and all
//! their products, must have at least as many letters as the resolution.

/// Generators of the smallest fraction of so many factors: a set of the first n factors (bits) for each of the others.
///
/// None where only all cells have that resolution.
pub(super) fn generators(factors: usize, resolution: usize) -> Option<(usize, Vec<u32>)> {
    (1..factors).find_map(|full| {
        let words: Vec<u32> = (1u32..1 << full).filter(|set| set.count_ones() as usize + 1 >= resolution).collect();
        let mut chosen = Vec::new();
        search(&words, full, factors - full, resolution, &mut chosen, &mut vec![0]).then_some((full, chosen))
    })
}

/// Adds generators until there are enough; `group` holds the products of all words so far, the empty one first.
fn search(words: &[u32], full: usize, wanted: usize, resolution: usize, chosen: &mut Vec<u32>, group: &mut Vec<u64>) -> bool {
    if chosen.len() == wanted {
        return true;
    }
    for (at, set) in words.iter().enumerate() {
        let word = u64::from(*set) | 1 << (full + chosen.len());
        let products: Vec<u64> = group.iter().map(|product| product ^ word).collect();
        if products.iter().any(|product| (product.count_ones() as usize) < resolution) {
            continue;
        }
        let before = group.len();
        group.extend(products);
        chosen.push(*set);
        if search(&words[at + 1..], full, wanted, resolution, chosen, group) {
            return true;
        }
        chosen.pop();
        group.truncate(before);
    }
    false
}

/// The cells of a fraction: the level (0 or 1) of every factor. The first is the base, with all at 0.
pub(super) fn cells(full: usize, generators: &[u32]) -> Vec<Vec<usize>> {
    let level = |run: u32, set: u32| (run & set).count_ones() as usize % 2;
    let cell = |run: u32| {
        let varied = (0..full).map(|factor| level(run, 1 << factor));
        varied.chain(generators.iter().map(|set| level(run, *set))).collect()
    };
    (0..1u32 << full).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of the smallest fractions in Box, Hunter and Hunter's table of 2^(k-p) designs.
    #[test]
    fn fractions_are_as_small_as_the_published_ones() {
        for (factors, resolution, runs) in [
            (3, 3, 4),
            (4, 4, 8),
            (5, 5, 16),
            (5, 3, 8),
            (6, 3, 8),
            (7, 3, 8),
            (6, 4, 16),
            (7, 4, 16),
            (8, 4, 16),
            (8, 5, 64),
            (15, 3, 16),
            (9, 3, 16),
        ] {
            let (full, generators) = generators(factors, resolution).unwrap();
            assert_eq!(1 << full, runs, "{factors} factors, resolution {resolution}: {generators:?}");
        }
        assert_eq!(generators(4, 5), None, "only all 16 cells");
        assert_eq!(generators(2, 3), None);
    }

    #[test]
    fn columns_are_balanced_and_orthogonal() {
        for (factors, resolution) in [(5, 3), (6, 4), (8, 4), (5, 5)] {
            let (full, generators) = generators(factors, resolution).unwrap();
            let cells = cells(full, &generators);
            assert!(cells[0].iter().all(|level| *level == 0), "the base is a cell");
            for a in 0..factors {
                for b in 0..=a {
                    let sum: i64 = cells.iter().map(|cell| (2 * cell[a] as i64 - 1) * (2 * cell[b] as i64 - 1)).sum();
                    assert_eq!(sum, if a == b { cells.len() as i64 } else { 0 });
                }
            }
        }
    }
}
