//! Whole runs on synthetic tasks.

use super::writing::resolve;
use ablate::{
    data::Dataset,
    device::DeviceName,
    eval::{Evaluation, evaluate},
    model::Pass,
    train::{Outcome, RunResult, RunSpec, checkpoint, checkpoint::Which, load_model, run},
};
use burn::tensor::{Int, Tensor, TensorData};

fn train(spec: &RunSpec, folder: &std::path::Path) -> RunResult {
    let data = Dataset::prepare(&spec.data, folder, &|_, _, _| {}).unwrap();
    run(spec, &data, folder, &DeviceName::Flex, &mut |_| {}).unwrap()
}

/// Associative recall small enough for seconds: 4 pairs of 15 keys and 16 values, asked for at any distance.
const RECALL: [&str; 12] = [
    "data.corpus.task={kind=\"mqar\", vocab=32, pairs=4, power=1.0, random_non_queries=false}",
    "data.corpus.instances=0",
    "data.corpus.validation=256",
    "model.context=24",
    "model.position.kind=learned",
    "model.init.kind=xavier",
    "model.embedding.scale=true",
    "optimizer={kind=\"adamw\", lr=0.005}",
    "schedule={kind=\"cosine\", warmup=20}",
    "train.steps=500",
    "train.batch=32",
    "evaluation={every=500, batch=64}",
];

#[test]
fn attention_recalls_and_a_window_shorter_than_the_gap_does_not() {
    let learn = |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let result = train(&resolve(&[&RECALL, more].concat()).unwrap(), folder.path());
        assert_eq!(result.outcome, Outcome::Finished, "{:?}", result.reason);
        [result.metrics["valid/accuracy"], result.metrics["valid/sequence_accuracy"]]
    };
    let full = learn(&[]);
    let window = learn(&["model.attention.window=2", "model.attention.pattern=[\"window\"]"]);
    assert!(full[0] > 0.95 && full[1] > 0.85, "{full:?} {window:?}");
    // Two layers of windows of two see two tokens back: the last key, where it is asked for at once, of one query in 32. The
    // values of the others are one of 16.
    assert!(window[0] < 0.2 && window[1] < 0.05, "{full:?} {window:?}");
}

#[test]
fn scores_are_what_one_instance_after_the_other_gives() {
    let set = ["data.corpus.task={kind=\"addition\", digits=2}", "data.corpus.validation=30", "model.init.std=0.3"];
    let spec = resolve(&set).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::prepare(&spec.data, folder.path(), &|_, _, _| {}).unwrap();
    let device = DeviceName::Flex.open().unwrap();
    // Some answers of a random model are right by chance.
    let model = spec.model.build(5, &device);
    let evaluation = Evaluation {
        context: 32,
        batch: 7,
        context_multiples: vec![1, 2],
        context_limit: None,
        document_mask: false,
        precision: Default::default(),
    };
    let scores = evaluate(&model, &data, &evaluation).0;
    let task = data.synthetic().unwrap();
    for multiple in [1, 2] {
        let (mut right, mut whole, mut nats, mut targets) = (0.0, 0.0, 0.0, 0.0);
        for index in 0..30 {
            let instance = task.validation(index, 32, multiple);
            let ids: Vec<i32> = instance.tokens.iter().map(|token| *token as i32).collect();
            let tokens: Tensor<2, Int> = Tensor::from_data(TensorData::new(ids, [1, 32 * multiple]), &device);
            let logits = model.forward(tokens, &Pass::default()).into_data().try_to_vec::<f32>().unwrap();
            let mut all = true;
            for target in &instance.targets {
                let row: Vec<f64> = logits[target.position * 14..][..14].iter().map(|z| f64::from(*z)).collect();
                let best = (0..14).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
                all &= best == target.token as usize;
                right += f64::from(best == target.token as usize);
                nats += row.iter().map(|z| z.exp()).sum::<f64>().ln() - row[target.token as usize];
                targets += 1.0;
            }
            whole += f64::from(all);
        }
        let expected = [("accuracy", right / targets), ("sequence_accuracy", whole / 30.0), ("loss", nats / targets)];
        for (name, expected) in expected {
            let found = scores[&format!("valid/{name}@{multiple}x")];
            assert!((found - expected).abs() < 1e-5, "{name} {multiple}: {found} {expected}");
        }
        assert!(right > 0.0, "some answers are right");
    }
    assert_eq!(scores["valid/accuracy"], scores["valid/accuracy@1x"]);
    assert_eq!(scores.len(), 9);
    // Positions that end with the training context leave longer instances out.
    let limited = Evaluation { context_limit: Some(32), ..evaluation };
    assert_eq!(evaluate(&model, &data, &limited).0.len(), 6);
}

#[test]
fn a_run_stops_and_goes_on_and_its_checkpoint_has_no_tokenizer() {
    let set = ["train.steps=12", "evaluation={every=6, batch=16, context_multiples=[2]}", "data.corpus.validation=20", "probe.every=6"];
    let spec = resolve(&set).unwrap();
    let whole = tempfile::tempdir().unwrap();
    let result = train(&spec, whole.path());
    assert_eq!(result.outcome, Outcome::Finished, "{:?}", result.reason);
    assert!(result.metrics.contains_key("valid/accuracy@2x") && result.metrics["valid/loss"].is_finite());

    // Stopped after step 5 and continued, it ends at the same bits and has read the same batches.
    let cut = tempfile::tempdir().unwrap();
    let data = Dataset::prepare(&spec.data, cut.path(), &|_, _, _| {}).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = stop.clone();
    let mut tick = |tick: ablate::train::Tick| {
        if tick.step >= 5 {
            switch.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let stopped = ablate::train::run_until(&spec, &data, cut.path(), &DeviceName::Flex, &mut tick, stop).unwrap();
    assert_eq!(stopped.outcome, Outcome::Interrupted);
    let continued = train(&spec, cut.path());
    assert_eq!((continued.metrics, continued.data_hash), (result.metrics, result.data_hash));

    assert!(load_model(whole.path(), Which::Newest, &DeviceName::Flex).is_ok());
    let error = checkpoint::tokenizer(whole.path(), Which::Newest).unwrap_err().to_string();
    assert!(error.contains("synthetic"), "{error}");
}

#[test]
fn compression_is_learned_through_the_last_position() {
    // Two tokens of three kinds: nine sequences for a state of 32 numbers.
    let set = [
        "data.corpus.task={kind=\"compression\", vocab=4}",
        "data.corpus.instances=0",
        "data.corpus.validation=64",
        "model.context=6",
        "model.readout.kind=last",
        "optimizer={kind=\"adamw\", lr=0.005}",
        "train.steps=300",
        "train.batch=32",
        "evaluation={every=300, batch=64}",
    ];
    let folder = tempfile::tempdir().unwrap();
    let result = train(&resolve(&set).unwrap(), folder.path());
    // Guessing gives the end for sure and one of three elsewhere: 4/9.
    assert!(result.metrics["valid/accuracy"] > 0.8, "{:?} {:?}", result.reason, result.metrics);
}
