//! Runs: repetition, resumption, divergence, checkpoints.

use super::{Bench, spec};
use ablate::{
    Error,
    device::DeviceName,
    model::{Transformer, parameters},
    train::{DecayRule, Outcome, RunSpec, optimizer},
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};
use std::fs;

/// Bits of all parameters, in the order of the module.
pub fn bits(model: &Transformer) -> Vec<(String, Vec<u32>)> {
    struct Bits(Vec<Vec<u32>>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().into_data().iter::<f32>().map(f32::to_bits).collect());
        }
    }
    let mut bits = Bits(vec![]);
    model.visit(&mut bits);
    parameters(model).into_iter().map(|(path, _, _)| path).zip(bits.0).collect()
}

#[test]
fn a_run_learns_and_leaves_everything_behind() {
    let bench = Bench::new();
    let spec = bench.spec(&["train.steps=60", "train.log_every=7"]);
    let result = bench.run(&spec, "run").unwrap();
    assert_eq!((result.outcome, result.steps, result.tokens), (Outcome::Finished, 60, 60 * 4 * 16));
    assert!(result.tokens_per_second.unwrap() > 0.0);
    assert_eq!(result.id, spec.id());

    let lines = bench.lines("run");
    let steps: Vec<u64> = lines.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 7, 10, 14, 20, 21, 28, 30, 35, 40, 42, 49, 50, 56, 60]);
    let evaluated: Vec<u64> =
        lines.iter().filter(|line| line.get("valid/bits_per_byte").is_some()).map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(evaluated, [10, 20, 30, 40, 50, 60]);
    let score = |index: usize| lines[index]["valid/bits_per_byte"].as_f64().unwrap();
    assert!(score(14) < score(2) && score(14) < 8.0, "{} {}", score(2), score(14));
    assert_eq!(result.metrics["valid/bits_per_byte"], score(14));
    for key in ["loss", "gradient_norm", "learning_rate", "tokens_per_second", "step_ms"] {
        assert!(lines.iter().all(|line| line[key].as_f64().is_some()), "{key}");
    }
    // The first step's rate is a quarter of the peak, the last one's a tenth.
    let rates = bench.column("run", "learning_rate");
    assert!((rates[0] - 0.003 / 4.0).abs() < 1e-12 && (rates[14] - 0.0003).abs() < 1e-12);

    assert!(result.peak_memory_bytes.is_none_or(|bytes| bytes > 1 << 20));
    assert!(result.waited_seconds.is_some_and(|seconds| seconds < result.seconds));
    assert_eq!(result.notes, Vec::<String>::new());

    let folder = bench.path("run");
    let stored: RunSpec = toml::from_str(&fs::read_to_string(folder.join("spec.toml")).unwrap()).unwrap();
    assert_eq!(stored, spec);
    assert_eq!(stored.id(), spec.id());
    assert!(fs::read_to_string(folder.join("log.txt")).unwrap().contains("Finished"));

    // What is done is not done again, and another run does not fit into the folder.
    let before = fs::read(folder.join("metrics.jsonl")).unwrap();
    assert_eq!(bench.run(&spec, "run").unwrap(), result);
    assert_eq!(fs::read(folder.join("metrics.jsonl")).unwrap(), before);
    assert!(matches!(bench.run(&bench.spec(&["train.seed=1", "train.steps=60"]), "run"), Err(Error::Input { .. })));
}

