//! A model as a scorer, against its own losses token by token.

use super::task;
use ablate::{
    data::Tokenizer,
    device::DeviceName,
    eval::{
        scoring::{Asking, Decoding, Generator, LanguageModel, Scorer, Sequence, evaluate_task},
        tasks::Question,
    },
    model::{ModelConfig, ModelSpec, Pass, Transformer},
    settings::Document,
};
use burn::tensor::{Int, Tensor, TensorData};

const CONTEXT: usize = 48;

fn device() -> burn::tensor::Device {
    DeviceName::Flex.open().unwrap()
}

/// Bytes, and a random model with larger weights than usual, or every token would cost the same.
fn tiny(folder: &std::path::Path) -> (ModelSpec, Transformer, Tokenizer) {
    std::fs::write(folder.join("tokenizer.meta.json"), "{\"format\":1,\"kind\":\"bytes\"}").unwrap();
    let tokenizer = Tokenizer::load(folder).unwrap();
    let text = format!(
        "layers = 2\nwidth = 16\ncontext = {CONTEXT}\nattention = {{ heads = 2 }}\nfeed_forward = {{ hidden = 24 }}\ninit = {{ std = 0.4 }}"
    );
    let config: ModelConfig = Document::from_text("model.toml", &text).unwrap().parse().unwrap_or_else(|error| panic!("{error}"));
    let spec = config.resolve(Some(tokenizer.vocab())).unwrap_or_else(|problems| panic!("{problems:?}"));
    let model = spec.build(3, &device());
    (spec, model, tokenizer)
}

fn row(tokens: &[u32]) -> Tensor<2, Int> {
    let values: Vec<i32> = tokens.iter().map(|token| *token as i32).collect();
    Tensor::from_data(TensorData::new(values, [1, tokens.len()]), &device())
}

/// Log-likelihood of the tokens from `from` on by `token_losses`, one sequence at a time; `inputs` before the last one are read.
fn alone(model: &Transformer, tokens: &[u32], from: usize, inputs: usize) -> f64 {
    let start = tokens.len() - 1 - inputs;
    let losses = model.token_losses(row(&tokens[start..tokens.len() - 1]), row(&tokens[start + 1..]), &Pass::default());
    let losses = losses.into_data().convert::<f32>();
    -losses.as_slice::<f32>().unwrap()[from - start - 1..].iter().map(|loss| f64::from(*loss)).sum::<f64>()
}

fn scorer<'a>(model: &'a Transformer, tokenizer: &'a Tokenizer, batch: usize) -> LanguageModel<'a> {
    LanguageModel { model, tokenizer, context: CONTEXT, batch, precision: Default::default(), opens_prompts: true }
}

/// Losses in f32 of up to 48 tokens of some 5 nats each; relative 1e-5 is 20 times their rounding.
fn close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");
}

#[test]
fn log_likelihoods_are_the_model_s_losses() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model, tokenizer) = tiny(folder.path());
    let sequence = |text: &str, scored: usize| {
        let tokens = [vec![tokenizer.bos()], tokenizer.encode(text)].concat();
        Sequence { from: tokens.len() - scored, tokens }
    };
    let long = "A text that does not fit into one context of this model, and so loses its beginning.";
    let sequences = [
        sequence("The cat", 3),
        sequence("The cat sat on", 7),
        // One row: they differ in the last token alone.
        sequence("Answer: A", 1),
        sequence("Answer: B", 1),
        sequence("Answer: C", 2),
        sequence("x", 1),
        sequence(long, 5),
        // More to score than a context: block by block.
        sequence(long, 60),
    ];
    for batch in [1, 3, 8] {
        let found = scorer(&model, &tokenizer, batch).score(&sequences).unwrap();
        for (found, Sequence { tokens, from }) in found.iter().zip(&sequences[..7]) {
            assert_eq!(found.tokens, tokens.len() - from);
            close(found.log, alone(&model, tokens, *from, (tokens.len() - 1).min(CONTEXT)));
        }
        let Sequence { tokens, from } = &sequences[7];
        let first = alone(&model, &tokens[from - 1..from + CONTEXT], 1, CONTEXT);
        let second = alone(&model, &tokens[from + CONTEXT - 1..], 1, 60 - CONTEXT);
        close(found[7].log, first + second);
    }
}

