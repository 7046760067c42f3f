//! Models in the layout of Hugging Face: there and back, what is refused, and `transformers` itself as the reference.
//!
//! `ABLATE_TRANSFORMERS_PYTHON`, a Python that has torch, transformers and safetensors, asks it; with lm_eval and accelerate the
//! harness, too. `ABLATE_LLAMA_CPP_PYTHON`, one that has xllamacpp, asks llama.cpp.

mod fetching;
mod folders;
mod gguf;
mod hostile;
mod llama_cpp;
mod logits;
mod options;
mod parity;
mod scores;
mod tables;
mod trained;

use ablate::{
    hub::{self, Dtype, Imported},
    model::{ModelSpec, Weights},
    settings::Document,
};
use burn::tensor::Device;
use std::path::Path;

/// A small model of each family, as written.
const MODELS: [(&str, &str); 24] = [
    ("llama", ""),
    ("mistral", "attention.window = 5\nattention.pattern = [\"window\"]"),
    ("qwen2", "attention.bias = { query = true, key = true, value = true }\nattention.kv_heads = 2"),
    ("qwen3", "attention.qk_norm = { kind = \"per_head\", norm = { kind = \"rms\", eps = 1e-5 } }\nattention.head_dim = 6"),
    ("smollm3", "position.pattern = [\"on\", \"on\", \"on\", \"off\"]"),
    (
        "gemma",
        "norm = { kind = \"rms\", unit_offset = true }\nembedding = { scale = true, tied = true }\nfeed_forward.kind = \"geglu_tanh\"",
    ),
    (
        "gemma2",
        "norm = { kind = \"rms\", unit_offset = true }\nembedding = { scale = true, tied = true }\nfeed_forward.kind = \"geglu_tanh\"\n\
         residual.kind = \"sandwich\"\nattention.soft_cap = 50.0\nhead.soft_cap = 30.0\nattention.window = 4\n\
         attention.pattern = [\"window\", \"full\"]\nattention.scale = 0.25",
    ),
    ("olmo", "norm = { kind = \"layer\", gain = false, bias = false }"),
    ("olmo2", "residual.kind = \"output\"\nattention.qk_norm = { kind = \"full_width\", norm = { kind = \"rms\", eps = 1e-5 } }"),
    ("phi3", "position.fraction = 0.5"),
    ("starcoder2", "norm.kind = \"layer\"\nattention.bias = true\nfeed_forward = { kind = \"gelu_tanh\", hidden = 40, bias = true }"),
    ("arcee", "feed_forward = { kind = \"relu2\", hidden = 40 }"),
    (
        "nanochat",
        "feed_forward = { kind = \"relu2\", hidden = 40 }\nnorm = { kind = \"rms\", gain = false }\n\
         embedding.norm = { kind = \"rms\", gain = false }\nattention.qk_norm = { kind = \"per_head\", norm = { kind = \"rms\", gain = false } }\n\
         head.soft_cap = 15.0",
    ),
    ("stablelm", "norm.kind = \"layer\"\nposition.fraction = 0.5"),
    (
        "cohere",
        "norm = { kind = \"layer\", bias = false }\nresidual.kind = \"parallel_shared\"\nhead.scale = 0.25\nposition.pairing = \"interleaved\"",
    ),
    (
        "gpt2",
        "position = { kind = \"learned\" }\nnorm.kind = \"layer\"\nattention.bias = true\nfeed_forward = { kind = \"gelu_tanh\", hidden = 40, bias = true }",
    ),
    (
        "gpt_neo",
        "position = { kind = \"learned\" }\nnorm.kind = \"layer\"\nattention = { bias = { output = true }, scale = 1.0, window = 4, pattern = [\"full\", \"window\"] }\n\
         feed_forward = { kind = \"gelu_tanh\", hidden = 40, bias = true }",
    ),
    (
        "gpt_neox",
        "norm.kind = \"layer\"\nattention.bias = true\nresidual.kind = \"parallel\"\nposition.fraction = 0.25\n\
         feed_forward = { kind = \"gelu\", hidden = 40, bias = true }",
    ),
    (
        "gptj",
        "norm.kind = \"layer\"\nresidual.kind = \"parallel_shared\"\nposition = { kind = \"rope\", fraction = 0.5, pairing = \"interleaved\" }\n\
         feed_forward = { kind = \"gelu_tanh\", hidden = 40, bias = true }\nhead.bias = true",
    ),
    (
        "phi",
        "norm.kind = \"layer\"\nattention.bias = true\nresidual.kind = \"parallel_shared\"\nposition.fraction = 0.5\n\
         feed_forward = { kind = \"gelu_tanh\", hidden = 40, bias = true }\nhead.bias = true",
    ),
    (
        "opt",
        "position = { kind = \"learned\" }\nnorm.kind = \"layer\"\nattention.bias = true\nresidual.kind = \"post\"\n\
         feed_forward = { kind = \"relu\", hidden = 40, bias = true }",
    ),
    (
        "bloom",
        "position = { kind = \"alibi\" }\nnorm.kind = \"layer\"\nattention.bias = true\nembedding.norm = { kind = \"layer\" }\n\
         feed_forward = { kind = \"gelu_tanh\", hidden = 128, bias = true }",
    ),
    ("mpt", "position = { kind = \"alibi\" }\nnorm = { kind = \"layer\", bias = false }\nfeed_forward = { kind = \"gelu\", hidden = 128 }"),
    (
        "falcon",
        "norm.kind = \"layer\"\nresidual.kind = \"parallel\"\nattention.kv_heads = 2\nfeed_forward = { kind = \"gelu\", hidden = 40 }",
    ),
];

