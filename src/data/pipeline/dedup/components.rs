//! Which documents hang together through pairs, and the first of each group: in memory if the pairs fit, else on disk.

use super::{
    record::Place,
    sorted::{Sorted, Sorter},
    union::UnionFind,
    work::Work,
};
use crate::settings::Result;

/// Bytes of memory that a pair may take: itself, two places, two parents, and what sorting them needs.
const PAIR: u64 = 56;

/// A document and another one, or its keeper.
type Pair = (Place, Place);

/// For every document that is in a pair, but for the first of its group: the document and that first one, in order.
pub(super) fn components(work: &Work, name: &str, pairs: Sorter<Pair>, memory: usize) -> Result<Sorted<Pair>> {
    if pairs.records().saturating_mul(PAIR) <= memory as u64 { in_memory(pairs) } else { on_disk(work, name, pairs, memory) }
}

fn in_memory(pairs: Sorter<Pair>) -> Result<Sorted<Pair>> {
    let mut sorted = pairs.sorted()?;
    let mut pairs = vec![];
    while let Some(pair) = sorted.next()? {
        pairs.push(pair);
    }
    let mut nodes: Vec<Place> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let number = |place| nodes.binary_search(place).expect("all places are among the nodes") as u32;
    let mut sets = UnionFind::new(nodes.len() as u32);
    pairs.iter().for_each(|(a, b)| sets.join(number(a), number(b)));
    let members = (0..nodes.len() as u32).map(|node| (nodes[node as usize], nodes[sets.root(node) as usize]));
    Ok(Sorted::Memory(members.filter(|(member, first)| member != first).collect::<Vec<_>>().into_iter()))
}

/// Alternates two steps over the sorted pairs until nothing changes (Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii
/// 2014, "Connected components in MapReduce and beyond"): every document's larger neighbours, then its smaller ones, are tied
/// to the least of its neighbours instead. What is left are stars around the first documents.
fn on_disk(work: &Work, name: &str, pairs: Sorter<Pair>, memory: usize) -> Result<Sorted<Pair>> {
    let part = memory / 3;
    let mut from = pairs.sorted()?;
    for round in 0u32.. {
        let sorter = |step: &str| work.sorter::<Pair>(&format!("{name}-{round}-{step}"), part);
        // Both directions of every pair.
        let mut both = sorter("both")?;
        while let Some((a, b)) = from.next()? {
            if a != b {
                both.push((a, b))?;
                both.push((b, a))?;
            }
        }
        drop(from);
        // Larger neighbours go to the least, as (larger, smaller).
        let mut larger = sorter("large")?;
        let mut changed = false;
        let mut group = Group::new(both.sorted()?);
        while let Some((node, least, neighbour)) = group.next()? {
            let least = least.min(node);
            if neighbour > node {
                changed |= least != node;
                larger.push((neighbour, least))?;
            }
        }
        drop(group);
        // Of those below, all but the least go to the least, and so does the document itself.
        let mut smaller = sorter("small")?;
        let mut group = Group::new(larger.sorted()?);
        while let Some((node, least, neighbour)) = group.next()? {
            if neighbour == least {
                smaller.push((node, least))?;
            } else {
                changed = true;
                smaller.push((neighbour, least))?;
            }
        }
        drop(group);
        from = smaller.sorted()?;
        if !changed {
            break;
        }
    }
    Ok(from)
}

/// Pairs by their first document: with the least of its neighbours, and each neighbour once.
struct Group {
    sorted: Sorted<Pair>,
    last: Option<(Place, Place, Place)>,
}

impl Group {
    fn new(sorted: Sorted<Pair>) -> Self {
        Self { sorted, last: None }
    }

    /// The document, the least of its neighbours, the next neighbour.
    fn next(&mut self) -> Result<Option<(Place, Place, Place)>> {
        while let Some((node, neighbour)) = self.sorted.next()? {
            let next = match self.last {
                Some((same, _, before)) if same == node && before == neighbour => continue,
                Some((same, least, _)) if same == node => (node, least, neighbour),
                // Sorted: the first neighbour is the least.
                _ => (node, neighbour, neighbour),
            };
            self.last = Some(next);
            return Ok(self.last);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(number: u32) -> Place {
        Place { shard: number / 16, document: number % 16 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn memory_and_disk_find_the_same_groups(pairs in prop::collection::vec((0u32..120, 0u32..120), 0..90)) {
            let folder = tempfile::tempdir().unwrap();
            let work = Work::new(folder.path(), 0, 1, 1).unwrap();
            let fill = || {
                let mut sorter = work.sorter("pairs", 0).unwrap();
                pairs.iter().for_each(|(a, b)| sorter.push((place(*a), place(*b))).unwrap());
                sorter
            };
            let drain = |mut sorted: Sorted<Pair>| -> Vec<Pair> { std::iter::from_fn(|| sorted.next().unwrap()).collect() };
            let memory = drain(components(&work, "x", fill(), 1 << 20).unwrap());
            prop_assert_eq!(&drain(components(&work, "x", fill(), 0).unwrap()), &memory);
            // Plain propagation until nothing changes.
            let mut label: Vec<u32> = (0..120).collect();
            while pairs.iter().any(|(a, b)| label[*a as usize] != label[*b as usize]) {
                for (a, b) in &pairs {
                    let least = label[*a as usize].min(label[*b as usize]);
                    (label[*a as usize], label[*b as usize]) = (least, least);
                }
            }
            let expected: Vec<Pair> = (0..120).filter(|n| label[*n as usize] != *n).map(|n| (place(n), place(label[n as usize]))).collect();
            prop_assert_eq!(memory, expected);
        }
    }

    #[test]
    fn a_long_chain_is_one_group() {
        let folder = tempfile::tempdir().unwrap();
        let work = Work::new(folder.path(), 0, 1, 1).unwrap();
        let mut pairs = work.sorter("pairs", 0).unwrap();
        (0..500u32).rev().for_each(|number| pairs.push((place(number * 7 % 501), place((number + 1) * 7 % 501))).unwrap());
        let mut found = components(&work, "x", pairs, 0).unwrap();
        let mut count = 0;
        while let Some((_, first)) = found.next().unwrap() {
            assert_eq!(first, place(0));
            count += 1;
        }
        assert_eq!(count, 500);
    }
}
