//! `ablate logits`: what it writes, in every arithmetic, under the names that Hugging Face has.

use super::trained::Bench;
use ablate::hub::{Dtype, Shards, Written, write_safetensors};
use assert_cmd::Command;
use std::{collections::BTreeMap, fs, path::Path};

/// A tensor of a file: its shape and its values, in f64 as they lie there.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

fn tensors(path: &Path) -> Tensors {
    let shards = Shards::file(path).unwrap();
    let bytes = fs::read(path).unwrap();
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..start]).unwrap();
    let values = |name: &str| match shards.dtype(name) {
        // As they lie there: a reader of weights rounds them.
        Some(Dtype::F64) => {
            let [from, to] = [0, 1].map(|at| start + header[name]["data_offsets"][at].as_u64().unwrap() as usize);
            bytes[from..to].chunks_exact(8).map(|eight| f64::from_le_bytes(eight.try_into().unwrap())).collect()
        }
        _ => shards.read(name).unwrap().into_iter().map(f64::from).collect(),
    };
    shards.names().map(|name| (name.to_string(), (shards.shape(name).unwrap().to_vec(), values(name)))).collect()
}

fn shapes(tensors: &Tensors) -> BTreeMap<&str, &[usize]> {
    tensors.iter().map(|(name, (shape, _))| (name.as_str(), shape.as_slice())).collect()
}

/// The largest norm-wise relative error of a tensor, of those that are not zero but for rounding.
fn worst(found: &Tensors, expected: &Tensors) -> f64 {
    assert_eq!(shapes(found), shapes(expected));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let largest = expected.values().map(|(_, values)| norm(&mut values.iter().copied())).fold(0.0, f64::max);
    let error = |name: &String| {
        let (ours, theirs) = (&found[name].1, &expected[name].1);
        let off = norm(&mut ours.iter().zip(theirs).map(|(a, b)| a - b));
        off / norm(&mut theirs.iter().copied()).max(1e-6 * largest)
    };
    expected.keys().map(error).fold(0.0, f64::max)
}

/// Writes two rows of tokens, with labels of which some do not count.
fn input(bench: &Bench) {
    let tokens: Vec<i64> = (0..2 * 24).map(|at: i64| 3 + (at * at * 31 + at / 7) % 200).collect();
    let mut labels = tokens.clone();
    labels[30..33].fill(-100);
    let tensors = [("input_ids", &tokens), ("labels", &labels)].map(|(name, values)| Written::integers(name, vec![2, 24], values));
    write_safetensors(&bench.path("in.safetensors"), &tensors).unwrap();
}

/// What the verb writes of a model: logits with loss, and gradients.
fn evaluated(bench: &Bench, model: &str, dtype: &str, grads: bool) -> (Tensors, Option<Tensors>) {
    let mut arguments = vec!["logits", model, "--input", "in.safetensors", "--output", "out.safetensors", "--dtype", dtype];
    if grads {
        arguments.extend(["--grads", "grads.safetensors"]);
    }
    bench.ablate(&arguments);
    let read = |name: &str| tensors(&bench.path(name));
    (read("out.safetensors"), grads.then(|| read("grads.safetensors")))
}

#[test]
fn every_arithmetic_gives_logits_and_gradients() {
    let bench = Bench::new(&[]);
    input(&bench);
    bench.ablate(&["export", "run", "--out", "hf"]);
    let weights = tensors(&bench.path("hf/model.safetensors"));
    let (exact, gradients) = evaluated(&bench, "run", "f64", true);
    let gradients = gradients.unwrap();
    assert_eq!(shapes(&gradients), shapes(&weights), "gradients lie as weights do");
    assert!(gradients.contains_key("model.layers.1.self_attn.q_proj.weight"));
    assert_eq!(exact.keys().collect::<Vec<_>>(), ["logits", "loss"]);
    assert_eq!((exact["logits"].0.len(), exact["loss"].0.len()), (3, 0));
    // Nothing is rounded to f32 on the way.
    let rounded = |value: &f64| f64::from(*value as f32) == *value;
    for (name, (_, values)) in exact.iter().chain(&gradients) {
        assert!(!values.iter().all(rounded), "{name}");
    }
    for (dtype, allowed) in [("f64", 1e-9), ("f32", 1e-4), ("bf16", 0.3)] {
        for grads in [false, true] {
            let (found, some) = evaluated(&bench, "run", dtype, grads);
            assert!(worst(&found, &exact) < allowed, "{dtype}, gradients {grads}: {}", worst(&found, &exact));
            if let Some(found) = some {
                assert!(worst(&found, &gradients) < allowed, "{dtype}: {}", worst(&found, &gradients));
            }
            let file = |name: &str| Shards::file(&bench.path(name)).unwrap();
            let stored = if dtype == "f64" { Dtype::F64 } else { Dtype::F32 };
            assert_eq!(file("out.safetensors").dtype("logits"), Some(stored));
            if grads {
                let grads = file("grads.safetensors");
                assert!(grads.names().all(|name| grads.dtype(name) == Some(stored)), "{dtype}");
            }
        }
    }
}

/// Whatever the run differs in from the family: the order of channels, what is dropped and added in training, biases that the
/// family always has.
#[test]
fn gradients_of_a_run_are_those_of_its_export() {
    let gpt2 = [
        "model.position.kind=learned",
        "model.norm.kind=layer",
        "model.norm.bias=false",
        "model.attention.kv_heads=4",
        "model.feed_forward.kind=gelu_tanh",
    ];
    let llama = ["model.head.z_loss=1e-4", "model.residual.dropout=0.1", "model.attention.bias=true"];
    for (family, set) in [("llama", &llama[..]), ("gpt2", &gpt2)] {
        let bench = Bench::new(set);
        input(&bench);
        assert!(bench.ablate(&["export", "run", "--out", "hf"]).starts_with(&format!("{family}: ")));
        let [(logits, run), (other, folder)] = ["run", "hf"].map(|model| evaluated(&bench, model, "f64", true));
        assert!(worst(&logits, &other) < 1e-9, "{family}: {}", worst(&logits, &other));
        let (run, folder) = (run.unwrap(), folder.unwrap());
        assert!(worst(&run, &folder) < 1e-9, "{family}: {}", worst(&run, &folder));
    }
}

#[test]
fn a_model_of_no_family_keeps_its_own_names_and_says_so() {
    let bench = Bench::new(&["model.norm.kind=dyt"]);
    input(&bench);
    let arguments = ["logits", "run", "--input", "in.safetensors", "--output", "o.safetensors", "--grads", "g.safetensors"];
    let output = Command::cargo_bin("ablate").unwrap().current_dir(bench.path("")).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("note: no architecture of transformers covers this model"), "{said}");
    assert!(tensors(&bench.path("g.safetensors")).contains_key("layers.0.attention.query.weight"));
}