#[test]
fn what_runs_share_is_marked_in_their_results() {
    let bench = Bench::new();
    let run = |name: &str, set: &[&str]| bench.run(&bench.spec(set), name).unwrap();
    let base = run("base", &[]);
    assert_eq!(base.data_marks.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
    assert_eq!(run("short", &["train.steps=8"]).data_hash, base.data_marks[&8]);
    // A run that was stopped and continued has the marks of all its steps, and every mark is of another prefix.
    bench.stopped(&bench.spec(&[]), "parts", 5).unwrap();
    let parts = bench.run(&bench.spec(&[]), "parts").unwrap();
    assert_eq!((&parts.data_marks, &parts.noise), (&base.data_marks, &base.noise));
    assert_eq!(base.data_marks.values().collect::<std::collections::BTreeSet<_>>().len(), 5);

    // Every matrix has a mark, gains have none.
    let shapes = bench.spec(&[]).model.parameter_shapes();
    let matrices: Vec<_> = shapes.iter().filter(|(_, shape)| shape.len() == 2).map(|(path, _)| path).collect();
    assert_eq!(base.noise.keys().collect::<std::collections::BTreeSet<_>>(), matrices.into_iter().collect());
    // Another topology and scheme, the same noise; where a shape differs, so does the mark.
    let other = run("other", &["model.residual.kind=\"post\"", "model.init={ kind = \"mitchell\" }", "model.feed_forward.hidden=20"]);
    for (path, mark) in &other.noise {
        assert_eq!(path.contains("feed_forward"), *mark != base.noise[path], "{path}");
    }
    assert!(run("seed", &["train.seed=1"]).noise.iter().all(|(path, mark)| *mark != base.noise[path]));
}

#[test]
fn records_of_earlier_versions_are_read() {
    let bench = Bench::new();
    let result = bench.run(&bench.spec(&["train.steps=5"]), "run").unwrap();
    let mut old = serde_json::to_value(&result).unwrap();
    for key in ["operators", "data_marks", "noise", "peak_memory_bytes", "waited_seconds", "notes"] {
        old.as_object_mut().unwrap().remove(key).unwrap();
    }
    let record = ablate::experiment::Record {
        arm: "base".into(),
        seed: 0,
        stage: Default::default(),
        folder: "base/seed-0".into(),
        attempt: 1,
        cause: None,
        host: String::new(),
        result: result.clone(),
        ended: "2026-11-26T01:00:00Z".into(),
    };
    let line = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<ablate::experiment::Record>(&line).unwrap(), record);
    let read: ablate::train::RunResult = serde_json::from_value(old).unwrap();
    assert_eq!((read.id, read.data_hash, read.noise.len()), (result.id, result.data_hash, 0));
}

#[test]
fn only_numerical_keys_make_another_run() {
    let bench = Bench::new();
    let id = bench.spec(&[]).id();
    assert_eq!(id.len(), 16);
    assert_eq!(id, bench.spec(&["train.log_every=3", "train.checkpoint_every=7", "train.activations=\"recompute\""]).id());
    // The same text elsewhere is the same run.
    let elsewhere = tempfile::tempdir().unwrap();
    super::write_corpus(elsewhere.path());
    assert_eq!(id, spec(elsewhere.path(), &[]).id());
    assert_eq!(id, bench.spec(&["train.precision=\"f32\""]).id());
    for other in [
        "train.precision=\"bf16\"",
        "train.seed=1",
        "model.norm.eps=0.1",
        "optimizer.beta1=0.8",
        "data.train_bytes=20000",
        "evaluation.batch=2",
    ] {
        assert_ne!(id, bench.spec(&[other]).id(), "{other}");
    }
}

