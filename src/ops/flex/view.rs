//! Heads as they lie in memory.

/// A [batch, heads, seq, head_dim] array of any strides, its last dimension contiguous.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The elements; the array begins at the first.
    pub data: &'a [f32],
    /// Elements from one batch entry to the next.
    pub batch: usize,
    /// Elements from one head to the next.
    pub head: usize,
    /// Elements from one position to the next.
    pub seq: usize,
}

impl<'a> View<'a> {
    /// A row of `width` elements.
    #[inline(always)]
    pub fn row(&self, batch: usize, head: usize, position: usize, width: usize) -> &'a [f32] {
        &self.data[batch * self.batch + head * self.head + position * self.seq..][..width]
    }
}
