//! What an evaluation is told, and what it gives.

use super::{bits_per_byte, synthetic};
use crate::{data::Dataset, model::Transformer, ops::Precision};
use std::collections::BTreeMap;

/// Values by the name of the metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores(pub BTreeMap<String, f64>);

/// How to score the validation text, or the validation instances of a synthetic task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Training context in tokens.
    pub context: usize,
    /// Sequences of one context per forward pass; as many tokens for longer contexts.
    pub batch: usize,
    /// Contexts in multiples of the training context, ascending; empty or starting with 1.
    pub context_multiples: Vec<usize>,
    /// The longest context that the model's positions are defined for, if there is one.
    pub context_limit: Option<usize>,
    /// Whether the model keeps documents apart.
    pub document_mask: bool,
    /// The type of the operands of matrix products.
    pub precision: Precision,
}

impl Evaluation {
    /// Whether the positions of the model are defined for a multiple of the training context.
    pub(super) fn reaches(&self, multiple: usize) -> bool {
        self.context_limit.is_none_or(|limit| limit >= multiple * self.context)
    }
}

/// Those who have the same model and evaluate it together: every batch is scored by one of them.
pub trait Together {
    /// Whether a batch is this one's, by its number.
    fn is_mine(&self, batch: usize) -> bool;

    /// The numbers of all; each has zeros where others have scored.
    fn combined(&self, numbers: Vec<f32>) -> Vec<f32>;
}

/// One who does it all.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Together for Alone {
    fn is_mine(&self, _: usize) -> bool {
        true
    }

    fn combined(&self, numbers: Vec<f32>) -> Vec<f32> {
        numbers
    }
}

/// Scores all that is kept for validation, with the training context and with the context multiples m.
///
/// Text: `valid/bits_per_byte`, and the same target tokens with m training contexts before them, `valid/bits_per_byte@{m}x`.
/// Each value is Σ nats / (ln 2 · bytes). Special tokens that open documents are read but not scored. The bytes behind
/// the targets of the multiples, which leave out the start of the text, are taken in proportion to the targets. A value
/// is absent where the positions are undefined for its context, or the text is too short for the largest context.
///
/// Synthetic tasks: `valid/accuracy`, the share of targets whose most likely token is right; `valid/sequence_accuracy`, the
/// share of instances whose targets all are; `valid/loss`, nats per target; and each of them for instances m times as long,
/// `valid/accuracy@{m}x`, absent where the positions are undefined for them.
///
/// Batches that were given keep nothing for validation: there is no score.
pub fn evaluate(model: &Transformer, dataset: &Dataset, evaluation: &Evaluation) -> Scores {
    evaluate_together(model, dataset, evaluation, &Alone)
}

/// [`evaluate`], where each of several has a part of the work and all get the scores: the same bits as alone.
pub fn evaluate_together(model: &Transformer, dataset: &Dataset, evaluation: &Evaluation, all: &dyn Together) -> Scores {
    match dataset.synthetic() {
        Some(task) => synthetic::evaluate(model, task, evaluation, all),
        None if dataset.has_text() => bits_per_byte::evaluate(model, dataset, evaluation, all),
        None => Scores::default(),
    }
}
