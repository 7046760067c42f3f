//! A model that was trained here and goes on elsewhere: to `transformers`, and back.

use super::parity::{python, script};
use ablate::{
    data::Tokenizer,
    eval::{Arithmetic, logits},
    hub::{Dtype, Shards, Written, write_safetensors},
    model::{ModelSpec, Transformer},
    train::{
        checkpoint::{self, Which},
        open_model,
    },
};
use assert_cmd::Command;
use burn::tensor::Device;
use std::{
    fs,
    path::{Path, PathBuf},
};

const CONFIG: &str = r#"
[model]
layers = 2
width = 32
context = 128
attention = { heads = 4, kv_heads = 2 }
feed_forward = { kind = "swiglu", hidden = 64 }

[data]
corpus = { kind = "text", paths = ["corpus.txt"] }
tokenizer = { kind = "bpe", vocab = 320 }
validation_bytes = 2000

[optimizer]
kind = "adamw"
lr = 1e-2

[train]
steps = 20
batch = 4
"#;

/// A line of the corpus.
pub fn sentence(at: usize) -> String {
    format!("Line {at} of a text, {} words long, é {}.", at * at % 97, at % 7)
}

/// A folder with a run of 20 steps.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(set: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..700).map(|at| sentence(at) + "\n").collect();
        fs::write(folder.path().join("corpus.txt"), text).unwrap();
        fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
        let bench = Self { folder };
        let set = set.iter().flat_map(|set| ["--set", *set]);
        bench.ablate(&["train", "config.toml", "--out", "run"].into_iter().chain(set).collect::<Vec<_>>());
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the program prints.
    pub fn ablate(&self, arguments: &[&str]) -> String {
        let mut command = Command::cargo_bin("ablate").unwrap();
        let output = command.current_dir(&self.folder).env("ABLATE_CACHE", self.path("cache")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says where it must not go on.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let mut command = Command::cargo_bin("ablate").unwrap();
        let output = command.current_dir(&self.folder).env("ABLATE_CACHE", self.path("cache")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn model(&self) -> (ModelSpec, Transformer, Tokenizer) {
        let opened = open_model(&self.path("run"), Which::Newest).unwrap();
        let spec = opened.spec.clone();
        let model = opened.build(&Device::flex()).unwrap();
        (spec, model, checkpoint::tokenizer(&self.path("run"), Which::Newest).unwrap())
    }

    /// Tokens of the validation's kind, the first of a document in front.
    fn tokens(&self, tokenizer: &Tokenizer, text: &str) -> Vec<i64> {
        std::iter::once(tokenizer.bos()).chain(tokenizer.encode(text)).map(i64::from).collect()
    }
}

/// The tokens with as many more as are asked for, each the most likely one, without a cache.
fn greedy(model: &Transformer, mut tokens: Vec<i64>, more: usize) -> Vec<i64> {
    for _ in 0..more {
        let found = logits(model, &tokens, None, tokens.len(), false, Arithmetic::F32).logits;
        let last = &found[found.len() / tokens.len() * (tokens.len() - 1)..];
        let best = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
        tokens.push(best as i64);
    }
    tokens
}

#[test]
fn transformers_goes_on_with_what_was_trained() {
    let Some(python) = python() else { return };
    for set in [&[][..], &["model.attention.bias=true", "model.embedding.tied=true"], &["data.tokenizer.kind=bytes"]] {
        let bench = Bench::new(set);
        let said = bench.ablate(&["export", "run", "--out", "hf"]);
        assert!(said.starts_with("llama: "), "{said}");
        let (spec, model, tokenizer) = bench.model();
        let rows: Vec<i64> = bench.tokens(&tokenizer, &fs::read_to_string(bench.path("corpus.txt")).unwrap()[..900])[..240].to_vec();
        let prompt = bench.tokens(&tokenizer, "Line 17 of a");
        let tensors = [Written::integers("input_ids", vec![2, 120], &rows), Written::integers("prompt", vec![prompt.len()], &prompt)];
        write_safetensors(&bench.path("tokens.safetensors"), &tensors).unwrap();
        let paths = ["hf", "tokens.safetensors", "result.safetensors"].map(|name| bench.path(name));
        script(&python, "trained.py", &paths.each_ref().map(PathBuf::as_path));

        let result = Shards::file(&paths[2]).unwrap();
        let loss = logits(&model, &rows, Some(&rows), 120, false, Arithmetic::F32).loss.unwrap();
        assert_eq!(result.dtype("loss"), Some(Dtype::F64));
        assert!((loss - f64::from(result.read("loss").unwrap()[0])).abs() < 1e-5, "{set:?}: {loss}");
        assert_eq!(result.integers("greedy").unwrap(), greedy(&model, prompt.clone(), 64), "{set:?}");
        assert!(fs::read_to_string(bench.path("hf/README.md")).unwrap().contains(&spec.account(128).parameters.to_string()));
    }
}

#[test]
fn a_folder_of_hugging_face_becomes_a_run_and_the_same_folder_again() {
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--out", "hf"]);
    let said = bench.ablate(&["import", "hf", "--out", "again", "--config", "config.toml"]);
    assert!(said.contains("LlamaForCausalLM"), "{said}");
    bench.ablate(&["export", "again", "--out", "hf2"]);
    for file in ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"] {
        let [first, second] = ["hf", "hf2"].map(|folder| fs::read(bench.path(folder).join(file)).unwrap());
        assert!(first == second, "{file}");
    }
    // The order of channels is a matter of the run; what comes out is the same.
    bench.ablate(&["import", "hf", "--out", "turned", "--pairing", "interleaved", "--config", "config.toml"]);
    bench.ablate(&["export", "turned", "--out", "hf3"]);
    assert!(fs::read(bench.path("hf/model.safetensors")).unwrap() == fs::read(bench.path("hf3/model.safetensors")).unwrap());
    let text = |run: &str| bench.ablate(&["generate", run, "--prompt", "Line 4", "--tokens", "12", "--temperature", "0"]);
    assert_eq!(text("run"), text("again"));
    assert_eq!(text("run"), text("turned"));

    bench.ablate(&["export", "run", "--format", "ablate", "--out", "bare"]);
    assert_eq!(text("run"), text("bare"));
    assert!(bench.refused(&["export", "run", "--out", "hf"]).contains("is there already"));
    assert!(bench.refused(&["import", "hf", "--out", "again"]).contains("holds a run already"));
    assert!(bench.refused(&["export", "run", "--out", "x", "--family", "gpt2"]).contains("model.position.kind = rope"));
    assert!(bench.refused(&["export", "run", "--out", "x", "--dtype", "f8"]).contains("expected f32, f16 or bf16"));
    fs::remove_file(bench.path("hf/tokenizer.json")).unwrap();
    assert!(bench.refused(&["import", "hf", "--out", "y"]).contains("no tokenizer.json"));
}

#[test]
fn wrong_input_for_logits_is_named() {
    let bench = Bench::new(&[]);
    let refused = |tensors: &[Written], more: &[&str], reason: &str| {
        write_safetensors(&bench.path("in.safetensors"), tensors).unwrap();
        let arguments = [&["logits", "run", "--input", "in.safetensors", "--output", "out.safetensors"][..], more].concat();
        let error = bench.refused(&arguments);
        assert!(error.contains(reason) && !bench.path("out.safetensors").exists(), "{reason}: {error}");
    };
    refused(&[], &[], "holds no tensor input_ids");
    refused(&[Written::new("input_ids", vec![2], Dtype::F32, || vec![1.0, 2.0])], &[], "not integers");
    refused(&[Written::integers("input_ids", vec![2], &[1, 2])], &[], "[batch, seq]");
    refused(&[Written::integers("input_ids", vec![1, 2], &[1, 9999])], &[], "token 9999");
    refused(&[Written::integers("input_ids", vec![1, 2], &[1, 2])], &["--grads", "g.safetensors"], "holds no labels");
    assert!(bench.refused(&["logits", "nowhere", "--input", "in.safetensors", "--output", "o"]).contains("nowhere"));
}

const RECIPE: &str = r#"
[optimizer]
kind = "adamw"
lr = 3e-3
beta1 = 0.9
beta2 = 0.95
eps = 1e-8
weight_decay = 0.1
decay = "matrices"

[schedule]
kind = "constant"
warmup = 4

[train]
gradient_clip = 1.0
"#;

/// Losses by step.
fn losses(path: &Path) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().enumerate().all(|(at, line)| line["step"] == at + 1), "{text}");
    lines.iter().map(|line| line["loss"].as_f64().unwrap()).collect()
}

