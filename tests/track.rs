//! `ablate track` from outside: a small experiment is run once, and what is written of it is read by other readers.

mod events;

use events::Event;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

const EXPERIMENT: &str = r#"
name = "norms-which"
question = "?"
base = "base.toml"
seeds = 2
[[arm]]
name = "layer"
set = { "model.norm.kind" = "layer" }
[retune]
values = { "optimizer.lr" = [1e-3, 3e-3] }
"#;

const BASE: &str = r#"
model = { layers = 1, width = 16, context = 16, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
data = { corpus = { kind = "text", paths = ["corpus.txt"] }, tokenizer = { kind = "bytes" }, validation_bytes = 600 }
train = { steps = 8, batch = 2, log_every = 1 }
evaluation = { every = 4, context_multiples = [2] }
schedule.warmup = 1
"#;

/// The experiment's folder after all of its runs. Tests that change it take a copy.
static FINISHED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..600).map(|i| format!("Line {i}, {} words.\n", i * i % 97)).collect();
    for (name, content) in [("base.toml", BASE), ("e.toml", EXPERIMENT), ("corpus.txt", text.as_str())] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let output = ablate(folder.path(), &["run", "e.toml", "--out", "out", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
});

fn ablate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
    command.current_dir(folder).env("ABLATE_CACHE", folder.join("cache")).args(arguments).output().unwrap()
}

