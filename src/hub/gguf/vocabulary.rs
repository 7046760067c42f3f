//! The tokenizer.

use super::file::Value;
use crate::data::Tokenizer;
use serde_json::Value as Json;

/// Types of tokens, by `llama_token_type`.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const BYTE: i32 = 6;

/// Vocabulary and merges of a tokenizer, padded to the model's size. llama.cpp's own rules for cutting text into words are
/// few: ids may differ for text that another tokenizer cuts by an expression of its own.
pub fn values(tokenizer: &Tokenizer, vocab: usize) -> Vec<(String, Value)> {
    let json: Json = serde_json::from_str(&tokenizer.to_json()).unwrap_or_default();
    let mut tokens: Vec<String> = (0..vocab).map(|id| format!("[PAD{id}]")).collect();
    let mut types = vec![NORMAL; vocab];
    let mut put = |text: &str, id: Option<u64>, kind: i32| {
        if let Some(at) = id.map(|id| id as usize).filter(|at| *at < vocab) {
            (tokens[at], types[at]) = (text.to_string(), kind);
        }
    };
    for (text, id) in json["model"]["vocab"].as_object().into_iter().flatten() {
        let is_byte = text.len() == 6 && text.starts_with("<0x") && text.ends_with('>');
        put(text, id.as_u64(), if is_byte { BYTE } else { NORMAL });
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let text = added["content"].as_str().unwrap_or_default();
        put(text, added["id"].as_u64(), if text == "<unk>" { UNKNOWN } else { CONTROL });
    }
    let pair = |merge: &Json| match (merge.as_str(), merge.as_array().map(Vec::as_slice)) {
        (Some(text), _) => Some(text.to_string()),
        (None, Some([left, right])) => Some(format!("{} {}", left.as_str()?, right.as_str()?)),
        _ => None,
    };
    let merges: Vec<String> = json["model"]["merges"].as_array().into_iter().flatten().filter_map(pair).collect();
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let bos = Value::U32(tokenizer.bos());
    let mut values = vec![
        (key("tokens"), Value::Texts(tokens)),
        (key("token_type"), Value::Integers(types)),
        (key("bos_token_id"), bos.clone()),
        (key("eos_token_id"), bos),
        (key("add_bos_token"), Value::Bool(true)),
    ];
    if json["model"]["byte_fallback"] == Json::Bool(true) {
        // Of two pairs the one with the higher score is merged first: earlier pieces were.
        values.push((key("model"), Value::Text("llama".into())));
        values.push((key("scores"), Value::Floats((0..vocab).map(|id| -(id as f32)).collect())));
        values.push((key("add_space_prefix"), Value::Bool(json["normalizer"]["type"] == "Sequence")));
    } else {
        values.push((key("model"), Value::Text("gpt2".into())));
        values.push((key("pre"), Value::Text("default".into())));
        values.push((key("merges"), Value::Texts(merges)));
    }
    values
}
