//! `ablate eval` as people type it.

use super::fixture;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output},
};

const MODEL: &str = r#"
model = { layers = 1, width = 16, context = 64, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
data = { corpus = { kind = "text", paths = ["corpus.txt"] }, tokenizer = { kind = "bytes" }, validation_bytes = 600 }
train = { steps = 4, batch = 2 }
schedule.warmup = 1
"#;

const SYNTHETIC: &str = r#"
model = { layers = 1, width = 16, context = 32, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
data.corpus = { kind = "synthetic", task = { kind = "mqar", vocab = 64, pairs = 2 }, validation = 40 }
train = { steps = 4, batch = 2 }
schedule.warmup = 1
evaluation = { batch = 7, context_multiples = [2] }
"#;

/// A folder with two runs of a few steps.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.0.path().join("model.toml"), MODEL).unwrap();
        fs::write(desk.0.path().join("corpus.txt"), (0..600).map(|i| format!("Line {i}, {} words.\n", i * i % 97)).collect::<String>())
            .unwrap();
        for (seed, out) in [("1", "one"), ("2", "two")] {
            let seed = format!("train.seed={seed}");
            let output = desk.ablate(&["train", "model.toml", "--out", out, "--set", &seed]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        desk
    }

    fn ablate(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command.current_dir(self.0.path()).env("ABLATE_CACHE", self.0.path().join("cache")).args(arguments).output().unwrap()
    }

    fn shown(&self, arguments: &[&str]) -> String {
        let output = self.ablate(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.ablate(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty() && !message.contains("panicked"), "{arguments:?}: {message}");
        message
    }
}

#[test]
fn asks_keeps_shows_and_compares() {
    let desk = Desk::new();
    let list = ["hellaswag/val.jsonl", "arc/test.jsonl", "lambada/test.jsonl", "nq/dev.jsonl", "paloma", "core", "crows_pairs"]
        .map(|name| fixture(name).display().to_string())
        .join(",");
    let message = desk.refused(&["eval", "one"]);
    assert!(message.contains("no results") && message.contains("--tasks"), "{message}");

    let table = desk.shown(&["eval", "one", "--tasks", &list, "--max-tokens", "4"]);
    for part in
        ["val", "acc_norm", "acc_uncond", "perplexity", "exact_match", "bits_per_byte", "almanac/farming", "CORE over these 3 tasks", "*"]
    {
        assert!(table.contains(part), "no {part:?}:\n{table}");
    }
    let kept: Vec<_> = fs::read_dir(desk.0.path().join("one/eval")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 9, "{kept:?}");
    assert_eq!(desk.shown(&["eval", "one"]).lines().count(), table.lines().count(), "what was kept is shown again");

    let one: Value = serde_json::from_str(&desk.shown(&["eval", "one", "--json"])).unwrap();
    let tasks = one["runs"][0]["tasks"].as_array().unwrap();
    let arc = tasks.iter().find(|task| task["layout"] == "arc").unwrap();
    assert_eq!((arc["items"].as_u64(), arc["metric"].as_str(), arc["shots"].as_u64()), (Some(2), Some("acc_norm"), Some(0)));
    assert!((0.0..=1.0).contains(&arc["metrics"]["acc_norm"]["value"].as_f64().unwrap()));
    assert!(arc["metrics"]["gold_bits_per_byte"]["value"].as_f64().unwrap() > 0.0);
    // Another batch size, the same answers: sums of losses in f32, of other rows together.
    let again: Value =
        serde_json::from_str(&desk.shown(&["eval", "one", "--tasks", &list, "--max-tokens", "4", "--batch", "1", "--json"])).unwrap();
    let again = again["runs"][0]["tasks"].as_array().unwrap();
    assert_eq!(again.len(), tasks.len());
    for task in tasks {
        let other = again.iter().find(|other| other["task"] == task["task"]).unwrap();
        for metric in ["gold_bits_per_byte", "bits_per_byte"].into_iter().filter(|metric| task["metrics"].get(*metric).is_some()) {
            let [a, b] = [task, other].map(|task| task["metrics"][metric]["value"].as_f64().unwrap());
            assert!((a / b - 1.0).abs() < 1e-5, "{}: {a} {b}", task["task"]);
        }
    }

    let both: Value = serde_json::from_str(&desk.shown(&["eval", "one", "two", "--tasks", &list, "--max-tokens", "4", "--json"])).unwrap();
    let comparisons = both["comparisons"].as_array().unwrap();
    let of = |metric: &str| comparisons.iter().find(|comparison| comparison["metric"] == metric).unwrap();
    let bits = of("bits_per_byte");
    assert!(bits["mcnemar"].is_null() && bits["less_is_better"] == true && bits["headline"] == true);
    let difference = bits["first"].as_f64().unwrap() - bits["second"].as_f64().unwrap();
    assert!(difference != 0.0 && (bits["difference"].as_f64().unwrap() - difference).abs() < 1e-9);
    assert!(of("acc_norm")["mcnemar"]["p"].is_number());
    let table = desk.shown(&["eval", "one", "two"]);
    assert!(table.contains("McNemar") && table.contains("95 % interval") && table.contains("not of other seeds"), "{table}");

    // Other questions are not compared.
    desk.shown(&["eval", "two", "--tasks", &fixture("arc/test.jsonl").display().to_string(), "--shots", "1"]);
    let message = desk.refused(&["eval", "one", "two"]);
    assert!(message.contains("arc-test") && message.contains("--shots"), "{message}");
}

/// A model's folder is somebody else's, and after `ablate fetch` the cache of many: answers are kept elsewhere.
#[test]
fn a_folder_that_is_no_run_is_left_as_it_is() {
    let desk = Desk::new();
    let path = |name: &str| desk.0.path().join(name);
    desk.shown(&["export", "one", "--out", "hf"]);
    desk.shown(&["export", "two", "--out", "other/hf"]);
    let names = |folder: &str| fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>();
    let before = names("hf");
    let arc = fixture("arc/test.jsonl").display().to_string();
    let shown = desk.shown(&["eval", "hf", "--tasks", &arc]);
    assert_eq!(names("hf"), before);
    assert!(path("eval-hf/arc-test.jsonl").is_file());
    assert_eq!(desk.shown(&["eval", "hf"]), shown, "what was kept is shown again");
    desk.shown(&["eval", "other/hf", "--tasks", &arc, "--out", "kept"]);
    assert!(path("kept/arc-test.jsonl").is_file() && !path("other/hf/eval").exists());
    let message = desk.refused(&["eval", "hf", "other/hf", "--tasks", &arc]);
    assert!(message.contains("eval-hf") && message.contains("--out"), "{message}");
    // A snapshot of a hub's cache goes by the name of its model.
    let snapshot = path("hub/models--me--tiny/snapshots/0123");
    fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
    fs::rename(path("hf"), &snapshot).unwrap();
    desk.shown(&["eval", snapshot.to_str().unwrap(), "--tasks", &arc]);
    assert!(path("eval-tiny/arc-test.jsonl").is_file() && !snapshot.join("eval").exists());
}

/// Without --tasks, a run on a synthetic task is asked its own, by the metrics of training.
#[test]
fn a_synthetic_run_is_asked_its_own_task() {
    let desk = Desk(tempfile::tempdir().unwrap());
    fs::write(desk.0.path().join("model.toml"), SYNTHETIC).unwrap();
    for (seed, out) in [("train.seed=1", "one"), ("train.seed=2", "two")] {
        desk.shown(&["train", "model.toml", "--out", out, "--set", seed]);
    }
    let shown: Value = serde_json::from_str(&desk.shown(&["eval", "one", "--json"])).unwrap();
    let tasks = shown["runs"][0]["tasks"].as_array().unwrap();
    let names: Vec<&str> = tasks.iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["mqar", "mqar@2x"]);
    let result: Value = serde_json::from_slice(&fs::read(desk.0.path().join("one/result.json")).unwrap()).unwrap();
    let trained = result["metrics"].as_object().unwrap();
    for (task, suffix) in tasks.iter().zip(["", "@2x"]) {
        assert_eq!((task["items"].as_u64(), task["layout"].as_str()), (Some(40), Some("synthetic")));
        for metric in ["accuracy", "sequence_accuracy", "loss"] {
            let name = format!("valid/{metric}{suffix}");
            let [now, then] = [&task["metrics"][&name]["value"], &trained[&name]].map(|value| value.as_f64().unwrap());
            assert!((now - then).abs() <= 1e-6 * then, "{name}: {now}, in training {then}");
        }
    }
    assert_eq!(fs::read_dir(desk.0.path().join("one/eval")).unwrap().count(), 2);
    let both: Value = serde_json::from_str(&desk.shown(&["eval", "one", "two", "--json"])).unwrap();
    let loss = both["comparisons"].as_array().unwrap().iter().find(|it| it["metric"] == "valid/loss").unwrap();
    assert!(loss["less_is_better"] == true && loss["difference"].as_f64().unwrap() != 0.0, "{loss}");
    let message = desk.refused(&["eval", "one", "--tasks", &fixture("arc/test.jsonl").display().to_string()]);
    assert!(message.contains("mqar") && message.contains("leave --tasks out"), "{message}");
}

#[test]
fn wrong_input() {
    let desk = Desk::new();
    let arc = fixture("arc/test.jsonl").display().to_string();
    let human = fixture("humaneval/HumanEval.jsonl").display().to_string();
    for (arguments, parts) in [
        (vec!["eval", "one", "--tasks", &human], vec!["--allow-code-execution"]),
        (vec!["eval", "one", "--tasks", "none.jsonl"], vec!["none.jsonl", "--tasks"]),
        (vec!["eval", "none", "--tasks", &arc], vec!["none"]),
        (vec!["eval", "one", "--tasks", &arc, "--batch", "0"], vec!["--batch"]),
        (vec!["eval", "one", "--tasks", &arc, "--samples", "3"], vec!["--temperature"]),
        (vec!["eval", "one", "--tasks", &arc, "--shots", "7"], vec!["7 examples", "test.jsonl"]),
        (vec!["eval", "one", "two"], vec!["no results"]),
        (vec!["eval"], vec!["RUN"]),
    ] {
        let message = desk.refused(&arguments);
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: not {part:?} in {message}");
        }
    }
    assert!(desk.shown(&["eval", "--layouts"]).contains("hellaswag"));
}