#[test]
fn greedy_is_what_greedy_generation_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model, tokenizer) = tiny(folder.path());
    let mut scorer = scorer(&model, &tokenizer, 4);
    let logits = |tokens: &[u32]| {
        let logits = model.forward(row(tokens), &Pass::default()).into_data().convert::<f32>();
        logits.as_slice::<f32>().unwrap()[(tokens.len() - 1) * tokenizer.vocab()..].to_vec()
    };
    let mut tokens = [vec![tokenizer.bos()], tokenizer.encode("The cat")].concat();
    let from = tokens.len();
    for _ in 0..6 {
        let row = logits(&tokens);
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        tokens.push(best as u32);
    }
    let mut other = tokens.clone();
    other[from + 2] = if other[from + 2] > 3 { 3 } else { 4 };
    let found = scorer.score(&[Sequence { tokens, from }, Sequence { tokens: other, from }]).unwrap();
    assert_eq!((found[0].greedy, found[1].greedy), (true, false));
}

#[test]
fn generated_text_ends_before_its_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model, tokenizer) = tiny(folder.path());
    let mut scorer = scorer(&model, &tokenizer, 4);
    let prompts = vec!["The cat".to_string(), "The cat".to_string()];
    let how = |stop: Vec<String>| Decoding { tokens: 24, temperature: 1.0, top_p: 1.0, seed: 5, stop };
    let free = scorer.generate(&prompts, &how(vec![])).unwrap();
    assert_ne!(free[0], free[1], "samples draw for themselves");
    assert_eq!(scorer.generate(&prompts, &how(vec![])).unwrap(), free, "a seed is a seed");
    let letter = free[0].chars().find(|letter| letter.is_ascii_alphanumeric()).expect("24 random bytes hold a letter or digit").to_string();
    let stopped = scorer.generate(&prompts, &how(vec!["none such".into(), letter.clone()])).unwrap();
    assert_eq!(stopped[0], free[0].split(&letter).next().unwrap());
}

/// A whole benchmark through a model is what adding up its losses gives.
#[test]
fn a_benchmark_is_the_sum_of_the_losses() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model, tokenizer) = tiny(folder.path());
    let mut scorer = scorer(&model, &tokenizer, 8);
    let how = Asking { samples: 1, ..Asking::default() };
    for name in ["arc/test.jsonl", "winogrande/dev.jsonl", "core/eval_data/language_understanding/kites.jsonl"] {
        let task = task(name);
        let results = evaluate_task(&task, &mut scorer, &how, &|_, _| ()).unwrap();
        for (item, record) in task.items.iter().zip(&results.records) {
            let Question::Choice(choice) = &item.question else { panic!() };
            for (option, found) in choice.options.iter().zip(record.detail["options"].as_array().unwrap()) {
                // One byte is one token: what is scored has as many as its bytes.
                let tokens = [vec![tokenizer.bos()], tokenizer.encode(&option.pair.to_string())].concat();
                let scored = found["tokens"].as_u64().unwrap() as usize;
                if !name.starts_with("core") {
                    assert_eq!(scored, option.pair.continuation.len());
                }
                close(found["log"].as_f64().unwrap(), alone(&model, &tokens, tokens.len() - scored, (tokens.len() - 1).min(CONTEXT)));
            }
        }
    }
    let task = task("paloma");
    let summary = evaluate_task(&task, &mut scorer, &how, &|_, _| ()).unwrap().summary();
    let (mut nats, mut bytes) = (0.0, 0);
    for item in &task.items {
        let Question::Text(text) = &item.question else { panic!() };
        let tokens = [vec![tokenizer.bos()], tokenizer.encode(text)].concat();
        assert!(tokens.len() - 1 <= CONTEXT, "each text is one window here");
        nats -= alone(&model, &tokens, 1, tokens.len() - 1);
        bytes += text.len();
    }
    close(summary.metrics["bits_per_byte"].value, nats / 2f64.ln() / bytes as f64);
}
