//! The order of training sequences: a pure function of seed and index, without files.

mod mixture;
mod permutation;

pub(super) use mixture::{Drawn, Mixture, Stage};
pub(super) use permutation::Permutation;
