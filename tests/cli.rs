//! Wrong input, as users bring it: exit code 2, a message that names the place, and no file that was not there before.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const BASE: &str = r#"
model = { layers = 1, width = 16, context = 16, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
data = { corpus = { kind = "text", paths = ["corpus.txt"] }, tokenizer = { kind = "bytes" }, validation_bytes = 600 }
train = { steps = 4, batch = 2 }
schedule.warmup = 1
"#;

const ARM: &str = "[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"layer\" }\n";

/// A folder with a base, a corpus and an experiment that is right.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("base.toml", BASE);
        desk.write("corpus.txt", (0..600).map(|i| format!("Line {i}, {} words.\n", i * i % 97)).collect::<String>());
        desk.experiment("", ARM);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn experiment(&self, head: &str, arms: &str) {
        self.write("e.toml", format!("name = \"e\"\nquestion = \"?\"\nbase = \"base.toml\"\n{head}\n{arms}"));
    }

    fn ablate(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command.current_dir(self.0.path()).env("ABLATE_CACHE", self.path("cache")).stdin(Stdio::null());
        command.args(arguments).output().unwrap()
    }

    /// The message of a command that must be refused, after which nothing but the cache may have changed.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let output = self.ablate(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(!message.contains("panicked") && !message.contains("internal error"), "{arguments:?}: {message}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let after = self.files();
        let changed: Vec<_> = before.symmetric_difference(&after).map(|(path, _)| path).collect();
        assert!(changed.is_empty(), "{arguments:?} touched {changed:?}");
        message
    }

    /// Every file and folder with its content, but those of the cache.
    fn files(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, found: &mut BTreeSet<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                }
                found.insert((path.clone(), fs::read(&path).unwrap_or_default()));
            }
        }
        let mut found = BTreeSet::new();
        walk(self.0.path(), &mut found);
        found.retain(|(path, _)| !path.starts_with(self.path("cache")));
        found
    }
}

/// Says of `experiment` (lines above the arms, arms) all of `expected`, whichever command reads it.
fn wrong_experiment(head: &str, arms: &str, expected: &[&str]) {
    let desk = Desk::new();
    desk.experiment(head, arms);
    for command in [&["plan", "e.toml"][..], &["plan", "e.toml", "--json"], &["run", "e.toml"]] {
        let message = desk.refused(command);
        for part in expected {
            assert!(message.contains(part), "{command:?} does not say {part:?}:\n{message}");
        }
    }
}

