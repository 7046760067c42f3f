//! What is fixed when a kernel is compiled.

/// What is added to the scores, as the kernels tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BiasKind {
    /// Nothing.
    None,
    /// A slope per query head.
    Alibi,
    /// A table by bucket of distance and query head.
    Relative,
}

/// Units of a cube: a square of [`SIDE`] by [`SIDE`], each owning every [`SIDE`]-th row and column of a tile.
pub const UNITS: usize = SIDE * SIDE;
/// Units along a side of a tile.
pub const SIDE: usize = 8;
/// Shared memory that every device has, in bytes.
pub const SHARED_BYTES: usize = 32 * 1024;

/// Which keys a query sees and what its scores are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scoring {
    /// Scores are capped.
    pub soft_cap: bool,
    /// Queries see their last keys only.
    pub window: bool,
    /// Queries see their document only.
    pub documents: bool,
    /// What is added to the scores.
    pub bias: BiasKind,
}

/// A tile of queries against a tile of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blueprint {
    /// Elements of a query, key or value.
    pub head_dim: usize,
    /// Queries of a tile.
    pub queries: usize,
    /// Keys of a tile.
    pub keys: usize,
    /// How scores are made.
    pub scoring: Scoring,
}

impl Blueprint {
    /// Tiles of the forward pass: query tile, a tile for keys and then values, scores, two partial results per row.
    pub fn forward(head_dim: usize, scoring: Scoring) -> Self {
        let (queries, keys) = by_width(head_dim, [(32, 32), (32, 32), (16, 32), (8, 16)]);
        Self { head_dim, queries, keys, scoring }.fits(|b| (b.queries + b.keys) * b.pitch() + b.queries * (b.keys + 1 + 2 * SIDE))
    }

    /// Tiles of the gradient of the queries: queries and gradients of outputs, a tile for values and then keys, scores, their
    /// sums along diagonals.
    pub fn queries(head_dim: usize, scoring: Scoring) -> Self {
        let (queries, keys) = by_width(head_dim, [(32, 32), (32, 32), (16, 16), (8, 8)]);
        Self { head_dim, queries, keys, scoring }
            .fits(|b| (2 * b.queries + b.keys) * b.pitch() + b.queries * (b.keys + 1) + b.queries + b.keys)
    }

    /// Tiles of the gradients of keys and values: keys, values, queries, gradients of outputs, probabilities, their gradients.
    pub fn keys(head_dim: usize, scoring: Scoring) -> Self {
        let (queries, keys) = by_width(head_dim, [(32, 32), (16, 32), (8, 16), (4, 8)]);
        Self { head_dim, queries, keys, scoring }.fits(|b| 2 * (b.queries + b.keys) * b.pitch() + 2 * b.keys * (b.queries + 1))
    }

    /// Columns of a tile of rows: the head in whole [`SIDE`]s.
    pub const fn width(&self) -> usize {
        self.head_dim.div_ceil(SIDE) * SIDE
    }

    /// Elements from one row of a tile to the next; odd, so that neighbouring rows lie in different banks.
    pub const fn pitch(&self) -> usize {
        self.width() + 1
    }

    fn fits(self, elements: impl Fn(&Self) -> usize) -> Self {
        assert!((1..=256).contains(&self.head_dim), "attention: heads of {} elements; the kernels take 1 to 256", self.head_dim);
        assert!(elements(&self) * 4 <= SHARED_BYTES, "tiles of {self:?} exceed the shared memory");
        self
    }
}

/// The choice for heads of at most 32, 64, 128 and any more elements.
fn by_width<T: Copy>(head_dim: usize, choices: [T; 4]) -> T {
    choices[[32, 64, 128].iter().filter(|&&width| head_dim > width).count()]
}
