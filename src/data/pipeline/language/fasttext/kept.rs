//! Pruned models.

/// The rows of those buckets that a pruned model keeps.
pub(super) struct Kept {
    slots: Vec<(u32, u32)>,
    /// One more than the highest row.
    pub rows: u64,
}

impl Kept {
    /// No row has this number: it would lie beyond any matrix.
    const NONE: u32 = u32::MAX;

    pub(super) fn new(pairs: &[(u32, u32)]) -> Self {
        let rows = pairs.iter().map(|(_, row)| u64::from(*row) + 1).max().unwrap_or(0);
        let mut new = Self { slots: vec![(0, Self::NONE); (pairs.len() * 2).next_power_of_two().max(2)], rows };
        for pair in pairs {
            let place = new.place(pair.0);
            new.slots[place] = *pair;
        }
        new
    }

    fn place(&self, bucket: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = (bucket.wrapping_mul(0x9E37_79B1) >> 7) as usize & mask;
        while self.slots[place].1 != Self::NONE && self.slots[place].0 != bucket {
            place = (place + 1) & mask;
        }
        place
    }

    #[inline]
    pub(super) fn get(&self, bucket: u32) -> Option<u32> {
        Some(self.slots[self.place(bucket)].1).filter(|row| *row != Self::NONE)
    }
}
