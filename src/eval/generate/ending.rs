//! Tokens that open and end a text.

use crate::{
    data::Tokenizer,
    files::if_there,
    settings::{Error, Result},
};
use serde_json::Value;
use std::path::Path;

pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const GENERATION_CONFIG: &str = "generation_config.json";

/// Tokens that end a text of the model whose tokenizer lies in `folder`: the one that opens documents, `eos_token` of
/// `tokenizer_config.json` and `eos_token_id` of `generation_config.json`, where there are such files.
///
/// # Errors
///
/// A file that cannot be read or is not JSON.
pub fn ends(folder: &Path, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let config = json(&folder.join(TOKENIZER_CONFIG))?;
    let mut ends = vec![tokenizer.bos()];
    ends.extend(special(&config["eos_token"]).and_then(|name| tokenizer.id_of(name)));
    match &json(&folder.join(GENERATION_CONFIG))?["eos_token_id"] {
        Value::Array(ids) => ends.extend(ids.iter().filter_map(id)),
        one => ends.extend(id(one)),
    }
    ends.sort_unstable();
    ends.dedup();
    Ok(ends)
}

/// Tokens that a text of the model whose tokenizer lies in `folder` begins with: the one that opens documents, unless
/// `add_bos_token` of `tokenizer_config.json` says that it was not trained so.
///
/// # Errors
///
/// A file that cannot be read or is not JSON.
pub fn opening(folder: &Path, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let config = json(&folder.join(TOKENIZER_CONFIG))?;
    Ok(if config["add_bos_token"] == Value::Bool(false) { vec![] } else { vec![tokenizer.bos()] })
}

/// A special token as it may be written: a string, or an object with its text.
pub(super) fn special(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// A file of JSON; null if it is not there.
pub(super) fn json(path: &Path) -> Result<Value> {
    let Some(text) = if_there(std::fs::read(path)).map_err(Error::io("read", path))? else { return Ok(Value::Null) };
    let broken = |error: serde_json::Error| Error::input(path.display(), format!("not JSON: {error}"), "copy it again from the model");
    serde_json::from_slice(&text).map_err(broken)
}
