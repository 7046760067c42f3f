//! The files beside the weights of a model.

use super::shards::{Dtype, json};
use crate::{files, settings::Result};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The options of a model.
pub const CONFIG: &str = "config.json";
/// The tokenizer in the format of the `tokenizers` library.
pub const TOKENIZER: &str = "tokenizer.json";
/// Files that say how a model is used, and that go along with it unread.
pub const COMPANIONS: [&str; 5] =
    ["tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "chat_template.jinja", "added_tokens.json"];

/// The files of a folder that belong to its model, weights aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// `tokenizer.json`, if it is there.
    pub tokenizer: Option<PathBuf>,
    /// Those of the names in the docs of this module that are there.
    pub companions: Vec<PathBuf>,
}

impl Files {
    /// Those of a folder.
    pub fn of(folder: &Path) -> Self {
        let there = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        Self { tokenizer: there(TOKENIZER), companions: COMPANIONS.iter().filter_map(|name| there(name)).collect() }
    }
}

/// The type of weights in a `config.json`, by its older and its newer name.
const DTYPE: [&str; 2] = ["torch_dtype", "dtype"];
/// Special tokens, in a `config.json`.
const SPECIAL: [&str; 3] = ["bos_token_id", "eos_token_id", "pad_token_id"];

/// The special tokens that a folder's `config.json` names; null for those that it does not name, and without such a file,
/// so that no default of `transformers` lies beyond a small vocabulary.
///
/// # Errors
///
/// A file that is no JSON.
pub fn special_tokens(folder: &Path) -> Result<Map<String, Value>> {
    let path = folder.join(CONFIG);
    let value = if path.is_file() { json(&path)? } else { Value::Null };
    Ok(SPECIAL.iter().map(|key| (key.to_string(), value.get(key).cloned().unwrap_or_default())).collect())
}

/// The type of the weights by a folder's `config.json`, if there is one and it says so.
pub fn stored_dtype(folder: &Path) -> Option<Dtype> {
    let value = json(&folder.join(CONFIG)).ok()?;
    DTYPE.iter().find_map(|key| value.get(key)?.as_str()?.parse().ok())
}

/// Copies a folder's `config.json` beside a run, with the type that its weights have, whatever it says of that.
///
/// # Errors
///
/// No such file, one that is no JSON, an unwritable folder.
pub fn keep_config(folder: &Path, dtype: Dtype, kept: &Path) -> Result<()> {
    let mut value = json(&folder.join(CONFIG))?;
    if let Some(options) = value.as_object_mut() {
        DTYPE.iter().for_each(|key| drop(options.remove(*key)));
        options.insert(DTYPE[0].into(), dtype.name().into());
    }
    files::write(&kept.join(CONFIG), serde_json::to_string_pretty(&value).expect("plain data").as_bytes())
}

/// Whether a folder looks like one that `save_pretrained` wrote.
pub fn is_model_folder(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}
