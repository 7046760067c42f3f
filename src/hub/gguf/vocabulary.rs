//! The vocabulary of a tokenizer.

use super::file::Value;
use serde_json::Value as Json;

/// Types of tokens, by `llama_token_type`.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const BYTE: i32 = 6;
/// What stands for all that a vocabulary lacks.
pub const UNKNOWN_TOKEN: &str = "<unk>";
/// The score of what is only there to fill the vocabulary up.
const UNUSED: f64 = -1000.0;

/// Vocabulary and merges of a `tokenizer.json`, or its scores, padded to the model's size. llama.cpp's own rules for cutting text into words are
/// few: ids may differ for text that another tokenizer cuts by an expression of its own.
pub fn values(json: &Json, vocab: usize) -> Vec<(String, Value)> {
    let mut tokens: Vec<String> = (0..vocab).map(|id| format!("[PAD{id}]")).collect();
    let mut types = vec![NORMAL; vocab];
    let mut put = |text: &str, id: Option<u64>, kind: i32| {
        if let Some(at) = id.map(|id| id as usize).filter(|at| *at < vocab) {
            (tokens[at], types[at]) = (text.to_string(), kind);
        }
    };
    let kind = |text: &str| if text.len() == 6 && text.starts_with("<0x") && text.ends_with('>') { BYTE } else { NORMAL };
    let by_name = json["model"]["vocab"].as_object().into_iter().flatten().map(|(text, id)| (text.as_str(), id.as_u64()));
    // Unigram's: pieces with scores, by id.
    let scored = json["model"]["vocab"].as_array().map(Vec::as_slice).unwrap_or_default();
    let by_place = scored.iter().zip(0..).map(|(piece, id)| (piece[0].as_str().unwrap_or_default(), Some(id)));
    for (text, id) in by_name.chain(by_place) {
        put(text, id, kind(text));
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let text = added["content"].as_str().unwrap_or_default();
        let id = added["id"].as_u64();
        if added["special"] == Json::Bool(false) {
            // Found in the text before anything else, and so as the text has it.
            put(&text.replace('▁', " "), id, USER_DEFINED);
        } else {
            put(text, id, if text == UNKNOWN_TOKEN { UNKNOWN } else { CONTROL });
        }
    }
    let pair = |merge: &Json| match (merge.as_str(), merge.as_array().map(Vec::as_slice)) {
        (Some(text), _) => Some(text.to_string()),
        (None, Some([left, right])) => Some(format!("{} {}", left.as_str()?, right.as_str()?)),
        _ => None,
    };
    let merges: Vec<String> = json["model"]["merges"].as_array().into_iter().flatten().filter_map(pair).collect();
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let mut values = vec![(key("tokens"), Value::Texts(tokens)), (key("token_type"), Value::Integers(types))];
    let prefix = (key("add_space_prefix"), Value::Bool(json["normalizer"]["type"] == "Sequence"));
    if !scored.is_empty() {
        let score = |id: usize| scored.get(id).and_then(|piece| piece[1].as_f64()).unwrap_or(UNUSED) as f32;
        values.push((key("model"), Value::Text("t5".into())));
        values.push((key("scores"), Value::Floats((0..vocab).map(score).collect())));
        values.push((key("remove_extra_whitespaces"), Value::Bool(false)));
        values.push(prefix);
    } else if json["model"]["byte_fallback"] == Json::Bool(true) {
        // Of two pairs the one with the higher score is merged first: earlier pieces were.
        values.push((key("model"), Value::Text("llama".into())));
        values.push((key("scores"), Value::Floats((0..vocab).map(|id| -(id as f32)).collect())));
        values.push(prefix);
    } else {
        values.push((key("model"), Value::Text("gpt2".into())));
        values.push((key("pre"), Value::Text("default".into())));
        values.push((key("merges"), Value::Texts(merges)));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ModelType, Tokenizer, TrainerConfig};

    fn shown(values: &[(String, Value)], name: &str) -> Vec<String> {
        let found = values.iter().find(|(key, _)| key == &format!("tokenizer.ggml.{name}"));
        match found {
            Some((_, Value::Texts(texts))) => texts.clone(),
            Some((_, Value::Text(text))) => vec![text.clone()],
            Some((_, Value::Floats(numbers))) => numbers.iter().map(ToString::to_string).collect(),
            _ => panic!("no {name}"),
        }
    }

    #[test]
    fn a_unigram_vocabulary_has_its_pieces_and_scores() {
        let lines: Vec<String> = (0..300).map(|i| format!("the tokens of line {i} are pieces of the words of line {i}")).collect();
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        let config = TrainerConfig { model_type: ModelType::Unigram, vocab_size: 300, ..TrainerConfig::default() };
        let tokenizer = Tokenizer::train(&config, &texts).unwrap();
        let (vocab, padded) = (tokenizer.vocab(), tokenizer.vocab() + 5);
        let values = values(&serde_json::from_str(&tokenizer.to_json()).unwrap(), padded);
        assert_eq!(shown(&values, "model"), ["t5"]);
        let (tokens, scores) = (shown(&values, "tokens"), shown(&values, "scores"));
        assert!(tokens[..3] == ["<unk>", "<s>", "</s>"] && tokens[vocab] == format!("[PAD{vocab}]") && tokens.len() == padded);
        assert!(tokens[..vocab].iter().all(|token| !token.starts_with("[PAD")));
        assert!(scores[vocab - 1].parse::<f64>().unwrap() < 0.0 && scores.len() == padded);
    }
}
