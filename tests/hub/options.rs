//! Options of a `config.json`: what is taken where nothing is written, and what is refused instead of guessed.

use super::parity::{python, script};
use ablate::{
    Result, hub,
    model::{ModelSpec, position::PositionConfig},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, path::Path};

/// The model that options describe.
fn read(model_type: &str, options: &Map<String, Value>) -> Result<ModelSpec> {
    let config = hub::family(model_type).unwrap().config(Path::new("config.json"), options)?;
    Ok(config.resolve(None).unwrap_or_else(|problems| panic!("{model_type}: {problems:?}")))
}

/// The sizes of a family that have no default, with more.
fn little(model_type: &str, more: Value) -> Map<String, Value> {
    let sizes = match model_type {
        "gpt2" | "gptj" => json!({ "n_embd": 512, "n_layer": 4, "n_head": 4 }),
        "opt" | "falcon" => json!({ "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 32 }),
        _ => json!({ "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 32, "intermediate_size": 40 }),
    };
    let all = [json!({ "vocab_size": 31 }), sizes, more];
    all.into_iter().flat_map(|options| options.as_object().unwrap().clone()).collect()
}

fn model(model_type: &str, more: Value) -> ModelSpec {
    read(model_type, &little(model_type, more)).unwrap_or_else(|error| panic!("{model_type}: {error}"))
}

/// The keys that are refused.
fn refused(model_type: &str, more: Value) -> Vec<String> {
    match read(model_type, &little(model_type, more)) {
        Err(ablate::settings::Error::Settings(mistakes)) => mistakes.into_iter().map(|mistake| mistake.key).collect(),
        Err(other) => panic!("{other}"),
        Ok(_) => vec![],
    }
}

fn rope(spec: &ModelSpec) -> &ablate::model::position::RopeConfig {
    match &spec.position {
        PositionConfig::Rope(rope) => rope,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_of_transformers() {
    for (model_type, context, kv_heads) in [
        ("llama", 2048, 32),
        ("mistral", 131_072, 8),
        ("qwen2", 32_768, 32),
        ("smollm3", 32_768, 4),
        ("gemma", 8192, 16),
        ("gemma2", 8192, 4),
        ("phi3", 4096, 32),
        ("starcoder2", 4096, 2),
        ("arcee", 4096, 32),
        ("stablelm", 4096, 32),
        ("cohere", 8192, 32),
    ] {
        let spec = model(model_type, json!({}));
        assert_eq!((spec.context, spec.attention.kv_heads), (context, kv_heads), "{model_type}");
    }
    assert_eq!(rope(&model("cohere", json!({}))).theta, 500_000.0);
    // 64 of 128 channels.
    assert_eq!(rope(&model("gptj", json!({}))).fraction, 0.5);
    assert_eq!(model("mistral", json!({})).attention.window, Some(4096));
    assert_eq!(model("mistral", json!({ "sliding_window": null })).attention.window, None);
    let windows = |spec: ModelSpec| (0..spec.layers).map(|layer| spec.attention.window_at(layer)).collect::<Vec<_>>();
    let on = json!({ "use_sliding_window": true, "sliding_window": 9 });
    assert_eq!(windows(model("smollm3", on)), [None, None, None, Some(9)], "layers that do not rotate");
}

/// Every family, with every option: a file that says little is the file that `transformers` writes in full.
#[test]
fn what_is_not_written_is_what_transformers_takes() {
    let Some(python) = python() else { return };
    let pairs: BTreeMap<String, Vec<[Map<String, Value>; 2]>> = serde_json::from_str(&script(&python, "defaults.py", &[])).unwrap();
    assert_eq!(pairs.len(), hub::families().len());
    for (model_type, pairs) in pairs {
        for [little, full] in pairs {
            let [little, full] = [little, full].map(|options| read(&model_type, &options).unwrap_or_else(|error| panic!("{error}")));
            assert_eq!(little, full, "{model_type}");
        }
    }
}

#[test]
fn what_looks_ahead_or_is_unknown_is_refused_even_if_it_is_off() {
    for family in hub::families() {
        if ["gpt_neo", "bloom", "mpt"].contains(&family.model_type) {
            // They name their sizes otherwise.
            continue;
        }
        let refused = |more: Value| refused(family.model_type, more);
        assert_eq!(refused(json!({})), [""; 0], "{}", family.model_type);
        assert_eq!(refused(json!({ "is_causal": true, "is_decoder": false, "use_bidirectional_attention": false })), [""; 0]);
        assert_eq!(refused(json!({ "is_causal": false })), ["is_causal"], "{}", family.model_type);
        assert_eq!(refused(json!({ "use_residuals": false })), ["use_residuals"], "{}", family.model_type);
        assert_eq!(refused(json!({ "use_bidirectional_attention": true })), ["use_bidirectional_attention"]);
    }
}

#[test]
fn heads_that_rotate_in_part_are_read_where_transformers_reads_them() {
    let written = [
        ("", json!({ "partial_rotary_factor": 0.5 })),
        ("rope_parameters.", json!({ "rope_parameters": { "partial_rotary_factor": 0.5 } })),
    ];
    for (prefix, written) in written {
        for model_type in ["phi", "phi3", "stablelm", "gpt_neox"] {
            assert_eq!(rope(&model(model_type, written.clone())).fraction, 0.5, "{model_type}");
        }
        for model_type in ["llama", "mistral", "qwen2", "gemma", "olmo", "starcoder2", "nanochat", "cohere", "falcon"] {
            assert_eq!(refused(model_type, written.clone()), [format!("{prefix}partial_rotary_factor")], "{model_type}");
        }
    }
    // Whole heads may be said, as an integer as well.
    assert_eq!(refused("llama", json!({ "partial_rotary_factor": 1 })), [""; 0]);
    assert_eq!(refused("phi3", json!({ "rope_scaling": { "type": "yarn", "factor": 2.0 } })), ["rope_scaling"]);
}

#[test]
fn scalings_say_by_how_much() {
    let refused = |scaling: Value| refused("llama", json!({ "rope_scaling": scaling }));
    let yarn = |key: &str, value: f64| {
        let mut scaling = json!({ "rope_type": "yarn", "factor": 4.0 });
        scaling[key] = value.into();
        refused(scaling)
    };
    for kind in ["linear", "yarn"] {
        assert_eq!(refused(json!({ "rope_type": kind, "factor": 4.0 })), [""; 0]);
        assert_eq!(refused(json!({ "rope_type": kind })), ["rope_scaling.factor"]);
    }
    let missing = ["factor", "low_freq_factor", "high_freq_factor"].map(|key| format!("rope_scaling.{key}"));
    assert_eq!(refused(json!({ "rope_type": "llama3" })), missing);
    // What the factor gives by itself may be written.
    assert_eq!(yarn("attention_factor", 0.1 * 4f64.ln() + 1.0), [""; 0]);
    assert_eq!(yarn("attention_factor", 1.0), [""; 0]);
    // transformers reads it beside the other alone.
    assert_eq!(yarn("mscale", 0.7), [""; 0]);
    let both = |one: f64, all: f64| refused(json!({ "rope_type": "yarn", "factor": 4.0, "mscale": one, "mscale_all_dim": all }));
    assert_eq!(both(0.7, 0.7), [""; 0]);
}

#[test]
fn windows_are_what_is_written() {
    // As long as the context, or longer: there are longer texts.
    for window in [16, 64] {
        let spec = model("mistral", json!({ "max_position_embeddings": 16, "sliding_window": window }));
        assert_eq!((spec.context, spec.attention.window_at(3)), (16, Some(window)));
        let (_, again) = hub::family("mistral").unwrap().covers(&spec).unwrap();
        assert_eq!(again, spec);
        assert!(hub::family("llama").unwrap().covers(&spec).is_err());
    }
    let off = json!({ "use_sliding_window": false, "sliding_window": "wide", "max_window_layers": [] });
    let on = json!({ "use_sliding_window": true, "sliding_window": "wide", "max_window_layers": [] });
    for model_type in ["qwen2", "qwen3"] {
        assert_eq!(model(model_type, off.clone()).attention.window, None);
        assert_eq!(refused(model_type, on.clone()), ["sliding_window"]);
        let some = |layers: Value| json!({ "use_sliding_window": true, "sliding_window": 7, "max_window_layers": layers });
        assert_eq!(refused(model_type, some(json!("x"))), ["max_window_layers"]);
        let windowed =
            |layers: u64| (0..4).filter(|layer| model(model_type, some(json!(layers))).attention.window_at(*layer).is_some()).count();
        assert_eq!([0, 1, 4, 9].map(windowed), [4, 3, 0, 0]);
    }
    assert_eq!(refused("smollm3", json!({ "use_sliding_window": true, "sliding_window": "wide" })), ["sliding_window"]);
}

/// A refusal names a kind that differs, and not all that comes with it.
#[test]
fn what_is_in_the_way_is_said_once() {
    let gpt2 = model("gptj", json!({ "rotary_dim": 64 }));
    let obstacles = hub::family("gpt2").unwrap().covers(&gpt2).unwrap_err();
    let keys: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.key.as_str()).collect();
    assert!(keys.contains(&"model.position.kind") && keys.contains(&"model.residual.kind"), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("model.position.") && *key != "model.position.kind"), "{keys:?}");
    // What both kinds have is another matter.
    let other = model("llama", json!({ "rms_norm_eps": 1e-3 }));
    assert!(hub::differences(&other, &model("llama", json!({}))).iter().any(|obstacle| obstacle.key == "model.norm.eps"));
}
