//! Bits per byte against one forward pass per token.

use super::Bench;
use ablate::{
    device::DeviceName,
    eval::{Evaluation, evaluate},
    model::{Pass, Transformer},
    train::RunSpec,
};
use burn::tensor::{Int, Tensor, TensorData};

/// Nats of token `target` after the `inputs` tokens before it.
fn nats(model: &Transformer, tokens: &[u32], target: usize, inputs: usize) -> f64 {
    let row = |from: usize| -> Tensor<2, Int> {
        let values: Vec<i32> = tokens[from..from + inputs].iter().map(|&token| token as i32).collect();
        Tensor::from_data(TensorData::new(values, [1, inputs]), &DeviceName::Flex.open().unwrap())
    };
    let losses = model.token_losses(row(target - inputs), row(target - inputs + 1), &Pass::default());
    f64::from(losses.into_data().as_slice::<f32>().unwrap()[inputs - 1])
}

fn scored(bench: &Bench, spec: &RunSpec, batch: usize, multiples: &[usize]) -> ablate::eval::Scores {
    let model = spec.model.build(5, &DeviceName::Flex.open().unwrap());
    let evaluation = Evaluation {
        context: spec.model.context,
        batch,
        context_multiples: multiples.to_vec(),
        context_limit: spec.model.context_limit(),
        precision: Default::default(),
        document_mask: spec.model.attention.document_mask,
    };
    evaluate(&model, &bench.data, &evaluation)
}

#[test]
fn scores_agree_with_one_pass_per_token() {
    let bench = Bench::new();
    // Larger weights than usual, or every token would cost the same.
    let spec = bench.spec(&["model.init.std=0.3"]);
    let (context, model) = (spec.model.context, spec.model.build(5, &DeviceName::Flex.open().unwrap()));
    let validation = bench.data.validation();
    let (tokens, bos) = (&validation.tokens, bench.data.tokenizer().bos());
    let targets: Vec<usize> = (1..tokens.len()).filter(|&target| tokens[target] != bos).collect();
    assert!(targets.len() > 5 * context && tokens.len() % context != 1, "the text exercises the last window");
    assert_eq!(targets.len() as u64, validation.bytes, "one token per byte");

    let total: f64 = targets.iter().map(|&target| nats(&model, tokens, target, (target - 1) % context + 1)).sum();
    let expected = total / (2f64.ln() * validation.bytes as f64);
    let scores = scored(&bench, &spec, 3, &[1, 2]).0;
    assert!((scores["valid/bits_per_byte"] / expected - 1.0).abs() < 1e-5, "{scores:?} {expected}");

    for multiple in [1, 2] {
        let common: Vec<usize> = targets.iter().copied().filter(|&target| target > context).collect();
        let inputs = |target: usize| (target - 1) % context + 1 + (multiple - 1) * context;
        let total: f64 = common.iter().map(|&target| nats(&model, tokens, target, inputs(target))).sum();
        let expected = total / (2f64.ln() * common.len() as f64);
        let found = scores[&format!("valid/bits_per_byte@{multiple}x")];
        assert!((found / expected - 1.0).abs() < 1e-5, "{multiple}x: {found} {expected}");
    }
    assert_eq!(scores.len(), 3);
}

#[test]
fn learned_positions_are_undefined_beyond_training() {
    let bench = Bench::new();
    let scores = scored(&bench, &bench.spec(&["model.position.kind=learned"]), 4, &[1, 2, 4]).0;
    assert_eq!(scores.keys().collect::<Vec<_>>(), ["valid/bits_per_byte", "valid/bits_per_byte@1x"]);
    let scores = scored(&bench, &bench.spec(&["model.position.kind=alibi"]), 4, &[1, 2, 4]).0;
    assert_eq!(scores.len(), 4);
}