/// A model of 4 layers, width 32 and 31 tokens, with some keys set.
fn spec(keys: &str) -> ModelSpec {
    let mut document = Document::new("a test");
    let base = ["layers = 4", "width = 32", "context = 16", "vocab = 31", "attention.heads = 4", "feed_forward.hidden = 40"];
    // As most families rotate, where there is a rotation and nothing else is said.
    let half = (!keys.contains("position = ") && !keys.contains("pairing")).then_some("position.pairing = \"half\"");
    for line in base.into_iter().chain(half).chain(keys.lines()) {
        let (key, value) = line.split_once(" = ").unwrap();
        document.set(&format!("model.{}={value}", key.trim()), "a test").unwrap();
    }
    let config: ablate::train::RunConfig = document.parse().unwrap();
    config.model.resolve(None).unwrap_or_else(|problems| panic!("{keys}: {problems:?}"))
}

fn weights(spec: &ModelSpec) -> Weights {
    spec.build(5, &Device::flex()).weights()
}

fn exported(spec: &ModelSpec, family: &str, dtype: Dtype, out: &Path) -> hub::Exported {
    let exported = hub::export(spec, weights(spec), Some(family)).unwrap_or_else(|error| panic!("{family}: {error}"));
    exported.write(out, dtype).unwrap();
    exported
}

/// Every family writes what it reads: options and numbers, to the bit.
#[test]
fn there_and_back_to_the_bit() {
    assert_eq!(MODELS.len(), hub::families().len());
    for (family, keys) in MODELS {
        let spec = spec(keys);
        let folder = tempfile::tempdir().unwrap();
        let exported = exported(&spec, family, Dtype::F32, folder.path());
        let Imported { family: found, spec: read, weights: numbers, dtype, .. } = hub::import(folder.path()).unwrap();
        assert_eq!((found.model_type, dtype), (family, Dtype::F32));
        assert_eq!(read, exported.spec, "{family}");
        assert_eq!(numbers, exported.weights, "{family}");
        assert_eq!(exported.weights, weights(&spec), "{family}: nothing had to be added");
    }
}

/// Types of 16 bits come back as they were written, and written again are the same files.
#[test]
fn rounded_weights_stay_what_they_are() {
    let spec = spec("");
    for dtype in [Dtype::Bf16, Dtype::F16] {
        let [first, second] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        exported(&spec, "llama", dtype, first.path());
        let imported = hub::import(first.path()).unwrap();
        assert_eq!(imported.dtype, dtype);
        hub::export(&imported.spec, imported.weights, None).unwrap().write(second.path(), dtype).unwrap();
        for file in ["config.json", "model.safetensors"] {
            let [first, second] = [&first, &second].map(|folder| std::fs::read(folder.path().join(file)).unwrap());
            assert!(first == second, "{file} of {dtype:?}");
        }
    }
}

