//! Our own tokenizers in the format of the `tokenizers` library.

use super::pieces::FIRST_PIECE;
use serde_json::{Map, Value, json};

/// How spaces are written, and text is cut into words.
pub(super) enum Words {
    /// As they are; text is not cut.
    Plain,
    /// As LLaMA's: ▁ for a space, one before the text, cut by this expression.
    Llama(&'static str),
}

/// Special tokens, bytes and pieces by their ids, merges by their rank.
pub(super) fn json(texts: &[Box<str>], merges: &[[&str; 2]], words: &Words) -> String {
    let shown = |text: &str| if matches!(words, Words::Llama(_)) { text.replace(' ', "▁") } else { text.to_string() };
    let mut vocab = Map::new();
    for (id, name) in ["<unk>", "<s>", "</s>"].iter().enumerate() {
        vocab.insert((*name).into(), id.into());
    }
    for byte in 0..256 {
        vocab.insert(format!("<0x{byte:02X}>"), (3 + byte).into());
    }
    for (index, text) in texts.iter().enumerate() {
        vocab.insert(shown(text), (FIRST_PIECE + index).into());
    }
    let merges: Vec<[String; 2]> = merges.iter().map(|pair| pair.map(shown)).collect();
    let special = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let (normalizer, pre_tokenizer, decoders) = match words {
        Words::Plain => (Value::Null, Value::Null, json!([{"type": "ByteFallback"}, {"type": "Fuse"}])),
        Words::Llama(spaces) => (
            json!({"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
            ]}),
            json!({"type": "Split", "pattern": {"Regex": spaces}, "behavior": "Isolated", "invert": false}),
            json!([
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}
            ]),
        ),
    };
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": merges
        }
    })
    .to_string()
}
