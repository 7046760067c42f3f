//! Our own tokenizers in the format of the `tokenizers` library.

use super::{
    byte_level::{Parts, Pattern, shown},
    pieces::{FIRST_PIECE, SPECIAL},
    words::Cutting,
};
use crate::settings::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What is known of pieces beside their texts.
pub(super) enum Model<'a> {
    /// Merges of two pieces by rank.
    Bpe(&'a [[&'a str; 2]]),
    /// Log-probabilities of the pieces.
    Unigram(&'a [f64]),
}

/// The score of special tokens and bytes: so low that text which spells one out is never taken for it. The library scores an
/// unknown character 10 below the lowest score.
pub(super) const NEVER: f64 = -1000.0;

/// Bytes and characters: text is not cut, spaces are spaces.
pub(super) fn plain(texts: &[Box<str>]) -> String {
    let decoder = json!({"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]});
    whole(&own(), Value::Null, Value::Null, decoder, bpe_model(vocab(texts, &|text| text.into()), Vec::new(), true))
}

/// As LLaMA's: ▁ for a space, one before the text.
pub(super) fn spaced(texts: &[Box<str>], model: &Model<'_>, cutting: &Cutting) -> String {
    let shown = |text: &str| text.replace(' ', "▁");
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let prepend = json!({"type": "Prepend", "prepend": "▁"});
    let normalizer = if cutting.prefix { json!({"type": "Sequence", "normalizers": [prepend, replace]}) } else { replace };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if cutting.prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let cut = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let (pre_tokenizer, model) = match model {
        Model::Bpe(merges) => {
            let merges: Vec<[String; 2]> = merges.iter().map(|pair| pair.map(shown)).collect();
            (cutting.spaces().map_or(Value::Null, cut), bpe_model(vocab(texts, &shown), merges, cutting.bytes))
        }
        Model::Unigram(scores) => {
            let fixed = SPECIAL.iter().map(ToString::to_string).chain((0..=255).map(byte)).map(|name| json!([name, NEVER]));
            let vocab: Vec<Value> = fixed.chain(texts.iter().zip(*scores).map(|(text, score)| json!([shown(text), score]))).collect();
            let model = json!({"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": cutting.bytes});
            (cut(cutting.words()), model)
        }
    };
    whole(&own(), normalizer, pre_tokenizer, json!({"type": "Sequence", "decoders": decoders}), model)
}

/// As GPT-2's and its heirs': bytes shown as letters, text cut by a pattern.
pub(super) fn byte_level(parts: &Parts) -> String {
    let names: std::collections::BTreeMap<u32, &str> = parts.special.iter().map(|(name, id)| (*id, name.as_str())).collect();
    let text = |id: u32| names.get(&id).map_or_else(|| shown(&parts.tokens[id as usize]), ToString::to_string);
    let ids = (0..parts.tokens.len() as u32).filter(|id| !parts.tokens[*id as usize].is_empty()).chain(names.keys().copied());
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable();
    let vocab: Map<String, Value> = ids.into_iter().map(|id| (text(id), id.into())).collect();
    let merges: Vec<[String; 2]> = parts.ranked.iter().map(|&(left, right)| [text(left), text(right)]).collect();
    let level = |own: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": own});
    let pre_tokenizer = match parts.pattern {
        Pattern::Gpt2 => level(true),
        other => json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": other.text()}, "behavior": "Isolated", "invert": false},
            level(false)
        ]}),
    };
    let mut model = bpe_model(vocab, merges, false);
    model["unk_token"] = Value::Null;
    model["fuse_unk"] = false.into();
    model["ignore_merges"] = parts.whole.into();
    let special: Vec<(u32, &str)> = names.into_iter().collect();
    whole(&special, Value::Null, pre_tokenizer, level(true), model)
}

fn byte(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// Special tokens, bytes and pieces by their ids.
fn vocab(texts: &[Box<str>], shown: &dyn Fn(&str) -> String) -> Map<String, Value> {
    let names = SPECIAL.iter().map(ToString::to_string).chain((0..=255).map(byte));
    let mut vocab: Map<String, Value> = names.enumerate().map(|(id, name)| (name, id.into())).collect();
    vocab.extend(texts.iter().enumerate().map(|(index, text)| (shown(text), (FIRST_PIECE + index).into())));
    vocab
}

fn bpe_model(vocab: Map<String, Value>, merges: Vec<[String; 2]>, bytes: bool) -> Value {
    json!({
        "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": bytes, "ignore_merges": false,
        "vocab": vocab, "merges": merges
    })
}

fn own() -> Vec<(u32, &'static str)> {
    (0..).zip(SPECIAL).collect()
}

fn whole(special: &[(u32, &str)], normalizer: Value, pre_tokenizer: Value, decoder: Value, model: Value) -> String {
    let token = |(id, content): &(u32, &str)| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let added: Vec<Value> = special.iter().map(token).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": null,
        "decoder": decoder,
        "model": model
    })
    .to_string()
}

/// Reads JSON that we wrote.
pub(super) fn read(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|_| foreign(path))
}

/// The error for JSON that we did not write.
pub(super) fn foreign(path: &Path) -> Error {
    Error::input(path.display(), "not a tokenizer that ablate trained", "train or prepare the data again")
}
