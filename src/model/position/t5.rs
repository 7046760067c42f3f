//! T5's relative bias.

use super::Use;
use crate::{
    model::init::{Role, Scope},
    ops::ScoreBias,
    settings::Problem,
};
use burn::{
    module::{Module, Param},
    tensor::Tensor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of T5's relative bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct T5Config {
    /// Number of buckets; half of them exact, half logarithmic.
    pub buckets: usize,
    /// Distance from which all share the last bucket.
    pub max_distance: usize,
    /// Which layers use the bias, repeated over the layers.
    pub pattern: Vec<Use>,
}

impl Default for T5Config {
    fn default() -> Self {
        Self { buckets: 32, max_distance: 128, pattern: vec![Use::On] }
    }
}

/// A learned bias per bucket of distance and head; the buckets are those of [`crate::ops::relative_bucket`].
#[derive(Module, Debug)]
pub struct RelativeBias {
    /// `[buckets, heads]`.
    pub table: Param<Tensor<2>>,
    #[module(skip)]
    max_distance: usize,
    #[module(skip)]
    pattern: Vec<Use>,
}

impl T5Config {
    /// Draws the table.
    pub fn build(&self, scope: &Scope, heads: usize) -> RelativeBias {
        let table = scope.matrix("table", self.buckets, heads, Role::Position);
        RelativeBias { table, max_distance: self.max_distance, pattern: self.pattern.clone() }
    }

    /// Broken rules.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.buckets < 2 || self.buckets % 2 == 1 {
            let message = format!("{} is not an even number of at least 2", self.buckets);
            problems.push(Problem::new("model.position.buckets", message).help("half of them are exact; T5 uses 32"));
        } else if self.max_distance <= self.buckets / 2 {
            let message = format!("{} is not above the {} distances with a bucket of their own", self.max_distance, self.buckets / 2);
            problems.push(Problem::new("model.position.max_distance", message).help("T5 uses 128 with 32 buckets"));
        }
        problems.extend(Use::problem(&self.pattern));
        problems
    }
}

impl RelativeBias {
    /// What `layer` adds to the scores.
    pub fn bias(&self, layer: usize) -> ScoreBias {
        if Use::at(&self.pattern, layer) {
            ScoreBias::Relative { table: self.table.val(), max_distance: self.max_distance }
        } else {
            ScoreBias::None
        }
    }
}