/// A copy of the finished experiment; what is written for trackers is in `_tracked` there.
fn copy() -> tempfile::TempDir {
    fn all(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() { all(&from, &to) } else { fs::copy(from, to).map(drop).unwrap() }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    all(&FINISHED.path().join("out"), folder.path());
    folder
}

fn track(folder: &Path, formats: &[&str]) -> String {
    let formats: Vec<&str> = formats.iter().flat_map(|format| ["--to", format]).collect();
    let output = ablate(folder, &[&["track", "."], formats.as_slice()].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs by folder, with what they logged: by step and metric; null for what was no number.
fn logged(folder: &Path) -> BTreeMap<String, BTreeMap<(u64, String), Value>> {
    let mut runs = BTreeMap::new();
    for arm in ["base", "layer"] {
        let trials = (0..2).map(|trial| format!("{arm}/tune/rung-0/trial-{trial}/seed-1000000000"));
        for run in (0..2).map(|seed| format!("{arm}/seed-{seed}")).chain(trials) {
            let text = fs::read_to_string(folder.join(&run).join("metrics.jsonl")).unwrap();
            let mut values = BTreeMap::new();
            for line in text.lines() {
                let line: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
                let step = line["step"].as_u64().unwrap();
                values.extend(line.into_iter().filter(|(name, _)| name != "step").map(|(name, value)| ((step, name), value)));
            }
            runs.insert(run, values);
        }
    }
    runs
}

fn events(folder: &Path, run: &str) -> Vec<Event> {
    let folder = folder.join("_tracked/tensorboard").join(run);
    let filled = |path: &PathBuf| fs::metadata(path).unwrap().len() > 0;
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(filled).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    events::read(&fs::read(&files[0]).unwrap())
}

#[test]
fn event_files_hold_what_was_logged_and_what_differs() {
    let folder = copy();
    let said = track(folder.path(), &["tensorboard"]);
    assert!(said.contains("8 runs") && said.contains("tensorboard --logdir"), "{said}");
    for (run, expected) in logged(folder.path()) {
        let events = events(folder.path(), &run);
        assert_eq!(events[0].version.as_deref(), Some("brain.Event:2"));
        assert!(events[1].starts_session);
        let scalars: BTreeMap<(u64, String), f32> =
            events.iter().flat_map(|event| event.scalars.iter().map(|(tag, value)| ((event.step, tag.clone()), *value))).collect();
        let expected: BTreeMap<_, _> = expected.into_iter().map(|(key, value)| (key, value.as_f64().unwrap() as f32)).collect();
        assert!(expected.keys().any(|(_, name)| name == "valid/bits_per_byte@2x"), "{expected:?}");
        assert_eq!(scalars, expected, "{run}");
        let times: Vec<f64> = events.iter().map(|event| event.time).collect();
        assert!(times.is_sorted() && times[0] > 1.6e9, "{times:?}");
    }
    let settings = &events(folder.path(), "layer/seed-1")[2].settings;
    assert_eq!(settings["arm"], "layer");
    assert_eq!(settings["stage"], "compare");
    assert!(!settings.contains_key("seed"), "the seeds of an arm are one group: {settings:?}");
    assert_eq!(settings["model.norm.kind"], "layer");
    assert!(["0.001", "0.003"].contains(&settings["optimizer.lr"].as_str()), "{settings:?}");
    assert!(!settings.contains_key("model.width"), "what is equal everywhere is not told: {settings:?}");
}

/// What is there is brought up to date: by appending, so that a running TensorBoard follows, or by a new file.
#[test]
fn again_changes_nothing_and_more_steps_append() {
    let folder = copy();
    let (metrics, result) = (folder.path().join("base/seed-0/metrics.jsonl"), folder.path().join("records.jsonl"));
    let whole = fs::read_to_string(&metrics).unwrap();
    // As if the run were going on: some lines, one of them half written, and no record.
    let records = fs::read_to_string(&result).unwrap();
    let of_run = |line: &&str| line.contains("\"folder\":\"base/seed-0\"");
    fs::write(&result, records.lines().filter(|line| !of_run(line)).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let cut = whole.match_indices('\n').nth(3).unwrap().0 + 20;
    fs::write(&metrics, &whole[..cut]).unwrap();
    track(folder.path(), &["tensorboard", "csv", "mlflow"]);
    let root = folder.path().join("_tracked/tensorboard/base/seed-0");
    let content = || {
        let files = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), fs::read(path).unwrap())).find(|(_, content)| !content.is_empty()).unwrap()
    };
    let (path, begun) = content();
    track(folder.path(), &["tensorboard"]);
    assert_eq!(content(), (path.clone(), begun.clone()));
    fs::write(&metrics, &whole).unwrap();
    fs::write(&result, records).unwrap();
    track(folder.path(), &["tensorboard", "mlflow"]);
    let (same, grown) = content();
    assert_eq!(same, path);
    assert!(grown.starts_with(&begun) && grown.len() > begun.len());
    assert_eq!(events(folder.path(), "base/seed-0").iter().filter(|event| !event.scalars.is_empty()).count(), whole.lines().count());
    // Back to a checkpoint.
    fs::write(&metrics, &whole[..=whole.find('\n').unwrap()]).unwrap();
    track(folder.path(), &["tensorboard"]);
    assert_eq!(events(folder.path(), "base/seed-0").iter().filter(|event| !event.scalars.is_empty()).count(), 1);
    assert_ne!(content().0, path);
}

#[test]
fn tables_have_a_row_for_every_number() {
    let folder = copy();
    // A loss that is no number, as a diverged run logs it.
    let metrics = folder.path().join("layer/seed-0/metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap() + "{\"step\":9,\"loss\":null}\n";
    fs::write(&metrics, text).unwrap();
    track(folder.path(), &["csv", "jsonl"]);
    let expected = logged(folder.path());
    let mut rows = BTreeMap::new();
    let mut reader = csv::Reader::from_path(folder.path().join("_tracked/metrics.csv")).unwrap();
    for row in reader.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        assert_eq!(row["experiment"], "norms-which");
        let expected_stage = if row["run"].contains("tune") { "tune" } else { "compare" };
        assert_eq!(row["stage"], expected_stage);
        assert!(row["run"].starts_with(&format!("{}/", row["arm"])) && row["run"].ends_with(&format!("seed-{}", row["seed"])));
        let value = row["value"].parse().map_or(Value::Null, |value: f64| value.into());
        rows.entry(row["run"].clone()).or_insert_with(BTreeMap::new).insert((row["step"].parse().unwrap(), row["metric"].clone()), value);
    }
    assert_eq!(rows, expected, "bit for bit, and null for what is no number");

    let lines = fs::read_to_string(folder.path().join("_tracked/metrics.jsonl")).unwrap();
    let mut count = 0;
    for row in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let key = (row["step"].as_u64().unwrap(), row["metric"].as_str().unwrap().to_string());
        assert_eq!(&expected[row["run"].as_str().unwrap()][&key], &row["value"]);
        count += 1;
    }
    assert_eq!(count, expected.values().map(BTreeMap::len).sum::<usize>());
}

#[test]
fn a_run_on_its_own() {
    let folder = copy();
    let run = folder.path().join("layer/seed-1");
    let said = track(&run, &["csv", "tensorboard", "mlflow"]);
    assert!(said.contains("metrics.csv: 1 run\n"), "{said}");
    let events = events::read(&fs::read(run.join("_tracked/tensorboard/seed-1/events.out.tfevents.0000000001.ablate")).unwrap());
    assert_eq!(events[2].settings["model.width"], "16");
    assert_eq!(events[2].settings["train.seed"], "1");
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = copy();
    let refused = |arguments: &[&str], part: &str| {
        let output = ablate(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(part), "{said}");
    };
    refused(&["track", ".", "--to", "wandb"], "docs/trackers.md");
    refused(&["track", "base", "--to", "csv"], "no plan.json and no spec.toml");
    refused(&["track", ".", "--to", "csv", "--out", "plan.json"], "plan.json");
    if cfg!(not(feature = "parquet")) {
        refused(&["track", ".", "--to", "parquet"], "--features parquet");
    }
}

/// The real readers: TensorBoard, MLflow, Arrow. `.ci/full` installs them.
#[test]
fn trackers_read_it() {
    let python = std::env::var("ABLATE_TRACKERS_PYTHON").unwrap_or("python3".into());
    let folder = copy();
    let mut formats = vec!["tensorboard", "mlflow", "csv"];
    formats.extend(cfg!(feature = "parquet").then_some("parquet"));
    track(folder.path(), &formats);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/track/read.py");
    let mut command = Command::new(&python);
    command.arg(script).arg(env!("CARGO_BIN_EXE_ablate")).arg(folder.path()).env("MLFLOW_ALLOW_FILE_STORE", "true");
    let Ok(output) = command.output() else { return eprintln!("skipped: there is no {python}") };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    eprint!("{said}");
}
