//! Merging pairs of neighbours by rank: the heart of every byte-pair encoding.

use super::hash::Map;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Up to so many symbols, looking at all pairs again after each merge beats keeping them in order.
const FEW: usize = 40;
const NONE: u64 = u64::MAX;

/// Pairs of ids that become one, by rank.
#[derive(Clone, Debug, Default)]
pub(super) struct Merges {
    /// Pair of ids, the left one in the upper half, to rank (upper half) and merged id.
    table: Map<u64, u64>,
}

fn join(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

impl Merges {
    /// Adds a pair; the rank of one that is there already stays.
    pub(super) fn add(&mut self, left: u32, right: u32, rank: u32, merged: u32) {
        self.table.entry(join(left, right)).or_insert_with(|| join(rank, merged));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Rank and merged id of a pair, `NONE` if it stays apart.
    fn of(&self, left: u32, right: u32) -> u64 {
        self.table.get(&join(left, right)).copied().unwrap_or(NONE)
    }

    /// Merges the pair of lowest rank among the ids from `from` on, the leftmost of equals, until none is left.
    pub(super) fn merge(&self, ids: &mut Vec<u32>, from: usize) {
        match ids.len() - from {
            0 | 1 => {}
            count if count <= FEW => self.merge_few(ids, from),
            _ => self.merge_many(ids, from),
        }
    }

    fn merge_few(&self, ids: &mut Vec<u32>, from: usize) {
        let mut count = ids.len() - from;
        let symbols = &mut ids[from..];
        let mut pairs = [NONE; FEW];
        for at in 1..count {
            pairs[at - 1] = self.of(symbols[at - 1], symbols[at]);
        }
        loop {
            let (mut best, mut rank) = (0, u64::MAX);
            for (at, pair) in pairs[..count - 1].iter().enumerate() {
                if pair >> 32 < rank {
                    (best, rank) = (at, pair >> 32);
                }
            }
            if rank >= NONE >> 32 {
                break;
            }
            symbols[best] = pairs[best] as u32;
            symbols.copy_within(best + 2..count, best + 1);
            pairs.copy_within(best + 1..count - 1, best);
            count -= 1;
            if best > 0 {
                pairs[best - 1] = self.of(symbols[best - 1], symbols[best]);
            }
            if best + 1 < count {
                pairs[best] = self.of(symbols[best], symbols[best + 1]);
            }
            if count == 1 {
                break;
            }
        }
        ids.truncate(from + count);
    }

    fn merge_many(&self, ids: &mut Vec<u32>, from: usize) {
        const GONE: u32 = u32::MAX;
        let symbols = &mut ids[from..];
        let count = symbols.len();
        // Positions of the symbols to the left and right that are still there; `count` is none.
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<usize> = (0..count).map(|at| at.checked_sub(1).unwrap_or(count)).collect();
        let candidate = |symbols: &[u32], left: usize, right: usize| {
            let (a, b) = (symbols[left], symbols[right]);
            let found = self.of(a, b);
            (found != NONE).then_some(Reverse((found >> 32, left, right, a, b, found as u32)))
        };
        let mut queue: BinaryHeap<_> = (1..count).filter_map(|right| candidate(symbols, right - 1, right)).collect();
        while let Some(Reverse((_, left, right, a, b, merged))) = queue.pop() {
            if symbols[left] != a || symbols[right] != b || next[left] != right {
                continue;
            }
            symbols[left] = merged;
            symbols[right] = GONE;
            next[left] = next[right];
            if next[left] < count {
                previous[next[left]] = left;
                queue.extend(candidate(symbols, left, next[left]));
            }
            if previous[left] < count {
                queue.extend(candidate(symbols, previous[left], left));
            }
        }
        let mut kept = from;
        for at in from..ids.len() {
            if ids[at] != GONE {
                ids[kept] = ids[at];
                kept += 1;
            }
        }
        ids.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn few_and_many_merge_alike(ids in proptest::collection::vec(0_u32..4, 2..FEW), pairs in proptest::collection::vec((0_u32..12, 0_u32..12, 0_u32..6), 0..30)) {
            let mut merges = Merges::default();
            for (index, (left, right, rank)) in pairs.into_iter().enumerate() {
                merges.add(left, right, rank, 4 + index as u32 % 9);
            }
            let (mut few, mut many) = (ids.clone(), ids);
            merges.merge_few(&mut few, 0);
            merges.merge_many(&mut many, 0);
            prop_assert_eq!(few, many);
        }
    }

    #[test]
    fn the_leftmost_of_equals_is_first() {
        let mut merges = Merges::default();
        merges.add(1, 1, 0, 2);
        let mut ids = vec![9, 1, 1, 1];
        merges.merge(&mut ids, 1);
        assert_eq!(ids, [9, 2, 1]);
        assert_eq!(merges.len(), 1);
    }
}
