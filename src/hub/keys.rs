//! The keys of a `config.json`: every one is understood, known to change no number, or refused by name.

use crate::settings::{Error, Mistake, Result};
use serde_json::{Map, Value};
use std::{cell::RefCell, collections::BTreeSet, path::Path};

/// Keys that change nothing of what a model computes when it is evaluated: names, versions, special tokens, caches, how
/// weights were drawn, what is dropped while training.
const WITHOUT_EFFECT: [&str; 64] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "add_bos_token",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_pdrop",
    "attn_implementation",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "decoder_start_token_id",
    "dropout",
    "dtype",
    "embd_pdrop",
    "embed_dropout",
    "embedding_dropout",
    "emb_pdrop",
    "eos_token_id",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout",
    "hidden_dropout_prob",
    "id2label",
    "init_device",
    "init_std",
    "initializer_range",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "layerdrop",
    "model_type",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "resid_dropout",
    "resid_pdrop",
    "residual_dropout",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "use_cache",
];

/// Keys that are switched off in files and change nothing then: what other architectures, tasks or programs would do. What
/// else is unknown is refused even if it is off, for it may be on where nothing is written.
const HARMLESS_OFF: [&str; 19] = [
    "add_cross_attention",
    "attention_bias",
    "cross_attention",
    "do_sample",
    "early_stopping",
    "is_decoder",
    "is_encoder_decoder",
    "mlp_bias",
    "output_scores",
    "remove_invalid_values",
    "rope_interleaved",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "torchscript",
    "use_bfloat16",
    "use_bidirectional_attention",
    "use_cross_attention",
    "use_mrope",
    "use_sliding_window",
];

/// No model has as many channels, layers, tokens or positions.
const MOST: u64 = 1 << 24;

/// A `config.json`, or an object in it, while it is read.
#[derive(Debug)]
pub struct Keys<'a> {
    file: &'a Path,
    /// Dotted path of the object, with a dot behind it; empty for the file.
    prefix: String,
    values: &'a Map<String, Value>,
    read: RefCell<BTreeSet<String>>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'a> Keys<'a> {
    /// The keys of a file.
    pub fn new(file: &'a Path, values: &'a Map<String, Value>) -> Self {
        Self { file, prefix: String::new(), values, read: RefCell::default(), mistakes: RefCell::default() }
    }

    /// Notes what is wrong with a key.
    pub fn refuse(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.borrow_mut().push(Mistake {
            file: self.file.display().to_string(),
            line: None,
            key: format!("{}{key}", self.prefix),
            value: self.values.get(key).map(short),
            message: message.into(),
            help: Some(help.into()),
        });
    }

    /// The value of a key; none if it is absent or null.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(key.to_string());
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there, and not null.
    pub fn has(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|value| !value.is_null())
    }

    /// Whether the key is not there at all: a null that is written says something else than silence.
    pub fn absent(&self, key: &str) -> bool {
        !self.values.contains_key(key)
    }

    /// A size that must be there.
    pub fn size(&self, key: &str) -> usize {
        self.maybe_size(key).unwrap_or_else(|| {
            if !self.has(key) {
                self.refuse(key, "is missing", "take the config.json that belongs to the weights");
            }
            1
        })
    }

    /// A number of things, none among them, or what the family takes where nothing is written.
    pub fn count_or(&self, key: &str, otherwise: usize) -> usize {
        let Some(value) = self.value(key) else { return otherwise };
        value.as_u64().filter(|count| *count <= MOST).map_or_else(
            || {
                self.refuse(key, "is no number of things", format!("a whole number from 0 to {MOST}"));
                otherwise
            },
            |count| count as usize,
        )
    }

    /// A size that must be there, by its name of today or by an older one.
    pub fn either(&self, new: &str, old: &str) -> usize {
        self.ignore(&[new, old]);
        self.size(if self.has(new) { new } else { old })
    }

    /// A size, or what the family takes where none is written.
    pub fn size_or(&self, key: &str, otherwise: usize) -> usize {
        self.maybe_size(key).unwrap_or(otherwise)
    }

    /// A size that may be absent.
    pub fn maybe_size(&self, key: &str) -> Option<usize> {
        let value = self.value(key)?;
        match value.as_u64().filter(|size| (1..=MOST).contains(size)) {
            Some(size) => Some(size as usize),
            None => {
                self.refuse(key, "is no size", format!("a whole number from 1 to {MOST}"));
                None
            }
        }
    }

    /// A number, or what the family takes where none is written.
    pub fn number(&self, key: &str, otherwise: f64) -> f64 {
        self.maybe_number(key).unwrap_or(otherwise)
    }

    /// A number that must be there.
    pub fn needed_number(&self, key: &str) -> f64 {
        self.maybe_number(key).unwrap_or_else(|| {
            if !self.has(key) {
                self.refuse(key, "is missing", "take the config.json that belongs to the weights");
            }
            1.0
        })
    }

    /// A number that may be absent.
    pub fn maybe_number(&self, key: &str) -> Option<f64> {
        let value = self.value(key)?;
        let number = value.as_f64().filter(|number| number.is_finite());
        if number.is_none() {
            self.refuse(key, "is no number", "write a finite number");
        }
        number
    }

    /// A switch, or what the family takes where none is written.
    pub fn flag(&self, key: &str, otherwise: bool) -> bool {
        let Some(value) = self.value(key) else { return otherwise };
        value.as_bool().unwrap_or_else(|| {
            self.refuse(key, "is no switch", "true or false");
            otherwise
        })
    }

    /// A word, or what the family takes where none is written.
    pub fn word(&self, key: &str, otherwise: &str) -> String {
        let Some(value) = self.value(key) else { return otherwise.to_string() };
        value.as_str().map(str::to_string).unwrap_or_else(|| {
            self.refuse(key, "is no word", "write a string");
            otherwise.to_string()
        })
    }

    /// A list of words that may be absent.
    pub fn words(&self, key: &str) -> Option<Vec<String>> {
        let value = self.value(key)?;
        let words = value.as_array().and_then(|list| list.iter().map(|word| word.as_str().map(str::to_string)).collect());
        if words.is_none() {
            self.refuse(key, "is no list of words", "write a list of strings");
        }
        words
    }

    /// An option of which the library has only one value.
    pub fn only(&self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        if let Some(found) = self.value(key)
            && *found != value
        {
            self.refuse(key, "is an option that this program does not have", format!("only {value} can be imported"));
        }
    }

    /// A number of which the library has only one value.
    pub fn only_number(&self, key: &str, value: f64) {
        if self.maybe_number(key).is_some_and(|number| number != value) {
            self.refuse(key, "is an option that this program does not have", format!("only {value} can be imported"));
        }
    }

    /// An object that may be absent.
    pub fn object(&self, key: &str) -> Option<Keys<'a>> {
        let value = self.value(key)?;
        match value.as_object() {
            Some(values) => Some(Keys { prefix: format!("{}{key}.", self.prefix), values, ..Keys::new(self.file, values) }),
            None => {
                self.refuse(key, "is no object", "write an object");
                None
            }
        }
    }

    /// Takes over what was found wrong in an object of this one, and what of it nobody has read.
    pub fn absorb(&self, other: Keys) {
        other.refuse_rest();
        self.mistakes.borrow_mut().append(&mut other.mistakes.borrow_mut());
    }

    /// Keys that this family keeps for nothing.
    pub fn ignore(&self, keys: &[&str]) {
        self.read.borrow_mut().extend(keys.iter().map(ToString::to_string));
    }

    fn refuse_rest(&self) {
        // transformers lets any architecture look ahead that says it is not causal.
        self.only("is_causal", true);
        let rest: Vec<&String> = self.values.keys().filter(|key| !self.read.borrow().contains(*key)).collect();
        for key in rest {
            let known = match self.values[key] {
                Value::Null => true,
                Value::Bool(false) => HARMLESS_OFF.contains(&key.as_str()) || WITHOUT_EFFECT.contains(&key.as_str()),
                _ => WITHOUT_EFFECT.contains(&key.as_str()),
            };
            if !known {
                self.refuse(key, "is an option that is not known for this architecture", "remove it only if it has no effect");
            }
        }
    }

    /// # Errors
    ///
    /// Everything that was found wrong, and every key that nobody has read.
    pub fn finish(self) -> Result<()> {
        self.refuse_rest();
        let mistakes = self.mistakes.into_inner();
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Settings(mistakes)) }
    }
}