#[test]
fn an_interrupted_run_continues_to_the_same_bits() {
    let bench = Bench::new();
    let kinds: [&[&str]; 4] = [
        &["model.residual.dropout=0.1", "train.accumulation=2", "train.checkpoint_every=3"],
        &["optimizer={ kind = \"muon\", lr = 0.003 }"],
        &["optimizer={ kind = \"adafactor\" }"],
        &["optimizer={ kind = \"sgd\", nesterov = true }"],
    ];
    for (index, set) in kinds.into_iter().enumerate() {
        let spec = bench.spec(set);
        let (whole, parts) = (format!("whole-{index}"), format!("parts-{index}"));
        let expected = bench.run(&spec, &whole).unwrap();
        assert_eq!(expected.outcome, Outcome::Finished);

        let stopped = bench.stopped(&spec, &parts, 5).unwrap();
        assert_eq!(stopped.outcome, Outcome::Interrupted);
        assert!((5..20).contains(&stopped.steps), "stopped after {}", stopped.steps);
        // A crash may leave lines behind that the checkpoint knows nothing of.
        let path = bench.path(&parts).join("metrics.jsonl");
        let kept = fs::read_to_string(&path).unwrap();
        fs::write(&path, kept + "{\"step\":19,\"loss\":0.5}\n{\"step\":20,\"lo").unwrap();
        let result = bench.run(&spec, &parts).unwrap();

        assert_eq!(result.outcome, Outcome::Finished);
        assert_eq!(result.data_hash, expected.data_hash);
        assert_eq!(result.metrics, expected.metrics);
        for key in ["step", "loss", "gradient_norm", "learning_rate"] {
            assert_eq!(bench.column(&parts, key), bench.column(&whole, key), "{set:?} {key}");
        }
        assert_eq!(bench.parameters(&parts), bench.parameters(&whole), "{set:?}");
    }
}

#[test]
fn what_is_kept_for_the_backward_pass_changes_no_bit_of_a_run() {
    let bench = Bench::new();
    let set = ["model.residual.dropout=0.1", "model.embedding.tied=true", "train.accumulation=2", "model.layers=3"];
    for activations in ["all", "linear-outputs", "selective", "recompute"] {
        let key = format!("train.activations=\"{activations}\"");
        let result = bench.run(&bench.spec(&[&set[..], &[&key]].concat()), activations).unwrap();
        assert_eq!(result.outcome, Outcome::Finished);
        for column in ["loss", "gradient_norm"] {
            assert_eq!(bench.column(activations, column), bench.column("all", column), "{activations}");
        }
        assert_eq!(bench.parameters(activations), bench.parameters("all"), "{activations}");
    }
    // A run that another policy began goes on to the same end.
    let spec = |activations: &str| bench.spec(&[&set[..], &[&format!("train.activations=\"{activations}\"")]].concat());
    assert_eq!(bench.stopped(&spec("all"), "mixed", 5).unwrap().outcome, Outcome::Interrupted);
    bench.run(&spec("recompute"), "mixed").unwrap();
    assert_eq!(bench.parameters("mixed"), bench.parameters("all"));
}

#[test]
fn bf16_learns_as_f32_does_and_its_runs_are_repeatable() {
    let bench = Bench::new();
    let spec = |precision: &str| bench.spec(&["train.steps=40", &format!("train.precision=\"{precision}\"")]);
    for (name, precision) in [("f32", "f32"), ("bf16", "bf16"), ("again", "bf16")] {
        assert_eq!(bench.run(&spec(precision), name).unwrap().outcome, Outcome::Finished);
    }
    let [single, half, again] = ["f32", "bf16", "again"].map(|name| bench.column(name, "loss"));
    assert_eq!(half, again);
    assert_eq!(bench.parameters("bf16"), bench.parameters("again"));
    assert_ne!(single, half);
    assert!(half[39] < half[0] - 0.3, "{} to {}", half[0], half[39]);
    for (single, half) in single.iter().zip(&half) {
        // One part in 2^8 of a loss of about 5, and as much again for the way that training goes apart.
        assert!((single - half).abs() < 0.04, "{single} {half}");
    }
    assert_eq!(bench.stopped(&spec("bf16"), "parts", 9).unwrap().outcome, Outcome::Interrupted);
    bench.run(&spec("bf16"), "parts").unwrap();
    assert_eq!(bench.parameters("parts"), bench.parameters("bf16"));
}

