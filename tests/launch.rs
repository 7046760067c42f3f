//! Tests of the launcher from outside: what happens when processes, disks and machines fail.

mod disasters;
#[cfg(target_os = "linux")]
mod kill;
mod layouts;
#[cfg(target_os = "linux")]
mod slurm;
mod verbs;

use ablate::experiment::Record;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const BASE: &str = r#"
model = { layers = 1, width = 16, context = 16, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
data = { corpus = { kind = "text", paths = ["corpus.txt"] }, tokenizer = { kind = "bytes" }, validation_bytes = 600 }
train = { steps = STEPS, batch = 2, checkpoint_every = CHECKPOINT }
evaluation = { every = EVALUATION }
schedule.warmup = 1
"#;

/// A folder with a corpus, a base and an experiment of three arms beside it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new(seeds: usize, steps: usize) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        // Each checkpoint waits for the disk: long runs have no more of them than short ones.
        let every = |least: usize, count: usize| (steps / count).max(least).to_string();
        let base = BASE.replace("STEPS", &steps.to_string()).replace("CHECKPOINT", &every(7, 15)).replace("EVALUATION", &every(25, 5));
        fs::write(bench.path("base.toml"), base).unwrap();
        let text: String = (0..600).map(|i| format!("Line {i}, {} words.\n", i * i % 97)).collect();
        fs::write(bench.path("corpus.txt"), text).unwrap();
        let arm = |name: &str, set: &str| format!("[[arm]]\nname = \"{name}\"\nset = {{ {set} }}\n");
        let arms = arm("layer", "\"model.norm.kind\" = \"layer\"")
            + &arm("gelu", "\"model.feed_forward.kind\" = \"gelu\"")
            + &arm("learned", "\"model.position.kind\" = \"learned\"");
        let head = format!("name = \"e\"\nquestion = \"?\"\nbase = \"base.toml\"\nseeds = {seeds}\n");
        fs::write(bench.path("e.toml"), head + &arms).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command.current_dir(self.0.path()).env("ABLATE_CACHE", self.path("cache")).stdin(Stdio::null()).args(arguments);
        command
    }

    fn ablate(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// `ablate run` into `out`, which must end with the given code; answers with what it said on standard error.
    fn run(&self, out: &str, more: &[&str], code: i32) -> String {
        let output = self.ablate(&[&["run", "e.toml", "--out", out, "--json"], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }

    fn start(&self, out: &str, more: &[&str]) -> Child {
        let arguments = [&["run", "e.toml", "--out", out, "--json"], more].concat();
        self.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until a run has logged so many steps.
    fn wait_for_steps(&self, run: &str, steps: usize) {
        let metrics = self.path(run).join("metrics.jsonl");
        wait(&format!("{steps} steps of {run}"), || fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() >= steps));
    }

    fn records(&self, out: &str) -> Vec<Record> {
        let text = fs::read_to_string(self.path(out).join("records.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a sweep left, without what depends on time and machine: the record of every finished run, and all its logged steps.
    fn outcome(&self, out: &str) -> Outcome {
        let mut runs = BTreeMap::new();
        for record in self.records(out) {
            let mut value = serde_json::to_value(&record).unwrap();
            if value["outcome"] != "finished" {
                continue;
            }
            for key in
                ["attempt", "host", "tokens_per_second", "seconds", "threads", "peak_memory_bytes", "waited_seconds", "notes", "ended"]
            {
                value.as_object_mut().unwrap().remove(key);
            }
            let steps = steps(&self.path(out).join(&record.folder));
            let twice = runs.insert((record.arm.clone(), record.seed), (value, steps));
            assert!(twice.is_none(), "{} seed {} was done twice", record.arm, record.seed);
        }
        runs
    }
}

/// By arm and seed: the record and the logged steps.
type Outcome = BTreeMap<(String, u64), (Value, Vec<Value>)>;

/// Holds that two sweeps left the same, bit for bit; says where they differ.
#[track_caller]
fn assert_same(found: &Outcome, expected: &Outcome) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "finished runs");
    for (run, (record, steps)) in expected {
        let (other, others) = &found[run];
        for (key, value) in record.as_object().unwrap() {
            assert_eq!(&other[key], value, "{key} of {run:?}");
        }
        assert_eq!(others.len(), steps.len(), "steps of {run:?}");
        for (other, step) in others.iter().zip(steps) {
            assert_eq!(other, step, "a step of {run:?}");
        }
    }
}

/// Every logged step of a run without its timings.
fn steps(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().retain(|key, _| !["tokens_per_second", "step_ms"].contains(&key.as_str()));
        line
    };
    text.lines().map(line).collect()
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
