//! Checkpoints: which are kept, and what happens to damaged ones.

use super::Bench;
use ablate::{
    Error,
    device::DeviceName,
    train::{Outcome, checkpoint::Which, load_model},
};
use std::fs;

/// Names of the folders in a run's folder, sorted.
fn folders(bench: &Bench, name: &str) -> Vec<String> {
    let entries = fs::read_dir(bench.path(name)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Flips one bit in the middle of a file.
fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_last_ones_and_the_best_are_kept_and_can_be_read() {
    let bench = Bench::new();
    let keep = |every: usize| {
        let every = format!("train.checkpoint_every={every}");
        bench.spec(&["train.keep_last=3", "train.keep_best=true", &every, "evaluation.every=5"])
    };
    bench.run(&keep(4), "run").unwrap();
    assert_eq!(folders(&bench, "run"), ["checkpoint", "checkpoint-12", "checkpoint-16", "checkpoint-best"]);
    let at = |which: Which| super::runs::bits(&load_model(&bench.path("run"), which, &DeviceName::Flex).unwrap().1);
    assert_ne!(at(Which::Step(12)), at(Which::Newest));

    // The best is that of the lowest score. An older one is what a run of so many steps would have ended with.
    let scores: Vec<_> =
        bench.lines("run").iter().filter_map(|line| Some((line["valid/bits_per_byte"].as_f64()?, line["step"].as_u64()?))).collect();
    let best = scores.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1 as usize;
    assert_eq!(best, 20, "a small run learns to its end");
    assert_eq!(at(Which::Best), at(Which::Newest));
    bench.stopped(&keep(1), "short", 3).unwrap();
    let state = fs::read_to_string(bench.path("short").join("checkpoint/state.json")).unwrap();
    let step = serde_json::from_str::<serde_json::Value>(&state).unwrap()["step"].as_u64().unwrap() as usize;
    let expected = [step, step - 2, step - 1].map(|kept| if kept == step { "checkpoint".into() } else { format!("checkpoint-{kept}") });
    let found = folders(&bench, "short");
    assert!(expected.iter().all(|name| found.contains(name)), "{found:?}");

    match load_model(&bench.path("run"), Which::Step(8), &DeviceName::Flex) {
        Err(Error::Input { message, help, .. }) => {
            assert!(message.contains("`8`") && help.contains("16, 12, best, newest"), "{message} {help}")
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn the_best_is_not_always_the_last() {
    let bench = Bench::new();
    // A rate that is kind for some steps and then ruins the model.
    let set = [
        "train.keep_best=true",
        "train.steps=6",
        "train.gradient_clip=0",
        "evaluation.every=2",
        "optimizer={ kind = \"sgd\", lr = 0.9, momentum = 0.9 }",
        "schedule={ kind = \"constant\", warmup = 5 }",
    ];
    let result = bench.run(&bench.spec(&set), "run").unwrap();
    let scores: Vec<_> =
        bench.lines("run").iter().filter_map(|line| Some((line["valid/bits_per_byte"].as_f64()?, line["step"].as_u64()?))).collect();
    let best = scores.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert!(best.1 < 6, "{:?} {scores:?}", result.outcome);
    let state: serde_json::Value =
        serde_json::from_slice(&fs::read(bench.path("run").join("checkpoint-best/state.json")).unwrap()).unwrap();
    assert_eq!((state["step"].as_u64(), state["best"].as_f64()), (Some(best.1), Some(best.0)));
}

#[test]
fn a_run_stopped_anywhere_with_a_damaged_checkpoint_ends_with_the_same_bits() {
    let bench = Bench::new();
    let set = ["train.checkpoint_every=1", "train.keep_last=3", "train.log_every=1", "model.residual.dropout=0.1"];
    let spec = bench.spec(&set);
    let expected = bench.run(&spec, "whole").unwrap();
    for stop in [2, 7, 13] {
        for file in ["model.bpk", "optimizer.bpk", "state.json", "COMMIT", "tokenizer/tokenizer.meta.json"] {
            let name = format!("parts-{stop}-{}", file.replace('/', "-"));
            let stopped = bench.stopped(&spec, &name, stop).unwrap();
            assert_eq!(stopped.outcome, Outcome::Interrupted);
            flip(&bench.path(&name).join("checkpoint").join(file));
            let result = bench.run(&spec, &name).unwrap();
            assert_eq!((result.outcome, &result.data_hash), (Outcome::Finished, &expected.data_hash));
            assert_eq!((&result.metrics, &result.data_marks), (&expected.metrics, &expected.data_marks));
            for key in ["step", "loss", "gradient_norm", "learning_rate"] {
                assert_eq!(bench.column(&name, key), bench.column("whole", key), "{name} {key}");
            }
            assert_eq!(bench.parameters(&name), bench.parameters("whole"), "{name}");

            // It is told, in the log and in the record.
            let note = result.notes.join("; ");
            let older = format!("step {}", stopped.steps - 1);
            assert!(note.contains("checkpoint is damaged") && note.contains(&older), "{name}: {note}");
            let log = fs::read_to_string(bench.path(&name).join("log.txt")).unwrap();
            assert!(log.lines().any(|line| line.contains("WARN") && line.contains("damaged")), "{log}");
        }
    }
    // Two damaged ones: the third serves.
    let stopped = bench.stopped(&spec, "two", 7).unwrap();
    flip(&bench.path("two/checkpoint/model.bpk"));
    flip(&bench.path("two").join(format!("checkpoint-{}/model.bpk", stopped.steps - 1)));
    let result = bench.run(&spec, "two").unwrap();
    assert_eq!(result.notes.len(), 3, "{:?}", result.notes);
    assert_eq!(bench.parameters("two"), bench.parameters("whole"));
}

#[test]
fn the_clock_alone_makes_checkpoints() {
    let bench = Bench::new();
    let kept = |minutes: &str, name: &str| {
        bench.run(&bench.spec(&["train.keep_last=30", &format!("train.checkpoint_minutes={minutes}")]), name).unwrap();
        folders(&bench, name).len()
    };
    assert_eq!(kept("0", "off"), 1);
    assert_eq!(kept("1e-9", "always"), 20);
    assert_eq!(kept("1000", "late"), 1);
}
