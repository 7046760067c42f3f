//! Files that lie: refused with the reason, without a panic, and without memory for what they only claim to hold.

use super::{exported, spec};
use ablate::hub::{self, Dtype};
use burn::tensor::Device;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A model on disk.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        exported(&spec("layers = 1"), "llama", Dtype::F32, folder.path());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The header and the data of the weights.
    fn parts(&self) -> (Value, Vec<u8>) {
        let bytes = fs::read(self.path("model.safetensors")).unwrap();
        let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        (serde_json::from_slice(&bytes[8..end]).unwrap(), bytes[end..].to_vec())
    }

    fn write(&self, header: &Value, data: &[u8]) {
        let header = header.to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
        fs::write(self.path("model.safetensors"), bytes).unwrap();
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("config.json")).unwrap()).unwrap()
    }

    fn refused(&self, reason: &str) {
        let error = hub::import(self.folder.path()).expect_err(reason).to_string();
        assert!(error.contains(reason) && error.contains("help:"), "{reason}: {error}");
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let bench = Bench::new();
    let (header, data) = bench.parts();
    let name = "model.layers.0.mlp.up_proj.weight";
    let with = |key: &str, value: Value| {
        let mut header = header.clone();
        header[name][key] = value;
        bench.write(&header, &data);
    };
    let offsets = header[name]["data_offsets"].clone();
    with("data_offsets", json!([0, 8]));
    bench.refused("broken header");
    with("data_offsets", json!([offsets[0], u64::MAX]));
    bench.refused("broken header");
    with("data_offsets", json!([offsets[1], offsets[0]]));
    bench.refused("broken header");
    with("shape", json!([u64::MAX, u64::MAX]));
    bench.refused("broken header");
    with("shape", json!([32, 40]));
    bench.refused("is [32, 40], not [40, 32]");
    with("dtype", json!("I32"));
    bench.refused("elements of type I32");
    with("dtype", json!("F2048"));
    bench.refused("broken header");
    bench.write(&header, &data[..data.len() - 4]);
    bench.refused("its header says");
    bench.write(&header, &[&data[..], &[0; 4]].concat());
    bench.refused("its header says");
    let mut less = header.clone();
    less.as_object_mut().unwrap().remove(name);
    bench.write(&less, &data);
    bench.refused("broken header");

    for size in [0u64, 7, 1 << 40, u64::MAX] {
        fs::write(bench.path("model.safetensors"), [&size.to_le_bytes()[..], b"{}"].concat()).unwrap();
        assert!(hub::import(bench.folder.path()).is_err(), "{size}");
    }
    for bytes in [&b""[..], b"1234567", &[0; 8], &[255; 64]] {
        fs::write(bench.path("model.safetensors"), bytes).unwrap();
        assert!(hub::import(bench.folder.path()).is_err(), "{bytes:?}");
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    let bench = Bench::new();
    let (header, data) = bench.parts();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let at = header["model.norm.weight"]["data_offsets"][0].as_u64().unwrap() as usize + 8;
        let mut data = data.clone();
        data[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bench.write(&header, &data);
        bench.refused("model.norm.weight: element 2 is");
    }
}

#[test]
fn an_index_leads_nowhere_else() {
    let bench = Bench::new();
    let secret = bench.path("secret.safetensors");
    fs::rename(bench.path("model.safetensors"), &secret).unwrap();
    let folder = bench.path("inner");
    fs::create_dir(&folder).unwrap();
    fs::copy(bench.path("config.json"), folder.join("config.json")).unwrap();
    let refused = |file: Value, reason: &str| {
        let index = json!({ "weight_map": { "model.norm.weight": file } });
        fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
        let error = hub::import(&folder).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused("../secret.safetensors".into(), "no file of this folder");
    refused(secret.display().to_string().into(), "no file of this folder");
    refused("..".into(), "no file of this folder");
    refused("a\\b".into(), "no file of this folder");
    refused(3.into(), "says no file");
    refused("absent.safetensors".into(), "absent.safetensors");
    fs::copy(&secret, folder.join("here.safetensors")).unwrap();
    let index = json!({ "weight_map": { "model.gone.weight": "here.safetensors" } });
    fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    let error = hub::import(&folder).unwrap_err().to_string();
    assert!(error.contains("model.gone.weight is in here.safetensors, but it is not"), "{error}");
}

#[test]
fn an_index_of_many_files_is_read_in_no_time() {
    let bench = Bench::new();
    fs::remove_file(bench.path("model.safetensors")).unwrap();
    let map: serde_json::Map<String, Value> = (0..200_000).map(|at| (format!("t{at}"), json!(format!("f{at}.safetensors")))).collect();
    fs::write(bench.path("model.safetensors.index.json"), json!({ "weight_map": map }).to_string()).unwrap();
    let start = Instant::now();
    let error = hub::import(bench.folder.path()).unwrap_err().to_string();
    assert!(error.contains("f0.safetensors"), "{error}");
    // Names held against each other one by one take half a minute.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_head_that_is_tied_and_another_is_refused_as_that() {
    let bench = Bench::new();
    let mut config = bench.config();
    config["tie_word_embeddings"] = json!(true);
    fs::write(bench.path("config.json"), config.to_string()).unwrap();
    bench.refused("lm_head.weight differs from model.embed_tokens.weight, and config.json says that they are tied");
    // The same numbers twice are one.
    let (header, mut data) = bench.parts();
    let range = |name: &str| {
        let offsets = &header[name]["data_offsets"];
        offsets[0].as_u64().unwrap() as usize..offsets[1].as_u64().unwrap() as usize
    };
    let start = range("lm_head.weight").start;
    data.copy_within(range("model.embed_tokens.weight"), start);
    bench.write(&header, &data);
    assert!(hub::import(bench.folder.path()).unwrap().spec.embedding.tied);
}

/// A file may claim more layers than fit into memory: what it says of each is held against their number first.
#[test]
fn patterns_of_layers_are_not_written_out_beyond_them() {
    let family = hub::family("gpt_neo").unwrap();
    for types in [
        json!([[["global", "local"], 1u64 << 40]]),
        json!([[["global"], u64::MAX]]),
        json!([[[], 1u64 << 60], [["global"], 2]]),
        json!([[["global"], 3]]),
        json!([[["global", "sideways"], 1]]),
    ] {
        let options = json!({
            "vocab_size": 31, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 16, "attention_types": types,
        });
        let read = family.config(Path::new("config.json"), options.as_object().unwrap());
        let empty_first = types[0][0].as_array().unwrap().is_empty();
        assert_eq!(read.is_ok(), empty_first, "{types}");
        assert!(read.is_ok() || read.unwrap_err().to_string().contains("attention_types"));
    }
}

#[test]
fn options_that_are_absurd_or_unknown_are_refused_by_name() {
    let bench = Bench::new();
    let config = bench.config();
    for (key, value) in [
        ("hidden_size", json!(1u64 << 40)),
        ("hidden_size", json!(-8)),
        ("num_hidden_layers", json!(1e18)),
        ("vocab_size", json!("many")),
        ("num_attention_heads", json!(0)),
        ("hidden_act", json!("snake")),
        ("rope_scaling", json!({ "rope_type": "longrope", "factor": 2.0 })),
        ("rope_scaling", json!("linear")),
        ("rms_norm_eps", json!([1e-5])),
        ("attention_bias", json!("yes")),
        ("mixture_of_depths", json!(true)),
        ("model_type", json!("gpt9")),
        ("architectures", json!(["LlamaForSequenceClassification"])),
    ] {
        let mut changed = config.clone();
        changed[key] = value.clone();
        fs::write(bench.path("config.json"), changed.to_string()).unwrap();
        bench.refused(key);
    }
    // Sizes that are allowed and do not belong to the weights: the files decide what is reserved.
    for (key, value, reason) in [
        ("vocab_size", json!(16_000_000), "model.embed_tokens.weight is [31, 32]"),
        ("num_hidden_layers", json!(2), "model.layers.1"),
        ("intermediate_size", json!(16_000_000), "mlp.down_proj.weight"),
    ] {
        let mut changed = config.clone();
        changed[key] = value;
        fs::write(bench.path("config.json"), changed.to_string()).unwrap();
        bench.refused(reason);
    }
    // And what would be made of them before the files are asked.
    let mut changed = config.clone();
    changed["num_hidden_layers"] = json!(16_000_000);
    fs::write(bench.path("config.json"), changed.to_string()).unwrap();
    bench.refused("describes 16000000 layers, and the weights are 12 tensors");
    changed = config.clone();
    changed["max_position_embeddings"] = json!(1 << 24);
    fs::write(bench.path("config.json"), changed.to_string()).unwrap();
    let imported = hub::import(bench.folder.path()).unwrap();
    assert_eq!(imported.spec.context, 1 << 24);
    imported.spec.build_from(imported.weights, &Device::flex());
    for text in ["", "{", "[]", "null", "{\"model_type\": 3}", "{}"] {
        fs::write(bench.path("config.json"), text).unwrap();
        assert!(hub::import(bench.folder.path()).is_err(), "{text}");
    }
    fs::remove_file(bench.path("config.json")).unwrap();
    bench.refused("holds no config.json");
}

/// Bytes changed, cut, doubled at random: an error or a model, never a panic.
#[test]
fn fuzzed_files_end_in_an_error_or_a_model() {
    let bench = Bench::new();
    let files = ["config.json", "model.safetensors"].map(|name| (name, fs::read(bench.path(name)).unwrap()));
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut models = 0;
    for round in 0..1500 {
        let (name, bytes) = &files[round % 2];
        let mut bytes = bytes.clone();
        // Of the weights, the header matters.
        let reach = if round % 2 == 1 { bytes.len().min(1600) } else { bytes.len() };
        for _ in 0..=next(3) {
            let at = next(reach.min(bytes.len()));
            match next(4) {
                0 => bytes[at] ^= 1 << next(8),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, b"0123456789{}[]\",:-e"[next(19)]),
                _ => bytes[at] = b"0123456789"[next(10)],
            }
            if bytes.is_empty() {
                break;
            }
        }
        fs::write(bench.path(name), &bytes).unwrap();
        models += usize::from(hub::import(bench.folder.path()).is_ok());
        write(&bench.path(name), &files[round % 2].1);
    }
    assert!((1..1400).contains(&models), "{models} of 1500 are models");
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}
