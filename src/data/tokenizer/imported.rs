//! Tokenizers that somebody else trained: any `tokenizer.json` of the `tokenizers` library.

use crate::settings::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// Names that the token before a document goes by.
const OPENING: &[&str] = &["<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>", "<|startoftext|>", "<|bos|>", "[BOS]", "[CLS]", "</s>"];

/// The library's tokenizer with the file it came from.
#[derive(Debug)]
pub(super) struct Imported {
    tokenizer: tokenizers::Tokenizer,
    source: String,
    bos: u32,
    vocab: usize,
}

impl Imported {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let source = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let broken = |message: String| Error::input(path.display(), message, "name a tokenizer.json of the `tokenizers` library");
        let vocab = vocab(&source).ok_or_else(|| broken("no vocabulary found".into()))?;
        let mut tokenizer =
            tokenizers::Tokenizer::from_bytes(source.as_bytes()).map_err(|error| broken(format!("not a tokenizer: {error}")))?;
        // Text that looks like a special token is text.
        tokenizer.set_encode_special_tokens(true);
        let _ = tokenizer.with_truncation(None);
        tokenizer.with_padding(None);
        let bos = OPENING.iter().find_map(|name| tokenizer.token_to_id(name)).ok_or_else(|| {
            let help = format!("add one of these special tokens to the file: {}", OPENING.join(", "));
            Error::input(path.display(), "no token that opens a document", help)
        })?;
        Ok(Self { tokenizer, source, bos, vocab })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn bos(&self) -> u32 {
        self.bos
    }

    pub(super) fn vocab(&self) -> usize {
        self.vocab
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        // The library fails where a word has neither a piece nor an unknown token; such text has no ids.
        self.tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    /// Ids of a text in which special tokens count as such.
    pub(super) fn encode_marked(&self, text: &str) -> Vec<u32> {
        let mut tokenizer = self.tokenizer.clone();
        tokenizer.set_encode_special_tokens(false);
        tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    pub(super) fn id_of(&self, name: &str) -> Option<u32> {
        self.tokenizer.token_to_id(name)
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }
}

/// One more than the highest id of a `tokenizer.json`, read without building the tokenizer.
///
/// # Errors
///
/// An unreadable file, or one without a vocabulary.
pub(in crate::data) fn vocab_of_file(path: &Path) -> Result<usize> {
    let source = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let help = "name a tokenizer.json of the `tokenizers` library";
    vocab(&source).ok_or_else(|| Error::input(path.display(), "no vocabulary found in this file", help))
}

fn vocab(source: &str) -> Option<usize> {
    let value: Value = serde_json::from_str(source).ok()?;
    let model = match value.get("model")?.get("vocab")? {
        Value::Object(ids) => ids.values().filter_map(Value::as_u64).max()?,
        // A unigram model lists pieces with scores; their places are the ids.
        Value::Array(pieces) => (pieces.len() as u64).checked_sub(1)?,
        _ => return None,
    };
    let added = value.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let added = added.filter_map(|token| token.get("id")?.as_u64()).max();
    Some(model.max(added.unwrap_or(0)) as usize + 1)
}
