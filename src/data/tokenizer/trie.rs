//! A double-array trie: all keys that a text begins with, a few loads per byte.

const FREE: u32 = u32::MAX;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Unit {
    base: u32,
    /// The unit above, [`FREE`] for none.
    parent: u32,
    value: u32,
}

const EMPTY: Unit = Unit { base: 0, parent: FREE, value: NONE };

/// Keys with values.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    units: Vec<Unit>,
    /// No unit from 257 to it is free; before 257 there is no room for all bytes.
    probe: usize,
    /// Where units with several children are looked for: their search never goes back, which makes building linear. What it
    /// leaves free is taken by only children, which are most.
    several: usize,
}

impl Trie {
    /// A trie of keys, none empty; of equal keys the first counts.
    pub(super) fn new<'a>(keys: impl Iterator<Item = (&'a [u8], u32)>) -> Self {
        let mut keys: Vec<(&[u8], u32)> = keys.filter(|(key, _)| !key.is_empty()).collect();
        keys.sort_by(|a, b| a.0.cmp(b.0));
        keys.dedup_by(|later, first| later.0 == first.0);
        let mut trie = Self { units: vec![EMPTY; 1024], probe: 257, several: 257 };
        trie.units[0].parent = 0;
        let mut open = vec![(0_u32, 0_usize, keys.len(), 0_usize)];
        while let Some((node, start, end, depth)) = open.pop() {
            let mut start = start;
            if start < end && keys[start].0.len() == depth {
                trie.units[node as usize].value = keys[start].1;
                start += 1;
            }
            let mut children: Vec<(u8, usize, usize)> = Vec::new();
            for (at, (key, _)) in keys[start..end].iter().enumerate() {
                match children.last_mut() {
                    Some((byte, _, end)) if *byte == key[depth] => *end = start + at + 1,
                    _ => children.push((key[depth], start + at, start + at + 1)),
                }
            }
            if let Some(&(first, ..)) = children.first() {
                let base = trie.room(&children, first);
                trie.units[node as usize].base = base;
                for (byte, start, end) in children {
                    let child = base + u32::from(byte);
                    trie.units[child as usize].parent = node;
                    open.push((child, start, end, depth + 1));
                }
            }
        }
        trie.units.shrink_to_fit();
        trie
    }

    /// A base at which all children have free units.
    fn room(&mut self, children: &[(u8, usize, usize)], first: u8) -> u32 {
        while self.units.get(self.probe).is_some_and(|unit| unit.parent != FREE) {
            self.probe += 1;
        }
        let only = children.len() == 1;
        let mut place = if only { self.probe } else { self.several };
        loop {
            if place + 512 > self.units.len() {
                self.units.resize(place + 1024, EMPTY);
            }
            let base = place - usize::from(first);
            if children.iter().all(|(byte, ..)| self.units[base + usize::from(*byte)].parent == FREE) {
                break;
            }
            place += 1;
        }
        if !only {
            self.several = place;
        }
        (place - usize::from(first)) as u32
    }

    /// Calls `found` with length and value of every key that `text` begins with, short ones first.
    #[inline]
    pub(super) fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let mut node = 0;
        for (at, &byte) in text.iter().enumerate() {
            let child = self.units[node as usize].base + u32::from(byte);
            match self.units.get(child as usize) {
                Some(unit) if unit.parent == node && child != 0 => {
                    node = child;
                    if unit.value != NONE {
                        found(at + 1, unit.value);
                    }
                }
                _ => return,
            }
        }
    }

    /// The longest key that `text` begins with: its length and value.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        let mut longest = None;
        self.prefixes(text, |length, value| longest = Some((length, value)));
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_prefixes_are_found(keys in proptest::collection::vec("[abé]{0,5}|\\PC{1,3}", 0..60), text in "[abé]{0,8}|\\PC{0,8}") {
            let trie = Trie::new(keys.iter().enumerate().map(|(i, key)| (key.as_bytes(), i as u32)));
            let mut found = Vec::new();
            trie.prefixes(text.as_bytes(), |length, value| found.push((length, value)));
            let mut expected: Vec<(usize, u32)> = Vec::new();
            for length in 1..=text.len() {
                let first = keys.iter().position(|key| key.as_bytes() == &text.as_bytes()[..length]);
                expected.extend(first.map(|value| (length, value as u32)));
            }
            prop_assert_eq!(trie.longest(text.as_bytes()), expected.last().copied());
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn many_keys_fit() {
        let keys: Vec<String> = (0..30_000_u32).map(|i| format!("{:x}", i.wrapping_mul(2_654_435_761))).collect();
        let trie = Trie::new(keys.iter().enumerate().map(|(i, key)| (key.as_bytes(), i as u32)));
        for (i, key) in keys.iter().enumerate().step_by(7) {
            assert_eq!(trie.longest(key.as_bytes()), Some((key.len(), i as u32)));
        }
        assert!(trie.units.len() < 400_000, "{}", trie.units.len());
    }
}