#[test]
fn every_optimizer_and_schedule_learns() {
    let bench = Bench::new();
    for (index, set) in [
        ["optimizer={ kind = \"adam\", lr = 0.01 }", "schedule={ kind = \"constant\" }"],
        ["optimizer={ kind = \"sgd\", lr = 0.5 }", "schedule={ kind = \"wsd\", decay = 5 }"],
        ["optimizer={ kind = \"lion\", lr = 0.003 }", "schedule={ kind = \"linear\" }"],
        ["optimizer={ kind = \"adafactor\", lr = 0.05 }", "schedule={ kind = \"constant\", warmup = 2 }"],
        ["optimizer={ kind = \"muon\", lr = 0.01, decay = \"all\" }", "schedule={ kind = \"cosine\" }"],
    ]
    .iter()
    .enumerate()
    {
        let name = format!("run-{index}");
        let spec = bench.spec(&[set[0], set[1], "train.steps=30"]);
        assert_eq!(bench.run(&spec, &name).unwrap().outcome, Outcome::Finished, "{set:?}");
        let losses = bench.column(&name, "loss");
        assert!(losses[29] < losses[0] - 0.3, "{set:?}: {} to {}", losses[0], losses[29]);
    }
}

#[test]
fn micro_batches_sum_to_the_batch() {
    let bench = Bench::new();
    for (name, count) in [("one", 1), ("two", 2), ("four", 4)] {
        // Plain descent: an adaptive update would blow rounding up where gradients are next to nothing.
        let set = format!("train.accumulation={count}");
        bench.run(&bench.spec(&[&set, "optimizer={ kind = \"sgd\", lr = 0.1 }"]), name).unwrap();
    }
    for key in ["loss", "gradient_norm"] {
        let one = bench.column("one", key);
        for other in ["two", "four"] {
            for (a, b) in one.iter().zip(bench.column(other, key)) {
                assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{key}: {a} {b}");
            }
        }
    }
}

#[test]
fn a_divergence_is_a_result() {
    let bench = Bench::new();
    let spec = bench.spec(&[
        "optimizer={ kind = \"sgd\", lr = 1.0, momentum = 0.99 }",
        "train.gradient_clip=0",
        "train.steps=500",
        "schedule.warmup=0",
        "model.init.std=0.5",
    ]);
    let result = bench.run(&spec, "run").unwrap();
    assert_eq!(result.outcome, Outcome::Diverged);
    assert!(result.reason.as_ref().unwrap().contains("of step"), "{:?}", result.reason);
    assert!(result.steps < 500);
    assert_eq!(bench.lines("run").len(), result.steps, "what was measured before stays");
    assert_eq!(bench.run(&spec, "run").unwrap(), result, "it would diverge again");
}

#[test]
fn a_panic_is_a_failed_run() {
    let bench = Bench::new();
    let mut spec = bench.spec(&["train.checkpoint_every=1"]);
    // Tokens beyond the vocabulary: no configuration resolves to this.
    spec.model.vocab = 20;
    let result = bench.run(&spec, "run").unwrap();
    assert_eq!((result.outcome, result.steps), (Outcome::Failed, 0));
    assert!(result.reason.as_ref().unwrap().starts_with("internal error: "), "{:?}", result.reason);
    assert_eq!(bench.run(&spec, "run").unwrap().outcome, Outcome::Failed, "it is tried again");
}

#[test]
fn damaged_checkpoints_are_refused() {
    let bench = Bench::new();
    let spec = bench.spec(&[]);
    bench.stopped(&spec, "run", 5).unwrap();
    let folder = bench.path("run");
    let checkpoint = folder.join("checkpoint");
    let refused = |why: &str| match bench.run(&spec, "run") {
        Err(Error::Input { message, help, .. }) => {
            assert!(message.contains("damaged") && message.contains(why), "{message}");
            assert!(help.contains("delete"), "{help}");
        }
        other => panic!("{why}: {other:?}"),
    };
    for name in ["model.bpk", "optimizer.bpk", "state.json"] {
        let whole = fs::read(checkpoint.join(name)).unwrap();
        fs::write(checkpoint.join(name), &whole[..whole.len() / 2]).unwrap();
        refused(name);
        let mut flipped = whole.clone();
        flipped[whole.len() / 3] ^= 1;
        fs::write(checkpoint.join(name), flipped).unwrap();
        refused(name);
        fs::remove_file(checkpoint.join(name)).unwrap();
        refused(name);
        fs::write(checkpoint.join(name), whole).unwrap();
    }
    let commit = fs::read(checkpoint.join("COMMIT")).unwrap();
    fs::remove_file(checkpoint.join("COMMIT")).unwrap();
    refused("COMMIT");
    fs::write(checkpoint.join("COMMIT"), commit).unwrap();

    // A crash between the two renames: the new one is not committed yet, the old one is whole.
    fs::rename(&checkpoint, folder.join("checkpoint.old")).unwrap();
    fs::create_dir(folder.join("checkpoint.new")).unwrap();
    fs::write(folder.join("checkpoint.new/model.bpk"), "half").unwrap();
    let result = bench.run(&spec, "run").unwrap();
    assert_eq!((result.outcome, result.steps), (Outcome::Finished, 20));
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.contains("new") || name.contains("old")), "{left:?}");
}

