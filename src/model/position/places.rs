//! Where tokens stand that continue what was read before.

use std::ops::Range;

/// Tokens that continue rows of text: `count` columns from column `first` on. The first columns of a row may be filling, so
/// that texts of different lengths end in the same column; positions count from behind the filling.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// The column of the first of these tokens.
    pub first: usize,
    /// Tokens of each row.
    pub count: usize,
    /// The columns of filling at the start of each row.
    pub filling: &'a [usize],
}

impl Places<'_> {
    /// The positions of all rows, if they are the same.
    pub fn shared(&self) -> Option<Range<usize>> {
        let filling = *self.filling.first()?;
        let same = filling <= self.first && self.filling.iter().all(|other| *other == filling);
        same.then(|| self.first - filling..self.first - filling + self.count)
    }

    /// Row-major `[rows, count]`; filling stands at 0.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.filling.iter().flat_map(|filling| (self.first..self.first + self.count).map(move |column| column.saturating_sub(*filling)))
    }

    /// One more than the last position.
    pub fn end(&self) -> usize {
        (self.first + self.count).saturating_sub(self.filling.iter().copied().min().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_behind_the_filling() {
        let ragged = Places { first: 2, count: 3, filling: &[0, 3, 5] };
        assert_eq!(ragged.positions().collect::<Vec<_>>(), [2, 3, 4, 0, 0, 1, 0, 0, 0]);
        assert_eq!((ragged.shared(), ragged.end()), (None, 5));
        let even = Places { first: 7, count: 2, filling: &[3, 3] };
        assert_eq!((even.shared(), even.end()), (Some(4..6), 6));
        assert_eq!(even.positions().collect::<Vec<_>>(), [4, 5, 4, 5]);
        // The filling itself has no positions to share.
        assert_eq!(Places { first: 0, count: 4, filling: &[2] }.shared(), None);
    }
}
