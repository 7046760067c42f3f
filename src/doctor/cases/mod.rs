//! Shapes and options that cover an operator: 1, primes, what is no multiple of a tile, every option, numbers at the edge.

mod attention;
mod embedding;
mod gated;
mod linear;
mod loss;
mod norm;
mod rotary;
mod self_attention;
mod update;

use super::place::{Input, Place};
use crate::ops::Op;

/// An operator on some inputs.
pub struct Case {
    /// The operator.
    pub op: Op,
    /// Shapes and options, in words.
    pub name: String,
    /// Runs it and leaves the findings at the place.
    pub run: Box<dyn Fn(&mut Place)>,
}

impl Case {
    fn new(op: Op, name: impl Into<String>, run: impl Fn(&mut Place) + 'static) -> Self {
        Self { op, name: name.into(), run: Box::new(run) }
    }
}

/// All cases.
pub fn all() -> Vec<Case> {
    [
        embedding::cases(),
        norm::cases(),
        self_attention::cases(),
        attention::cases(),
        rotary::cases(),
        gated::cases(),
        linear::cases(),
        loss::cases(),
        update::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