/// A model goes out as the first family that covers it, with zeros where that has biases; what none has is named.
#[test]
fn the_nearest_family_takes_a_model_or_says_what_is_in_the_way() {
    let family = |keys: &str| hub::export(&spec(keys), weights(&spec(keys)), None).map(|exported| exported.family.model_type);
    assert_eq!(family("").unwrap(), "llama");
    assert_eq!(family("attention.qk_norm = { kind = \"per_head\", norm = { kind = \"rms\", eps = 1e-5 } }").unwrap(), "qwen3");
    // GPT-2 without biases is GPT-2 with biases of zero.
    let keys = "position = { kind = \"learned\" }\nnorm = { kind = \"layer\", bias = false }\nfeed_forward = { kind = \"gelu_tanh\", hidden = 40 }";
    let bare = hub::export(&spec(keys), weights(&spec(keys)), None).unwrap();
    assert_eq!(bare.family.model_type, "gpt2");
    assert!(bare.weights["layers.1.attention.query.bias"].iter().chain(&bare.weights["final_norm.bias"]).all(|value| *value == 0.0));
    let error = family("norm = { kind = \"dyt\" }\nresidual.scale = { kind = \"learned\" }").unwrap_err().to_string();
    assert!(error.contains("model.norm.kind = dyt") && error.contains("model.residual.scale.kind = learned"), "{error}");
    let error = hub::export(&spec(""), weights(&spec("")), Some("gpt2")).unwrap_err().to_string();
    assert!(error.contains("as gpt2") && error.contains("model.position.kind = rope (there: learned)"), "{error}");
    assert!(hub::export(&spec(""), weights(&spec("")), Some("gpt5")).unwrap_err().to_string().contains("gpt_neox"));
}

/// The order of rotating channels is one of numbers, not of models.
#[test]
fn neighbours_that_rotate_become_halves() {
    let keys = "position.pairing = \"interleaved\"\nposition.fraction = 0.5\nattention.kv_heads = 2\nattention.head_dim = 8\nattention.bias = true\n\
                attention.qk_norm = { kind = \"per_head\" }";
    let spec = spec(keys);
    let device = Device::flex();
    let (halves, moved) = hub::repaired(&spec, weights(&spec), ablate::model::position::Pairing::Half);
    assert_ne!(moved, weights(&spec));
    let tokens: Vec<i64> = (0..32).map(|at| (at * 7 + at / 5) % 31).collect();
    let logits = |spec: &ModelSpec, weights: Weights| {
        ablate::eval::logits(&spec.build_from(weights, &device), &tokens, None, 16, false, ablate::eval::Arithmetic::F64).logits
    };
    let (before, after) = (logits(&spec, weights(&spec)), logits(&halves, moved));
    let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-12, "{worst}");
}

/// Weights in several files, and of a model without a head, whose names lack the beginning.
#[test]
fn shards_and_bare_models_are_read() {
    let spec = spec("embedding.tied = true");
    let folder = tempfile::tempdir().unwrap();
    let exported = exported(&spec, "llama", Dtype::F32, folder.path());
    let layout = exported.family.tensors(&exported.spec);
    let single = folder.path().join("model.safetensors");
    let whole = hub::import(folder.path()).unwrap().weights;

    std::fs::remove_file(&single).unwrap();
    let mut map = serde_json::Map::new();
    let tensors = layout.written(&exported.weights, Dtype::F32);
    for (at, part) in tensors.chunks(5).enumerate() {
        let name = format!("part-{at}.safetensors");
        hub::write_safetensors(&folder.path().join(&name), part).unwrap();
        map.extend(part.iter().map(|tensor| (tensor.name.clone(), name.clone().into())));
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    assert_eq!(hub::import(folder.path()).unwrap().weights, whole);

    std::fs::remove_file(folder.path().join("model.safetensors.index.json")).unwrap();
    let mut bare = layout.clone();
    bare.entries.iter_mut().for_each(|entry| entry.name = entry.name.replacen("model.", "", 1));
    hub::write_safetensors(&single, &bare.written(&exported.weights, Dtype::F32)).unwrap();
    assert_eq!(hub::import(folder.path()).unwrap().weights, whole);
}

/// A configuration that only defaults of the library are needed for.
#[test]
fn a_config_may_say_little() {
    let text = r#"{"model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9}"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), text).unwrap();
    let error = hub::import(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds no model.safetensors"), "{error}");
    std::fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
    assert!(hub::import(folder.path()).unwrap_err().to_string().contains("pickled"));
}
