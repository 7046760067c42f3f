//! GGUF files, read back: by a reader of this file's own, and by the `gguf` package of Python.

use super::{
    parity::{python, script},
    spec,
    trained::Bench,
    weights,
};
use ablate::hub::{self, Described, Quantisation};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// The values of a file, by key.
fn values(path: &Path) -> Map<String, Value> {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    assert_eq!((take(&mut rest, 4), number(&mut rest, 4)), (&b"GGUF"[..], 3));
    number(&mut rest, 8);
    let count = number(&mut rest, 8);
    (0..count)
        .map(|_| {
            let key = text(&mut rest);
            let kind = number(&mut rest, 4);
            (key, value(&mut rest, kind))
        })
        .collect()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}

fn number(rest: &mut &[u8], length: usize) -> u64 {
    take(rest, length).iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(rest: &mut &[u8]) -> String {
    let length = number(rest, 8) as usize;
    String::from_utf8(take(rest, length).to_vec()).unwrap()
}

fn value(rest: &mut &[u8], kind: u64) -> Value {
    match kind {
        4 | 5 => number(rest, 4).into(),
        6 => f64::from(f32::from_bits(number(rest, 4) as u32)).into(),
        7 => (number(rest, 1) == 1).into(),
        8 => text(rest).into(),
        9 => {
            let (kind, length) = (number(rest, 4), number(rest, 8));
            (0..length).map(|_| value(rest, kind)).collect()
        }
        other => panic!("a value of type {other}"),
    }
}

/// Makes the folder `hf` one that somebody else has published: two tokens end a text, none opens it, one token of the vocabulary
/// was added by its authors, and there is a template of conversations. Answers with what the added token is called.
fn anothers(bench: &Bench) -> String {
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let path = bench.path("hf").join(name);
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(path, value.to_string()).unwrap();
        value
    };
    let tokenizer = change("tokenizer.json", &|value| {
        value["post_processor"] = Value::Null;
        let added = value["model"]["vocab"].as_object().unwrap().iter().find(|(_, id)| **id == 300).unwrap().0.clone();
        let token = json!({ "id": 300, "content": added, "special": false, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false });
        value["added_tokens"].as_array_mut().unwrap().push(token);
    });
    change("tokenizer_config.json", &|value| {
        *value = json!({ "bos_token": "<s>", "add_bos_token": false, "chat_template": "{{ messages }}" });
    });
    change("generation_config.json", &|value| value["eos_token_id"] = json!([5, 7]));
    change("config.json", &|value| value["eos_token_id"] = json!(5));
    tokenizer["added_tokens"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().replace('▁', " ")
}

/// Ids, types and template are those of the files beside the tokenizer, for a folder and for the run that is imported from it.
#[test]
fn what_came_along_with_a_tokenizer_goes_into_gguf() {
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--format", "gguf", "--out", "own.gguf"]);
    let own = values(&bench.path("own.gguf"));
    assert_eq!(own["general.name"], "run");
    assert_eq!((&own["tokenizer.ggml.bos_token_id"], &own["tokenizer.ggml.eos_token_id"]), (&json!(1), &json!(1)));
    assert_eq!((&own["tokenizer.ggml.add_bos_token"], &own["tokenizer.ggml.unknown_token_id"]), (&json!(true), &json!(0)));
    assert!(!own.contains_key("tokenizer.chat_template") && !own.contains_key("tokenizer.ggml.eot_token_id"));

    bench.ablate(&["export", "run", "--out", "hf"]);
    let added = anothers(&bench);
    bench.ablate(&["import", "hf", "--out", "imported", "--config", "config.toml"]);
    for model in ["hf", "imported"] {
        let file = format!("{model}.gguf");
        bench.ablate(&["export", model, "--format", "gguf", "--out", &file]);
        let found = values(&bench.path(&file));
        assert_eq!(found["general.name"], model);
        for (key, expected) in [
            ("bos_token_id", json!(1)),
            ("eos_token_id", json!(5)),
            ("eot_token_id", json!(7)),
            ("add_bos_token", json!(false)),
            ("add_eos_token", json!(false)),
        ] {
            assert_eq!(found[&format!("tokenizer.ggml.{key}")], expected, "{model}: {key}");
        }
        let (tokens, types) = (&found["tokenizer.ggml.tokens"], &found["tokenizer.ggml.token_type"]);
        assert_eq!((&tokens[300], &types[300]), (&json!(added), &json!(4)), "{model}");
        assert_eq!([0, 1, 299].map(|id| types[id].as_u64().unwrap()), [2, 3, 1], "{model}");
        assert_eq!(found["tokenizer.chat_template"], "{{ messages }}", "{model}");
    }

    // A tokenizer that itself opens texts, and says nothing else.
    bench.ablate(&["export", "run", "--out", "plain"]);
    for name in ["tokenizer_config.json", "generation_config.json"] {
        fs::remove_file(bench.path("plain").join(name)).unwrap();
    }
    fs::write(bench.path("plain/chat_template.jinja"), "J").unwrap();
    bench.ablate(&["export", "plain", "--format", "gguf", "--out", "plain.gguf"]);
    let plain = values(&bench.path("plain.gguf"));
    assert_eq!((&plain["tokenizer.ggml.add_bos_token"], &plain["tokenizer.chat_template"]), (&json!(true), &json!("J")));
    fs::write(bench.path("plain/tokenizer_config.json"), "{").unwrap();
    assert!(bench.refused(&["export", "plain", "--format", "gguf", "--out", "x"]).contains("tokenizer_config.json"));
}

/// The `gguf` package reads what is written for llama.cpp.
#[test]
fn gguf_is_read_back() {
    let Some(python) = python() else { return };
    let bench = Bench::new(&["model.width=64"]);
    for dtype in ["f32", "f16", "bf16", "q8_0"] {
        bench.ablate(&["export", "run", "--format", "gguf", "--out", dtype, "--dtype", dtype]);
    }
    bench.ablate(&["export", "run", "--out", "hf"]);
    let paths = ["hf", "f32", "f16", "bf16", "q8_0"].map(|name| bench.path(name));
    let said = script(&python, "read_gguf.py", &paths.each_ref().map(|path| path.as_path()));
    assert!(said.contains("all equal"), "{said}");
    anothers(&bench);
    bench.ablate(&["export", "hf", "--format", "gguf", "--out", "again"]);
    let said = script(&python, "read_gguf.py", &[&paths[0], &bench.path("again")]);
    assert!(said.contains("all equal"), "{said}");
}

/// llama.cpp reads the betas of YaRN for architectures that are none of ours.
#[test]
fn yarn_with_other_betas_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let write = |more: &str| {
        let keys = format!("position.scaling = {{ kind = \"yarn\", factor = 4.0, original_context = 4{more} }}");
        let spec = spec(&keys);
        hub::write_gguf(&spec, weights(&spec), Described::default(), Quantisation::F32, &path)
    };
    assert_eq!(write("").unwrap(), "llama");
    assert_eq!(values(&path)["llama.rope.scaling.type"], "yarn");
    for more in [", beta_fast = 16.0", ", beta_slow = 2.0", ", attention_factor = 1.0", ", truncate = false"] {
        let error = write(more).unwrap_err().to_string();
        assert!(
            error.contains("llama.cpp's llama has no YaRN but with beta_fast = 32, beta_slow = 1 and what follows from its factor"),
            "{error}"
        );
    }
}