/// From weights that `transformers` has made, on batches that are given, step by step.
#[test]
fn training_takes_the_same_way_as_pytorch() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    script(&python, "models.py", &[folder.path(), Path::new("llama"), Path::new("gpt2"), Path::new("gemma2")]);
    let tokens: Vec<i64> = (0..20 * 3 * 17).map(|at: i64| 3 + (at * at * 31 + at / 7) % 90).collect();
    write_safetensors(&path("batches.safetensors"), &[Written::integers("batches", vec![20, 3, 17], &tokens)]).unwrap();
    fs::write(path("recipe.toml"), RECIPE).unwrap();
    for model in ["llama", "gpt2", "gemma2"] {
        script(&python, "train.py", &[&path(model), &path("batches.safetensors"), &path("theirs.jsonl")]);
        let mut command = Command::cargo_bin("ablate").unwrap();
        let arguments = ["train", "recipe.toml", "--init", model, "--batches", "batches.safetensors", "--log", "ours.jsonl", "--out"];
        let output = command.current_dir(&folder).args(arguments).arg(format!("run-{model}")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (ours, theirs) = (losses(&path("ours.jsonl")), losses(&path("theirs.jsonl")));
        assert_eq!((ours.len(), theirs.len()), (20, 20));
        assert!(theirs[19] < theirs[0]);
        for (step, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            // AdamW divides by roots of small numbers: differences of rounding grow from step to step.
            assert!((a - b).abs() <= 1e-4 * b, "{model}, step {}: {a} and {b}", step + 1);
        }
    }
}