#[test]
fn losses_do_not_depend_on_threads() {
    let bench = Bench::new();
    // Embedding and head of 4 Mi elements each: Flex adds up tensors of that size in the order in which threads finish.
    let set = [
        "model.vocab=16400",
        "model.width=256",
        "model.context=8",
        "model.layers=1",
        "train.steps=3",
        "train.batch=2",
        "schedule.warmup=0",
        "evaluation.batch=16",
    ];
    assert!(bench.spec(&set).model.parameter_shapes().iter().any(|(_, shape)| shape.iter().product::<usize>() >= 4 << 20));
    for kind in ["adamw", "adafactor"] {
        let optimizer = format!("optimizer={{ kind = \"{kind}\" }}");
        let spec = bench.spec(&[&set[..], &[&optimizer]].concat());
        let measured: Vec<_> = [1, 2, 4, 7]
            .into_iter()
            .map(|threads| {
                let name = format!("{kind}-{threads}");
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let result = pool.install(|| bench.run(&spec, &name)).unwrap();
                assert_eq!((result.outcome, result.threads), (Outcome::Finished, threads));
                (bench.column(&name, "loss"), bench.column(&name, "gradient_norm"), result.metrics)
            })
            .collect();
        assert!(measured.iter().all(|other| *other == measured[0]), "{kind}: {measured:?}");
    }
}

#[test]
fn decay_reaches_the_parameters_of_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    super::write_corpus(folder.path());
    let device = DeviceName::Flex.train_device().unwrap();
    for (rule, name) in [(DecayRule::All, "all"), (DecayRule::Matrices, "matrices"), (DecayRule::NoEmbeddings, "no_embeddings")] {
        for kind in ["adamw", "muon"] {
            let set = format!("optimizer={{ kind = \"{kind}\", weight_decay = 0.5, decay = \"{name}\" }}");
            let spec = spec(folder.path(), &[&set, "model.position.kind=learned", "model.norm.kind=layer", "model.attention.bias=true"]);
            let model = spec.model.build(3, &device);
            let before = bits(&model);
            let shapes = spec.model.parameter_shapes();
            // Without a gradient to follow, decay is all that happens.
            let zeros = zeros(&model);
            let model = optimizer::build(&spec.optimizer, spec.model.multiple(), &model).step(0.1, model, zeros);
            for (((path, old), (_, new)), (_, shape)) in before.iter().zip(bits(&model)).zip(&shapes) {
                let factor = if optimizer::decays(rule, path, shape) { 1.0 - 0.1 * 0.5 } else { 1.0 };
                for (old, new) in old.iter().zip(new) {
                    let (old, new) = (f32::from_bits(*old), f32::from_bits(new));
                    assert!((old * factor - new).abs() <= 1e-6 * old.abs(), "{kind} {name} {path}: {old} {new}");
                }
            }
        }
    }
}

/// Gradients of nothing.
pub fn zeros(model: &Transformer) -> GradientsParams {
    let mut zeros = Zeros(GradientsParams::new());
    model.visit(&mut zeros);
    zeros.0
}

struct Zeros(GradientsParams);

impl ModuleVisitor for Zeros {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val().inner().zeros_like());
    }
}
