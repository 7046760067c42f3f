//! Union-find.

/// Sets of numbers, merged pair by pair; the root of a set is its lowest number.
pub(super) struct UnionFind(Vec<u32>);

impl UnionFind {
    /// So many sets of one number.
    pub(super) fn new(count: u32) -> Self {
        Self((0..count).collect())
    }

    /// The lowest number of the set.
    pub(super) fn root(&mut self, mut number: u32) -> u32 {
        let parents = &mut self.0;
        while parents[number as usize] != number {
            // Halving: every second step skips one, so that later ways are short.
            let above = parents[parents[number as usize] as usize];
            parents[number as usize] = above;
            number = above;
        }
        number
    }

    /// Makes one set of two.
    pub(super) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}
