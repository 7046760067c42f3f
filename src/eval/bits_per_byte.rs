//! Validation loss in bits per byte of text, so that tokenizers can be compared.

use super::{Evaluation, Scores, Together};
use crate::{
    data::Dataset,
    model::{Pass, Transformer, document_starts},
    pulse,
};
use burn::{
    module::Module,
    tensor::{Int, Tensor, TensorData},
};
use std::f64::consts::LN_2;

/// Inputs `start .. start + length` of a token stream, of whose predictions the last `scored` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Index of the first input; its target is the token after it.
    pub start: usize,
    /// Inputs.
    pub length: usize,
    /// Targets that count, at the end.
    pub scored: usize,
}

/// Windows over a stream of `tokens` tokens that score each target once.
///
/// Targets come in blocks of `context`, the last one shorter. Each block is seen with (`multiple` - 1)·`context` tokens
/// before it; blocks start where `largest` of the multiples has its full context, so that the targets are the same for
/// every `multiple` up to `largest`. With both 1 every token but the first is a target.
pub fn windows(tokens: usize, context: usize, multiple: usize, largest: usize) -> Vec<Window> {
    debug_assert!(1 <= multiple && multiple <= largest);
    let before = (multiple - 1) * context;
    let first = (largest - 1) * context + 1;
    (first..tokens)
        .step_by(context)
        .map(|target| {
            let scored = context.min(tokens - target);
            Window { start: target - 1 - before, length: before + scored, scored }
        })
        .collect()
}

/// Bits per byte of the whole validation text, with each context.
pub(super) fn evaluate(model: &Transformer, dataset: &Dataset, evaluation: &Evaluation, all: &dyn Together) -> Scores {
    let validation = dataset.validation();
    let (tokens, special) = (&validation.tokens, dataset.tokenizer().bos());
    let context = evaluation.context;
    let mut scores = Scores::default();
    let score = |windows: &[Window], batch| {
        let losses = all.combined(losses(model, tokens, special, evaluation, windows, batch, all));
        sum(tokens, special, windows, &losses)
    };
    let whole = score(&windows(tokens.len(), context, 1, 1), evaluation.batch);
    if whole.targets == 0 || validation.bytes == 0 {
        return scores;
    }
    let bytes_per_target = validation.bytes as f64 / whole.targets as f64;
    scores.0.insert("valid/bits_per_byte".into(), whole.nats / (LN_2 * validation.bytes as f64));
    let Some(&largest) = evaluation.context_multiples.last() else { return scores };
    for &multiple in &evaluation.context_multiples {
        if !evaluation.reaches(multiple) {
            continue;
        }
        let windows = windows(tokens.len(), context, multiple, largest);
        let part = score(&windows, (evaluation.batch / multiple).max(1));
        if part.targets > 0 {
            scores.0.insert(format!("valid/bits_per_byte@{multiple}x"), part.nats / (LN_2 * bytes_per_target * part.targets as f64));
        }
    }
    scores
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    nats: f64,
    targets: u64,
}

/// The losses of the windows' scored targets, in order; zeros where another one scores.
fn losses(
    model: &Transformer,
    tokens: &[u32],
    special: u32,
    how: &Evaluation,
    windows: &[Window],
    batch: usize,
    all: &dyn Together,
) -> Vec<f32> {
    let device = &model.devices()[0];
    let mut scored = Vec::with_capacity(windows.iter().map(|window| window.scored).sum());
    let mut number = 0;
    // Only the last window may be shorter; it is a batch of its own.
    for equal in windows.chunk_by(|a, b| a.length == b.length) {
        for group in equal.chunks(batch) {
            number += 1;
            if !all.is_mine(number - 1) {
                scored.extend(group.iter().flat_map(|window| std::iter::repeat_n(0.0, window.scored)));
                continue;
            }
            pulse::beat();
            let shape = [group.len(), group[0].length];
            let part = |offset: usize| -> Tensor<2, Int> {
                let values: Vec<i32> = group
                    .iter()
                    .flat_map(|window| tokens[window.start + offset..][..window.length].iter().map(|&token| token as i32))
                    .collect();
                Tensor::from_data(TensorData::new(values, shape), device)
            };
            let inputs = || group.iter().map(|window| &tokens[window.start..][..window.length]);
            let starts = how.document_mask.then(|| document_starts(inputs(), special, device));
            let losses = model
                .token_losses(part(0), part(1), &Pass { starts, precision: how.precision, ..Pass::default() })
                .into_data()
                .convert::<f32>();
            let losses = losses.as_slice::<f32>().expect("losses were converted to f32");
            for (window, losses) in group.iter().zip(losses.chunks_exact(shape[1])) {
                scored.extend_from_slice(&losses[window.length - window.scored..]);
            }
        }
    }
    scored
}

/// Sums the losses of the windows' scored targets, in order and in f64.
fn sum(tokens: &[u32], special: u32, windows: &[Window], losses: &[f32]) -> Sum {
    let targets = windows.iter().flat_map(|window| {
        let end = window.start + window.length + 1;
        &tokens[end - window.scored..end]
    });
    let counted = targets.zip(losses).filter(|(target, _)| **target != special);
    counted.fold(Sum::default(), |sum, (_, loss)| Sum { nats: sum.nats + f64::from(*loss), targets: sum.targets + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_but_the_first_is_scored_once_with_at_most_one_context() {
        for tokens in 0..40 {
            for context in 1..12 {
                let mut seen = vec![0; tokens];
                for window in windows(tokens, context, 1, 1) {
                    assert!(window.length <= context && window.scored == window.length);
                    for index in window.start..window.start + window.length {
                        seen[index + 1] += 1;
                    }
                }
                assert!(seen.iter().skip(1).all(|&count| count == 1), "{tokens} {context}");
                assert!(seen.first().is_none_or(|&count| count == 0));
            }
        }
    }

    #[test]
    fn all_multiples_score_the_same_targets_with_their_own_contexts() {
        for tokens in [0, 1, 16, 17, 18, 40, 41, 63] {
            let context = 4;
            let targets = |multiple| -> Vec<(usize, usize)> {
                windows(tokens, context, multiple, 4)
                    .into_iter()
                    .flat_map(|w| (w.length - w.scored..w.length).map(move |i| (w.start + i + 1, i + 1)))
                    .collect()
            };
            let base = targets(1);
            assert_eq!(base.first().map(|first| first.0), (tokens > 13).then_some(13));
            assert_eq!(base.len(), tokens.saturating_sub(13));
            for multiple in [1, 2, 3, 4] {
                let longer = targets(multiple);
                assert_eq!(longer.len(), base.len());
                for (short, long) in base.iter().zip(&longer) {
                    assert_eq!(short.0, long.0);
                    assert_eq!(short.1 + (multiple - 1) * context, long.1, "inputs before the target");
                }
            }
        }
    }
}
