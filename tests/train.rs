//! Tests of `train` and `eval` from outside: whole runs on small text.

mod checkpoints;
mod mup;
mod parallel;
mod paths;
mod probes;
mod programs;
mod runs;
mod scores;

use ablate::{
    data::Dataset,
    device::DeviceName,
    settings::Document,
    train::{RunConfig, RunResult, RunSpec, checkpoint::Which, run_until},
};
use serde_json::Value;
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

/// A model of some thousand parameters on bytes.
const SMALL: &str = r#"
    model = { layers = 2, width = 16, context = 16, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
    data.tokenizer.kind = "bytes"
    optimizer = { kind = "adamw", lr = 0.003 }
    schedule = { kind = "cosine", warmup = 4 }
    train = { steps = 20, batch = 4 }
    evaluation = { every = 10, batch = 4 }
"#;

/// Text with some structure, the same on every machine.
fn write_corpus(folder: &Path) {
    let words = ["the", "model", "reads", "text", "and", "learns", "which", "word", "comes", "next", "in", "a", "line"];
    let mut state = 1u64;
    let mut text = String::new();
    for _ in 0..6000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(words[(state >> 33) as usize % words.len()]);
        text.push(if state >> 60 == 0 { '\n' } else { ' ' });
    }
    std::fs::write(folder.join("corpus.txt"), text).unwrap();
}

/// [`SMALL`] with assignments on top, on the corpus in `folder`.
fn document(folder: &Path, set: &[&str]) -> Document {
    let corpus = format!("data.corpus={{ kind = \"text\", paths = [{:?}] }}", folder.join("corpus.txt").display().to_string());
    let mut document = Document::from_text("small.toml", SMALL).unwrap();
    document.set(&corpus, "test").unwrap();
    document.set("data.validation_bytes=2000", "test").unwrap();
    for assignment in set {
        document.set(assignment, "test").unwrap();
    }
    document
}

/// The run that is.
fn spec(folder: &Path, set: &[&str]) -> RunSpec {
    let document = document(folder, set);
    let config: RunConfig = document.parse().unwrap_or_else(|error| panic!("{error}"));
    config.resolve().unwrap_or_else(|problems| panic!("{}", document.locate(problems)))
}

/// A folder with a corpus, and its tokens.
struct Bench {
    folder: tempfile::TempDir,
    data: Dataset,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_corpus(folder.path());
        let data = Dataset::prepare(&spec(folder.path(), &[]).data, &folder.path().join("cache"), &|_, _, _| {}).unwrap();
        Self { folder, data }
    }

    fn spec(&self, set: &[&str]) -> RunSpec {
        spec(self.folder.path(), set)
    }

    /// Runs to the end in the folder `name`.
    fn run(&self, spec: &RunSpec, name: &str) -> ablate::Result<RunResult> {
        self.stopped(spec, name, usize::MAX)
    }

    /// Runs in the folder `name`, asked to stop when `step` is done.
    fn stopped(&self, spec: &RunSpec, name: &str, step: usize) -> ablate::Result<RunResult> {
        let stop = Arc::new(AtomicBool::new(false));
        let switch = stop.clone();
        let mut tick = |tick: ablate::train::Tick| {
            if tick.step >= step {
                switch.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        };
        run_until(spec, &self.data, &self.path(name), &DeviceName::Flex, &mut tick, stop)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of `metrics.jsonl`.
    fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A number of every line.
    fn column(&self, name: &str, key: &str) -> Vec<f64> {
        self.lines(name).iter().map(|line| line[key].as_f64().unwrap()).collect()
    }

    /// All parameters of the trained model, by path.
    fn parameters(&self, name: &str) -> Vec<(String, Vec<u32>)> {
        let (_, model) = ablate::train::load_model(&self.path(name), Which::Newest, &DeviceName::Flex).unwrap();
        runs::bits(&model)
    }
}
