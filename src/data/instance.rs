//! Rows of which not every position has a target.

use std::ops::Range;

/// What is to be said at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the input token.
    pub position: usize,
    /// The right answer there.
    pub token: u32,
}

/// A row with the targets that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Inputs, as many as the context has.
    pub tokens: Vec<u32>,
    /// The targets that count, at least one, by rising position.
    pub targets: Vec<Target>,
}

impl Instance {
    /// The instance of a row of `context` + 1 tokens or more, in which the token behind each of `positions` is its target.
    pub(in crate::data) fn of_row(row: &[u32], context: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        let targets = positions.into_iter().map(|position| Target { position, token: row[position + 1] }).collect();
        Self { tokens: row[..context].to_vec(), targets }
    }
}

/// Targets at some positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scored {
    /// Of `rows · context` in row order, rising.
    pub positions: Vec<u32>,
    /// The target of each.
    pub targets: Vec<u32>,
}

impl Scored {
    /// The targets of instances that are rows of `context` tokens each.
    pub fn of(instances: &[Instance], context: usize) -> Self {
        let all = || instances.iter().enumerate().flat_map(|(row, instance)| instance.targets.iter().map(move |target| (row, target)));
        Self {
            positions: all().map(|(row, target)| (row * context + target.position) as u32).collect(),
            targets: all().map(|(_, target)| target.token).collect(),
        }
    }

    /// Those at positions in a range, which then begins at 0.
    pub fn within(&self, range: Range<usize>) -> Self {
        let end = |bound: usize| self.positions.partition_point(|position| (*position as usize) < bound);
        let places = end(range.start)..end(range.end);
        let positions = self.positions[places.clone()].iter().map(|position| position - range.start as u32).collect();
        Self { positions, targets: self.targets[places].to_vec() }
    }
}
