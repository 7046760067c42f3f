//! The evaluation as written and as resolved.

use super::{RunSpec, require};
use crate::{eval::Evaluation, settings::Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The evaluation as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Evaluate every so many steps, and at the end; a tenth of the steps by default.
    pub every: Option<usize>,
    /// Sequences per forward pass.
    pub batch: usize,
    /// Also score the same target tokens with contexts of so many times the training context; of a synthetic task, instances
    /// so many times as long.
    pub context_multiples: Vec<usize>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { every: None, batch: 16, context_multiples: vec![] }
    }
}

/// The evaluation as resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Evaluate every so many steps, and at the end.
    pub every: usize,
    /// Sequences per forward pass.
    pub batch: usize,
    /// Contexts in multiples of the training context, ascending; empty or starting with 1.
    pub context_multiples: Vec<usize>,
}

impl RunSpec {
    /// How what is kept for validation is scored.
    pub fn examined(&self) -> Evaluation {
        Evaluation {
            context: self.model.context,
            batch: self.evaluation.batch,
            context_multiples: self.evaluation.context_multiples.clone(),
            context_limit: self.model.context_limit(),
            document_mask: self.model.attention.document_mask,
            precision: self.train.precision,
        }
    }
}

impl EvaluationConfig {
    /// The broken rules of this section.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        require(&mut problems, self.every != Some(0), "evaluation.every", || "must be at least 1".into());
        require(&mut problems, self.batch > 0, "evaluation.batch", || "must be at least 1".into());
        require(&mut problems, !self.context_multiples.contains(&0), "evaluation.context_multiples", || "each must be at least 1".into());
        problems
    }

    /// Fills what is not written, for a run of `steps`.
    pub fn resolve(&self, steps: usize) -> EvaluationSpec {
        // The training context itself is the baseline of any comparison between contexts.
        let baseline = if self.context_multiples.is_empty() { None } else { Some(1) };
        let multiples: BTreeSet<usize> = self.context_multiples.iter().copied().chain(baseline).collect();
        EvaluationSpec {
            every: self.every.unwrap_or((steps / 10).max(1)),
            batch: self.batch,
            context_multiples: multiples.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_are_ascending_and_contain_the_baseline() {
        let resolved = EvaluationConfig { context_multiples: vec![4, 2, 4], ..EvaluationConfig::default() }.resolve(95);
        assert_eq!(resolved.context_multiples, [1, 2, 4]);
        assert_eq!(resolved.every, 9);
        assert!(EvaluationConfig::default().resolve(3).context_multiples.is_empty());
        assert_eq!(EvaluationConfig::default().resolve(3).every, 1);
    }
}
