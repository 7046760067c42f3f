//! A row of floating-point numbers of either width, as it is sent and added up.

use bytemuck::{Pod, cast_slice, pod_collect_to_vec};
use std::ops::{AddAssign, Range};

/// Numbers of one width.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

/// Does the same to numbers of either width.
macro_rules! either {
    ($numbers:expr, $values:ident => $body:expr) => {
        match $numbers {
            Numbers::F32($values) => $body,
            Numbers::F64($values) => $body,
        }
    };
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        either!(self, values => values.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Zeros of the same width.
    pub fn zeros(&self, count: usize) -> Self {
        match self {
            Self::F32(_) => Self::F32(vec![0.0; count]),
            Self::F64(_) => Self::F64(vec![0.0; count]),
        }
    }

    /// A part of them, as numbers.
    pub fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::F32(values) => Self::F32(values[range].to_vec()),
            Self::F64(values) => Self::F64(values[range].to_vec()),
        }
    }

    /// Puts others of the same width in the place that begins at `start`.
    ///
    /// # Panics
    ///
    /// If the widths differ, or they do not fit.
    pub fn put(&mut self, start: usize, others: &Self) {
        match (self, others) {
            (Self::F32(values), Self::F32(others)) => values[start..start + others.len()].copy_from_slice(others),
            (Self::F64(values), Self::F64(others)) => values[start..start + others.len()].copy_from_slice(others),
            _ => panic!("numbers of two widths"),
        }
    }

    /// A part of them, as it is sent.
    pub(super) fn bytes(&self, range: Range<usize>) -> Vec<u8> {
        either!(self, values => cast_slice(&values[range]).to_vec())
    }

    /// Puts what was sent in the place of a part.
    pub(super) fn put_bytes(&mut self, range: Range<usize>, bytes: &[u8]) {
        either!(self, values => values[range].copy_from_slice(&pod_collect_to_vec(bytes)));
    }

    /// Adds what was sent to a part.
    pub(super) fn add_bytes(&mut self, range: Range<usize>, bytes: &[u8]) {
        either!(self, values => add(&mut values[range], bytes));
    }

    /// Bytes of one.
    pub fn width(&self) -> usize {
        match self {
            Self::F32(_) => 4,
            Self::F64(_) => 8,
        }
    }
}

fn add<T: Pod + AddAssign>(values: &mut [T], bytes: &[u8]) {
    values.iter_mut().zip(pod_collect_to_vec::<u8, T>(bytes)).for_each(|(value, other)| *value += other);
}
