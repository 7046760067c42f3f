//! `ablate data` and `ablate tokenizer` as people type them.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Instant,
};

/// A folder in which commands are run, with a cache of its own.
pub(super) struct Desk(tempfile::TempDir);

impl Desk {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command.current_dir(self.0.path()).env("ABLATE_CACHE", self.path("cache")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(super) fn shown(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{message}");
        message
    }

    /// Six files of prose in which lines and documents repeat, and a recipe for them.
    fn corpus(&self) {
        let words = ["river", "stone", "lamp", "winter", "table", "music", "garden", "letter", "window", "bread", "silver", "road"];
        let word = |n: usize| words[n % words.len()];
        for file in 0..6 {
            let document = |i: usize| {
                let seed = if i.is_multiple_of(7) { i } else { file * 1000 + i };
                let sentence = |j: usize| {
                    let n = seed * 31 + j * j * 7 + j;
                    format!("The {} near the {} had a {} and no {}.", word(n), word(n / 3 + 1), word(n / 5 + 2), word(n / 11 + 5))
                };
                let text: Vec<String> = (0..12).map(sentence).collect();
                format!("{}\n", serde_json::json!({ "text": format!("All rights reserved.\n{}", text.join("\n")) }))
            };
            self.write(&format!("raw/{file}.jsonl"), (0..120).map(document).collect::<String>());
        }
        self.write(
            "recipe.toml",
            r#"
name = "prose"

[[source]]
name  = "raw"
paths = ["raw"]

[[source.step]]
apply = { kind = "length", min_words = 20 }
allow = ["nothing"]

[[step]]
apply = { kind = "exact" }

[[step]]
apply = { kind = "lines", keep = "first", min_chars = 0 }

[output]
file_bytes = 20000
"#,
        );
    }
}

/// All files of a folder but how long steps took.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(content(&path));
        } else if !path.ends_with("times.json") {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

fn same(a: &Path, b: &Path) {
    let strip =
        |root: &Path| content(root).into_iter().map(|(path, bytes)| (path.strip_prefix(root).unwrap().to_path_buf(), bytes)).collect();
    let (a, b): (BTreeMap<PathBuf, Vec<u8>>, BTreeMap<PathBuf, Vec<u8>>) = (strip(a), strip(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{} differs", name.display());
    }
}

/// Killed twenty times, with one thread and with two: the same bytes.
#[test]
fn a_build_that_is_killed_again_and_again_gives_the_same_bytes() {
    let desk = Desk::new();
    desk.corpus();
    let recipe = fs::read_to_string(desk.path("recipe.toml")).unwrap();
    desk.write("recipe.toml", recipe + "\n[[step]]\napply = { kind = \"minhash\" }\nallow = [\"nothing\"]\n");
    let start = Instant::now();
    let whole = desk.shown(&["data", "build", "recipe.toml", "--out", "whole", "--jobs", "1"]);
    let time = start.elapsed();
    for part in ["raw", "exact", "lines", "minhash", "length", "documents"] {
        assert!(whole.contains(part), "no {part}:\n{whole}");
    }
    desk.shown(&["data", "build", "recipe.toml", "--out", "two", "--jobs", "2"]);
    same(&desk.path("whole"), &desk.path("two"));
    let (mut kills, mut amid, mut attempts, mut builds) = (0, 0, 0, 0);
    let mut finished = false;
    while kills < 20 || !finished {
        attempts += 1;
        assert!(attempts < 400, "{kills} kills hit, {amid} of them amid work");
        let out = format!("killed-{builds}");
        let build = ["data", "build", "recipe.toml", "--out", &out, "--jobs", if builds % 2 == 0 { "2" } else { "1" }];
        let mut child = desk.command(&build).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // At all times up to that of a whole build, which takes longer where other work has begun since.
        std::thread::sleep(time * (1 + attempts % 10) * (1 + attempts / 40) / 11);
        // It may have ended.
        let _ = child.kill();
        let code = child.wait().unwrap().code();
        assert_ne!(code, Some(2), "it was refused");
        kills += usize::from(code != Some(0));
        amid += usize::from(code != Some(0) && desk.path(&out).join(".work").exists());
        finished = desk.path(&out).join("report.json").exists();
        if finished {
            // What a kill left behind the report goes, too.
            desk.shown(&build);
            same(&desk.path("whole"), &desk.path(&out));
            builds += 1;
        }
    }
    assert!(amid > 0, "{kills} kills hit, none of them amid work");
}

#[test]
fn recipes_are_planned_tried_and_trained_on() {
    let desk = Desk::new();
    desk.corpus();
    let plan = desk.shown(&["data", "plan", "recipe.toml"]);
    assert!(plan.contains("raw") && plan.contains("exact, lines") && plan.contains("--limit"), "{plan}");
    let report: Value =
        serde_json::from_str(&desk.shown(&["data", "build", "recipe.toml", "--out", "trial", "--limit", "10", "--json"])).unwrap();
    assert_eq!(report["sources"][0]["read"]["documents"], 60);
    let without: Value =
        serde_json::from_str(&desk.shown(&["data", "build", "recipe.toml", "--out", "bare", "--without", "lines,exact", "--json"]))
            .unwrap();
    assert_eq!(without["written"]["documents"], 720);

    // The recipe is a corpus, and its steps are keys.
    desk.write(
        "run.toml",
        r#"
model = { layers = 1, width = 16, context = 32, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
train = { steps = 3, batch = 2 }
schedule.warmup = 1
[data]
tokenizer = { kind = "bytes" }
validation_bytes = 600
packing = "best_fit"
[data.corpus]
kind = "mixture"
[data.corpus.sources.clean]
weight = 3
corpus = { kind = "recipe", path = "recipe.toml", without = ["lines"] }
[data.corpus.sources.raw]
weight = 1
corpus = { kind = "jsonl", paths = ["raw"] }
"#,
    );
    desk.shown(&["train", "run.toml", "--out", "run"]);
    let table = desk.shown(&["data", "plan", "run.toml"]);
    for part in ["clean", "raw", "sampling prop.", "epochs", "192 tokens in 3 steps"] {
        assert!(table.contains(part), "no {part}:\n{table}");
    }
    let refused = desk.refused(&["train", "run.toml", "--out", "long", "--set", "train.steps=1000000"]);
    assert!(refused.contains("max_epochs") && refused.contains("sources."), "{refused}");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let desk = Desk::new();
    desk.corpus();
    let recipe = fs::read_to_string(desk.path("recipe.toml")).unwrap();
    let with = |from: &str, to: &str| {
        desk.write("wrong.toml", recipe.replacen(from, to, 1));
        desk.refused(&["data", "build", "wrong.toml", "--out", "wrong"])
    };
    assert!(with("kind = \"exact\"", "kind = \"exakt\"").contains("exakt"));
    assert!(with("min_words = 20", "min_word = 20").contains("min_word"));
    assert!(with("paths = [\"raw\"]", "paths = [\"none\"]").contains("none"));
    // Before anything is read, and nothing is left of it.
    let bands = ("kind = \"exact\"", "kind = \"minhash\", bands = 0");
    assert!(with(bands.0, bands.1).contains("minhash.bands"));
    assert!(desk.refused(&["data", "plan", "wrong.toml"]).contains("minhash.bands"));
    let model = ("kind = \"exact\"", "kind = \"perplexity\", model = \"none.ngram\"");
    assert!(with(model.0, model.1).contains("none.ngram"));
    assert!(desk.refused(&["data", "plan", "wrong.toml"]).contains("none.ngram"));
    assert!(with("file_bytes", "tokenizer = \"none.json\"\nfile_bytes").contains("none.json"));
    assert!(!desk.path("wrong/.work").exists());
    assert!(with("min_words = 20", "min_words = 20000").contains("dropped every document"));
    assert!(desk.refused(&["data", "build", "none.toml", "--out", "x"]).contains("none.toml"));
    assert!(
        desk.refused(&["data", "build", "recipe.toml", "--out", "x", "--without", "nothing"]).contains("steps are exact, length, lines")
    );
    desk.shown(&["data", "build", "recipe.toml", "--out", "out"]);
    let other = desk.refused(&["data", "build", "recipe.toml", "--out", "out", "--without", "lines"]);
    assert!(other.contains("another recipe"), "{other}");
    let other = desk.refused(&["data", "build", "recipe.toml", "--out", "out", "--limit", "5"]);
    assert!(other.contains("no --limit") && other.contains("--limit 5"), "{other}");
    let bytes = fs::read(desk.path("raw/3.jsonl")).unwrap();
    fs::write(desk.path("raw/3.jsonl"), &bytes[..bytes.len() - 40]).unwrap();
    assert!(desk.refused(&["data", "build", "recipe.toml", "--out", "cut"]).contains("3.jsonl"));
}

#[test]
fn tokenizers_are_trained_compared_and_looked_into() {
    let desk = Desk::new();
    desk.corpus();
    desk.shown(&["tokenizer", "train", "raw", "--out", "small", "--set", "vocab_size=400"]);
    let ids = desk.shown(&["tokenizer", "encode", "small", "The river near the stone."]);
    assert!(ids.split_whitespace().all(|id| id.parse::<u32>().is_ok_and(|id| id < 400)), "{ids}");
    let pieces = desk.shown(&["tokenizer", "encode", "small/tokenizer.json", "The river", "--pieces"]);
    assert!(pieces.lines().all(|line| line.contains('\t')), "{pieces}");
    let inspected: Value = serde_json::from_str(&desk.shown(&["tokenizer", "inspect", "small", "--json"])).unwrap();
    assert!((300..=400).contains(&inspected["vocab"].as_u64().unwrap()), "{inspected}");
    let table = desk.shown(&["tokenizer", "compare", "small", "byte_level:400", "unigram:400", "--on", "prose=raw"]);
    for part in ["small", "byte_level:400", "unigram:400", "prose", "bytes/token", "█"] {
        assert!(table.contains(part), "no {part}:\n{table}");
    }
    assert!(desk.refused(&["tokenizer", "train", "raw", "--out", "small"]).contains("already"));
    assert!(desk.refused(&["tokenizer", "train", "raw", "--out", "x", "--set", "vocab_size=7"]).contains("vocab_size"));
    assert!(desk.refused(&["tokenizer", "encode", "raw/0.jsonl", "text"]).contains("0.jsonl"));
}

#[test]
fn token_shards_of_a_build_are_trained_on_and_a_corrupted_one_is_named() {
    let desk = Desk::new();
    desk.corpus();
    desk.shown(&["tokenizer", "train", "raw", "--out", "small", "--set", "vocab_size=400"]);
    let recipe = fs::read_to_string(desk.path("recipe.toml")).unwrap();
    desk.write("recipe.toml", recipe + "tokenizer = \"small/tokenizer.json\"\n");
    desk.shown(&["data", "build", "recipe.toml", "--out", "out", "--without", "lines"]);
    desk.write(
        "run.toml",
        r#"
model = { layers = 1, width = 16, context = 32, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
train = { steps = 3, batch = 2 }
schedule.warmup = 1
[data]
tokenizer = { kind = "file", path = "out/tokens/tokenizer.json" }
validation_bytes = 600
corpus = { kind = "shards", paths = ["out/tokens/0000[1-9].bin"], held_out = ["out/tokens/00000.bin"] }
"#,
    );
    desk.shown(&["train", "run.toml", "--out", "run"]);
    for name in ["out/tokens/00001.bin", "out/tokens/00001.idx"] {
        let good = fs::read(desk.path(name)).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        desk.write(name, &bad);
        let refused = desk.refused(&["train", "run.toml", "--out", "other"]);
        assert!(refused.contains(name.rsplit('/').next().unwrap()), "{refused}");
        desk.write(name, &good);
    }
}