/// What must agree between a configuration, a model and batches.
#[test]
fn a_start_that_does_not_fit_is_named() {
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--out", "hf"]);
    let tokens: Vec<i64> = (0..4 * 2 * 9).map(|at| at % 50).collect();
    write_safetensors(&bench.path("b.safetensors"), &[Written::integers("batches", vec![4, 2, 9], &tokens)]).unwrap();
    // There are four steps, and warm-up is meant as it is written.
    fs::write(bench.path("recipe.toml"), RECIPE.replace("warmup = 4", "warmup = 2")).unwrap();
    fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["train", "recipe.toml", "--batches", "b.safetensors", "--log", "l.jsonl"][..], more].concat()
    }
    // From a run and from what was exported of it: the same losses.
    bench.ablate(&train(&["--init", "run", "--out", "one"]));
    let first = losses(&bench.path("l.jsonl"));
    bench.ablate(&train(&["--init", "hf", "--out", "two"]));
    let second = losses(&bench.path("l.jsonl"));
    assert_eq!(first.len(), 4);
    assert!(first.iter().zip(&second).all(|(a, b)| (a - b).abs() < 1e-5 * b), "{first:?} {second:?}");
    // The configuration may say what the model is, in its own order of channels.
    bench.ablate(&["train", "config.toml", "--batches", "b.safetensors", "--log", "l.jsonl", "--init", "hf", "--out", "three"]);

    // Devices may divide the model that is given, as far as it can be divided: not the one that is written.
    bench.ablate(&train(&["--init", "hf", "--devices", "2", "--tensor", "2", "--out", "divided"]));
    let divided = losses(&bench.path("l.jsonl"));
    assert!(first.iter().zip(&divided).all(|(a, b)| (a - b).abs() < 1e-4 * b), "{first:?} {divided:?}");
    let error = bench.refused(&train(&["--init", "hf", "--devices", "4", "--tensor", "4", "--out", "x"]));
    assert!(error.contains("2 heads of keys cannot be divided by 4"), "{error}");

    assert!(bench.refused(&train(&["--init", "run", "--steps", "5", "--out", "x"])).contains("holds 4 steps, not 5"));
    assert!(bench.refused(&train(&["--init", "nowhere", "--out", "x"])).contains("nowhere"));
    let other = ["--init", "run", "--set", "model.layers=3", "--set", "model.width=32", "--out", "x"];
    let error = bench.refused(&train(&other));
    assert!(error.contains("is another model") && error.contains("model.layers = 3 (there: 2)"), "{error}");
    let odd: Vec<i64> = (0..4 * 2 * 8).map(|at| at % 50).collect();
    write_safetensors(&bench.path("b.safetensors"), &[Written::integers("batches", vec![4, 2, 8], &odd)]).unwrap();
    let error = bench.refused(&train(&["--init", "run", "--devices", "2", "--tensor", "2", "--out", "x"]));
    assert!(error.contains("7 tokens of a row cannot be divided by 2"), "{error}");
    let high = [1, 2, 9999];
    write_safetensors(&bench.path("b.safetensors"), &[Written::integers("batches", vec![1, 1, 3], &high)]).unwrap();
    assert!(bench.refused(&train(&["--init", "run", "--out", "x"])).contains("token 9999"));
    let long: Vec<i64> = vec![5; 4 * 200];
    write_safetensors(&bench.path("b.safetensors"), &[Written::integers("batches", vec![4, 1, 200], &long)]).unwrap();
    assert!(bench.refused(&train(&["--init", "run", "--out", "x"])).contains("do not fit into a context of 128"));
}