#[test]
fn the_desk_is_in_order() {
    let desk = Desk::new();
    for arguments in [&["plan", "e.toml"][..], &["run", "e.toml", "--seeds", "2"], &["train", "base.toml"]] {
        let output = desk.ablate(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn unknown_keys() {
    wrong_experiment("alhpa = 0.05", ARM, &["e.toml:4", "alhpa", "alpha"]);
    wrong_experiment("", &ARM.replace("norm.kind", "nrom.kind"), &["e.toml:7", "model.nrom", "norm"]);
    let desk = Desk::new();
    desk.write("base.toml", format!("{BASE}[evaluation]\nevrey = 2\n"));
    let message = desk.refused(&["train", "base.toml"]);
    assert!(message.contains("base.toml:7") && message.contains("every"), "{message}");
    let message = desk.refused(&["train", "base.toml", "--set", "train.stesp=3"]);
    assert!(message.contains("--set") && message.contains("steps"), "{message}");
}

#[test]
fn wrong_types() {
    wrong_experiment("seeds = \"many\"", ARM, &["e.toml:4", "seeds", "\"many\""]);
    wrong_experiment("set = { \"train.steps\" = \"ten\" }", ARM, &["train.steps", "\"ten\"", "integer"]);
    let message = Desk::new().refused(&["train", "base.toml", "--set", "model.layers=2.5"]);
    assert!(message.contains("model.layers") && message.contains("2.5"), "{message}");
}

#[test]
fn misspelt_variants() {
    wrong_experiment("", &ARM.replace("\"layer\"", "\"layre\""), &["e.toml:7", "\"layre\"", "layer"]);
    wrong_experiment("design = { kind = \"ladr\" }", ARM, &["design.kind", "ladder"]);
}

#[test]
fn heads_that_do_not_divide() {
    let arm = |key: &str, value: u32| format!("[[arm]]\nname = \"a\"\nset = {{ \"{key}\" = {value} }}\n");
    wrong_experiment("", &arm("model.attention.heads", 3), &["e.toml:7", "model.attention.heads", "3", "16"]);
    wrong_experiment(
        "set = { \"model.attention.heads\" = 4 }",
        &arm("model.attention.kv_heads", 3),
        &["e.toml:7", "model.attention.kv_heads"],
    );
}

#[test]
fn missing_bases_and_cycles() {
    let desk = Desk::new();
    fs::remove_file(desk.path("base.toml")).unwrap();
    let message = desk.refused(&["run", "e.toml"]);
    assert!(message.contains("e.toml:3") && message.contains("base.toml"), "{message}");
    let message = desk.refused(&["run", "none.toml"]);
    assert!(message.contains("none.toml"), "{message}");

    let desk = Desk::new();
    desk.write("base.toml", "extends = \"upper.toml\"\n");
    desk.write("upper.toml", "extends = \"base.toml\"\n");
    for command in [["train", "base.toml"], ["run", "e.toml"]] {
        let message = desk.refused(&command);
        assert!(message.contains("base.toml") && message.contains("upper.toml"), "{message}");
    }
}

#[test]
fn arms_that_cannot_be_told_apart() {
    wrong_experiment("", &format!("{ARM}{ARM}"), &["e.toml:9", "\"a\""]);
    wrong_experiment("", "[[arm]]\nname = \"a\"\n", &["e.toml:5", "sets nothing"]);
    wrong_experiment("", &ARM.replace("layer", "rms"), &["changes nothing"]);
}

#[test]
fn zero_seeds() {
    wrong_experiment("seeds = 0", ARM, &["e.toml:4", "seeds"]);
    let message = Desk::new().refused(&["run", "e.toml", "--seeds", "0"]);
    assert!(message.contains("--seeds"), "{message}");
}

#[test]
fn texts_that_cannot_train() {
    let of_corpus = |content: &[u8]| {
        let desk = Desk::new();
        desk.write("corpus.txt", content);
        let messages = [desk.refused(&["train", "base.toml"]), desk.refused(&["run", "e.toml"])];
        assert!(messages.iter().all(|message| message.contains("corpus")), "{messages:?}");
        messages[0].clone()
    };
    let message = of_corpus(b"");
    assert!(message.contains("empty") || message.contains("no text"), "{message}");
    // Enough for neither a sequence of 17 tokens to train on nor one to validate on.
    let message = of_corpus(b"a\nb\n");
    assert!(message.contains("context") || message.contains("sequence") || message.contains("short"), "{message}");
    let message = of_corpus(b"good text\n\xff\xfe bad text, and some more of it\n");
    assert!(message.contains("UTF-8") && message.contains("corpus.txt"), "{message}");
}

#[test]
fn truncated_checkpoints() {
    let desk = Desk::new();
    assert_eq!(desk.ablate(&["train", "base.toml", "--out", "run"]).status.code(), Some(0));
    let (checkpoint, mut cut) = (desk.path("run/checkpoint"), 0);
    for (file, whole) in desk.files() {
        if !file.starts_with(&checkpoint) || whole.is_empty() {
            continue;
        }
        cut += 1;
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let message = desk.refused(&["generate", "run", "--prompt", "Line"]);
        assert!(message.contains("checkpoint"), "{}: {message}", file.display());
        fs::write(&file, &whole).unwrap();
    }
    assert!(cut >= 2, "a checkpoint of {cut} files");
    assert_eq!(desk.ablate(&["generate", "run", "--prompt", "Line"]).status.code(), Some(0));
}

#[test]
fn folders_that_cannot_be_written() {
    let desk = Desk::new();
    desk.write("file", "");
    for command in [["run", "e.toml", "--out", "file/out"], ["train", "base.toml", "--out", "file/out"]] {
        let message = desk.refused(&command);
        assert!(message.contains("file/out"), "{message}");
    }
}

#[test]
fn devices_that_are_not_there() {
    let desk = Desk::new();
    for device in ["cuda:99", "wgpu:99", "tpu"] {
        let [run, train] = [("run", "e.toml"), ("train", "base.toml")].map(|(verb, file)| vec![verb, file, "--device", device]);
        for command in [run, train, vec!["doctor", "--device", device]] {
            let message = desk.refused(&command);
            assert!(message.contains(device.split(':').next().unwrap()), "{message}");
        }
    }
}

#[test]
fn a_doctor_that_can_fail_passes_the_cpu() {
    let desk = Desk::new();
    let healthy = desk.ablate(&["doctor"]);
    let text = String::from_utf8(healthy.stdout).unwrap();
    assert_eq!(healthy.status.code(), Some(0), "{text}");
    assert!(text.contains("flex: passed") && text.contains("fused-flex") && !text.contains("MISS"), "{text}");

    let distorted = desk.ablate(&["doctor", "--json", "--distort", "linear"]);
    assert_eq!(distorted.status.code(), Some(3), "{}", String::from_utf8_lossy(&distorted.stderr));
    let all: serde_json::Value = serde_json::from_slice(&distorted.stdout).unwrap();
    let diagnosis = &all["diagnosis"];
    assert_eq!((diagnosis["passed"].as_bool(), diagnosis["device"].as_str()), (Some(false), Some("flex")));
    let checks = diagnosis["checks"].as_array().unwrap();
    for check in checks {
        let (operator, dtype, path) = (check["operator"].as_str().unwrap(), check["dtype"].as_str().unwrap(), check["path"].as_str());
        let name = format!("{operator}, {dtype}, {path:?}");
        assert_eq!(check["passed"].as_bool(), Some(operator != "linear"), "{name}");
        let (worst, tolerance) = (check["worst_error"].as_f64().unwrap(), check["tolerance"].as_f64().unwrap());
        assert_eq!(worst <= tolerance, operator != "linear", "{name}: {worst}");
        assert!(check["results"].as_u64().unwrap() >= check["cases"].as_u64().unwrap(), "{name}");
    }
    // Both paths in f32, with bf16 products, in bf16 and in f16.
    let attention: Vec<_> = checks.iter().filter(|check| check["operator"] == "attention").map(|check| &check["path"]).collect();
    assert_eq!(attention, ["fused-flex", "composed"].repeat(4));
    let capabilities = diagnosis["capabilities"].as_array().unwrap();
    assert!(capabilities.iter().all(|row| row["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
    assert_eq!(all["system"]["backends"][0]["devices"][0], "flex");
}

#[test]
fn layouts_over_a_cluster() {
    let desk = Desk::new();
    let shown = desk.ablate(&["plan", "base.toml", "--cluster", "h100:2", "--trace", "trace.json", "--json"]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let layouts: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let best = &layouts[0];
    assert_eq!(best["layout"]["data"].as_u64().unwrap() * best["layout"]["tensor"].as_u64().unwrap(), 2);
    assert!(best["days"].as_f64().unwrap() > 0.0 && best["memory"]["total"].as_f64().unwrap() < 80e9);
    let trace: serde_json::Value = serde_json::from_slice(&fs::read(desk.path("trace.json")).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().iter().any(|event| event["name"] == "layers.0"));
    // Two sequences and two heads: neither is divided by three.
    let three = desk.refused(&["plan", "base.toml", "--cluster", "h100:3"]);
    assert!(three.contains("2 heads") && three.contains("train.batch"), "{three}");
    let kind = desk.refused(&["plan", "base.toml", "--cluster", "tpu:4"]);
    assert!(kind.contains("a100-80g"), "{kind}");
    desk.write("huge.toml", format!("extends = \"base.toml\"\n[model.feed_forward]\nhidden = {}\n", 1_u64 << 32));
    let huge = desk.refused(&["plan", "huge.toml", "--cluster", "h100:2"]);
    assert!(huge.contains("fits") && huge.contains("more memory"), "{huge}");
    let other = desk.refused(&["plan", "base.toml", "--cluster", "h100:2", "--micro", "64"]);
    assert!(other.contains("no layout is like that") && other.contains("the fastest that fits"), "{other}");
}
