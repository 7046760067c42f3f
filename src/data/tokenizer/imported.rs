//! Tokenizers that somebody else trained: any `tokenizer.json` of the `tokenizers` library.

use super::{
    byte_level::{ByteLevel, Parts, Pattern, bytes_of, looks_like_ranks},
    hash::Map,
    seen::Seen,
    sentencepiece,
};
use crate::settings::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// Names that the token before a document goes by.
pub(super) const OPENING: &[&str] =
    &["<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>", "<|startoftext|>", "<|bos|>", "[BOS]", "[CLS]", "</s>"];

/// The library's tokenizer with the file it came from.
#[derive(Debug)]
pub(super) struct Imported {
    tokenizer: tokenizers::Tokenizer,
    source: String,
    bos: u32,
    vocab: usize,
    /// Our own encoder for the same file, and what text must not hold for it: tokens that the library looks for in text.
    fast: Option<(ByteLevel, Vec<String>)>,
    /// Whether files show bytes as letters.
    letters: bool,
}

impl Imported {
    pub(super) fn read(path: &Path) -> Result<Self> {
        Self::of(std::fs::read_to_string(path).map_err(Error::io("read", path))?, path)
    }

    pub(super) fn of(source: String, path: &Path) -> Result<Self> {
        let broken = |message: String| Error::input(path.display(), message, "name a tokenizer.json of the `tokenizers` library");
        let json: Value = serde_json::from_str(&source).map_err(|error| broken(format!("not a tokenizer: {error}")))?;
        let vocab = vocab(&json).ok_or_else(|| broken("no vocabulary found".into()))?;
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
        Ok(Self { tokenizer, source, bos, vocab, fast: fast(&json), letters: mentions(&json["decoder"], "ByteLevel") })
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

    pub(super) fn encode(&self, text: &str, seen: &mut Seen, ids: &mut Vec<u32>) {
        match &self.fast {
            Some((fast, absent)) if !absent.iter().any(|token| text.contains(token.as_str())) => fast.encode(text, seen, ids),
            // The library fails where a word has neither a piece nor an unknown token; such text has no ids.
            _ => ids.extend(self.tokenizer.encode_fast(text, false).iter().flat_map(|encoding| encoding.get_ids())),
        }
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

    /// Special tokens with their ids.
    pub(super) fn special(&self) -> Vec<(String, u32)> {
        let added = self.tokenizer.get_added_tokens_decoder();
        let mut special: Vec<(String, u32)> =
            added.into_iter().filter(|(_, token)| token.special).map(|(id, token)| (token.content, id)).collect();
        special.sort_by_key(|(_, id)| *id);
        special
    }

    /// The bytes that a token stands for, as far as the file shows them; none for special tokens.
    pub(super) fn bytes_of(&self, id: u32) -> Vec<u8> {
        let added = self.tokenizer.get_added_vocabulary();
        let Some(text) = self.tokenizer.id_to_token(id).filter(|text| !added.is_special_token(text)) else { return Vec::new() };
        match bytes_of(&text).filter(|_| self.letters) {
            Some(bytes) => bytes,
            None => match byte(&text) {
                Some(byte) => vec![byte],
                None => text.replace('▁', " ").into_bytes(),
            },
        }
    }

    /// Whether a token is one byte that has no piece.
    pub(super) fn is_byte(&self, id: u32) -> bool {
        !self.letters && self.tokenizer.id_to_token(id).is_some_and(|text| byte(&text).is_some())
    }
}

/// The byte of a token such as `<0x0A>`.
fn byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// Whether a part of a `tokenizer.json`, or one of those it is made of, is of a type.
fn mentions(part: &Value, kind: &str) -> bool {
    let inner = ["decoders", "pretokenizers"].iter().filter_map(|key| part[*key].as_array()).flatten();
    part["type"] == kind || inner.into_iter().any(|part| mentions(part, kind))
}

/// Our encoder for a byte-level file that has nothing which only the library knows.
fn fast(json: &Value) -> Option<(ByteLevel, Vec<String>)> {
    let model = &json["model"];
    let empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    let plain = (model["type"] == "BPE" || model["type"].is_null())
        && ["dropout", "continuing_subword_prefix", "end_of_word_suffix"].iter().all(|key| empty(&model[*key]))
        && model["byte_fallback"] != true
        && json["normalizer"].is_null();
    if !plain {
        return None;
    }
    let pattern = Pattern::of_json(json)?;
    let mut texts: Map<&str, u32> = Map::default();
    let mut tokens: Vec<Box<[u8]>> = Vec::new();
    let added = json["added_tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    let special: Vec<&str> = added.iter().filter_map(|token| token["content"].as_str()).collect();
    let vocab = model["vocab"].as_object()?;
    for (text, id) in vocab {
        let id = u32::try_from(id.as_u64()?).ok()?;
        // Holes are rare: a file whose ids are far apart is none of ours.
        if id as usize > 2 * vocab.len() + 65_536 {
            return None;
        }
        if tokens.len() <= id as usize {
            tokens.resize(id as usize + 1, Box::default());
        }
        texts.insert(text, id);
        match bytes_of(text) {
            Some(bytes) => tokens[id as usize] = bytes.into(),
            None if special.contains(&text.as_str()) => {}
            None => return None,
        }
    }
    let merge = |merge: &Value| {
        let (left, right) = match (merge.as_str(), merge.as_array()) {
            (Some(text), _) => text.split_once(' ')?,
            (None, Some(pair)) => (pair.first()?.as_str()?, pair.get(1)?.as_str()?),
            (None, None) => return None,
        };
        Some((*texts.get(left)?, *texts.get(right)?))
    };
    let ranked: Option<Vec<(u32, u32)>> = model["merges"].as_array()?.iter().map(merge).collect();
    let whole = model["ignore_merges"] == true;
    // Special tokens that are spelled in letters must not be found as words.
    for text in &special {
        if let Some(token) = texts.get(text).and_then(|id| tokens.get_mut(*id as usize)) {
            *token = Box::default();
        }
    }
    let searched = added.iter().filter(|token| token["special"] != true).filter_map(|token| Some(token["content"].as_str()?.to_string()));
    let parts = Parts { tokens, special: Vec::new(), ranked: ranked?, whole, pattern };
    Some((ByteLevel::new(parts, None).ok()?, searched.collect()))
}

/// One more than the highest id of a tokenizer file in any of the formats that are read, without building the tokenizer.
///
/// # Errors
///
/// An unreadable file, or one without a vocabulary.
pub(in crate::data) fn vocab_of_file(path: &Path) -> Result<usize> {
    let source = std::fs::read(path).map_err(Error::io("read", path))?;
    let help = "name a tokenizer.json of the `tokenizers` library, a .model of SentencePiece, or a file of ranks of tiktoken";
    let none = |reason: String| Error::input(path.display(), reason, help);
    match Format::of(&source) {
        Format::Json => {
            let json: Option<Value> = serde_json::from_slice(&source).ok();
            json.and_then(|json| vocab(&json)).ok_or_else(|| none("no vocabulary found in this file".into()))
        }
        Format::Ranks => super::byte_level::Ranks::read(&source).map(|ranks| ranks.vocab()).map_err(none),
        Format::SentencePiece => sentencepiece::vocab(&source).map_err(|reason| none(format!("not a tokenizer: {reason}"))),
    }
}

/// What a tokenizer file is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Ranks,
    SentencePiece,
}

impl Format {
    pub(super) fn of(source: &[u8]) -> Self {
        match source.trim_ascii_start().first() {
            // A model of SentencePiece begins with a line end and the length of its first piece.
            Some(b'{') if !source.starts_with(b"\n{\n") || serde_json::from_slice::<serde::de::IgnoredAny>(source).is_ok() => Self::Json,
            None => Self::Json,
            _ if looks_like_ranks(source) => Self::Ranks,
            _ => Self::SentencePiece,
        }
    }
}

fn vocab(json: &Value) -> Option<usize> {
    let model = match json.get("model")?.get("vocab")? {
        Value::Object(ids) => ids.values().filter_map(Value::as_u64).max()?,
        // A unigram model lists pieces with scores; their places are the ids.
        Value::Array(pieces) => (pieces.len() as u64).checked_sub(1)?,
        _ => return None,
    };
    let added = json.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let added = added.filter_map(|token| token.get("id")?.as_u64()).max();
    usize::try_from(model.max(added.unwrap_or(0))).ok()?.checked_add(1)
}