/// A value as an error shows it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mistakes(values: Value, read: impl Fn(&Keys)) -> Vec<String> {
        let values = values.as_object().unwrap().clone();
        let keys = Keys::new(Path::new("config.json"), &values);
        read(&keys);
        match keys.finish() {
            Err(Error::Settings(mistakes)) => mistakes.into_iter().map(|mistake| mistake.key).collect(),
            _ => vec![],
        }
    }

    #[test]
    fn what_is_unknown_is_refused_by_name_even_if_it_is_off() {
        let values = json!({
            "layers": 2, "use_cache": true, "new_trick": 3, "old_trick": false, "none": null, "is_decoder": false, "use_bfloat16": true,
        });
        assert_eq!(mistakes(values, |keys| assert_eq!(keys.size("layers"), 2)), ["new_trick", "old_trick", "use_bfloat16"]);
        for (value, refused) in [(json!(false), true), (json!("no"), true), (json!(true), false), (Value::Null, false)] {
            assert_eq!(mistakes(json!({ "is_causal": value }), |_| {}).contains(&"is_causal".to_string()), refused, "{value}");
        }
    }

    #[test]
    fn absurd_values_are_refused() {
        for value in [json!(0), json!(-1), json!(1.5), json!(1e300), json!(u64::MAX), json!("4"), json!([])] {
            assert_eq!(
                mistakes(json!({ "layers": value }), |keys| {
                    keys.size("layers");
                }),
                ["layers"],
                "{value}"
            );
        }
        assert_eq!(
            mistakes(json!({}), |keys| {
                keys.size("layers");
            }),
            ["layers"]
        );
        assert_eq!(
            mistakes(json!({ "eps": "small" }), |keys| {
                keys.number("eps", 1.0);
            }),
            ["eps"]
        );
        assert_eq!(
            mistakes(json!({ "act": 1 }), |keys| {
                keys.word("act", "");
            }),
            ["act"]
        );
        assert_eq!(
            mistakes(json!({ "on": "yes" }), |keys| {
                keys.flag("on", false);
            }),
            ["on"]
        );
        assert_eq!(
            mistakes(json!({ "kinds": [1] }), |keys| {
                keys.words("kinds");
            }),
            ["kinds"]
        );
    }

    #[test]
    fn objects_have_keys_of_their_own() {
        let values = json!({ "rope": { "theta": 1e4, "twist": 2 }, "clip": 8.0 });
        let found = mistakes(values, |keys| {
            let rope = keys.object("rope").unwrap();
            assert_eq!(rope.number("theta", 0.0), 1e4);
            keys.absorb(rope);
            keys.only("clip", Value::Null);
        });
        assert_eq!(found, ["rope.twist", "clip"]);
    }
}
