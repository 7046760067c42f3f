//! Models of SentencePiece (Kudo and Richardson 2018, 1808.06226), read from their `.model` files and encoded as that program
//! does: the same ids, rounding of scores included.

mod model;
mod normalizer;
mod pairs;
#[cfg(test)]
mod tests;
mod viterbi;
mod wire;

use super::{imported::OPENING, seen::Seen, trie::Trie};
use crate::settings::{Error, Result};
use model::{Algorithm, Kind, Model};
use normalizer::{Normalizer, SPACE};
use pairs::Pairs;
use serde_json::{Value, json};
use std::path::Path;
use viterbi::Viterbi;

/// Larger files are no models: a bound on memory.
const LARGEST: usize = 256 << 20;

#[derive(Clone, Debug)]
enum Finder {
    Bpe(Pairs),
    Unigram(Viterbi),
}

/// A model and the file it came from.
#[derive(Clone, Debug)]
pub(super) struct SentencePiece {
    source: Vec<u8>,
    model: Model,
    normalizer: Normalizer,
    user: Option<Trie>,
    finder: Finder,
    /// Whether no piece has a space behind something else: words can then be looked at one by one.
    words: bool,
    /// Bytes that the ids stand for.
    texts: Vec<Box<[u8]>>,
    bytes: Option<[u32; 256]>,
    unknown: u32,
    bos: u32,
}

impl SentencePiece {
    /// Reads the content of the file `path`.
    pub(super) fn read(source: Vec<u8>, path: &Path) -> Result<Self> {
        let help = "name a .model file of SentencePiece, of the type BPE or UNIGRAM";
        Self::of(source).map_err(|reason| Error::input(path.display(), format!("not a SentencePiece model: {reason}"), help))
    }

    fn of(source: Vec<u8>) -> Result<Self, String> {
        if source.len() > LARGEST {
            return Err(format!("it has more than {} MiB", LARGEST >> 20));
        }
        let model = Model::read(&source)?;
        let find = |kind: Kind| model.pieces.iter().enumerate().filter(move |(_, piece)| piece.kind == kind);
        let bytes = model.byte_fallback.then(|| {
            let mut ids = [0; 256];
            for (id, piece) in find(Kind::Byte) {
                ids[model::byte(&piece.text).map_or(0, usize::from)] = id as u32;
            }
            ids
        });
        let unknown = find(Kind::Unknown).map(|(id, _)| id as u32).next().unwrap_or(0);
        let named = |name: &&str| find(Kind::Control).find(|(_, piece)| &&*piece.text == name).map(|(id, _)| id);
        let given = usize::try_from(model.bos).ok().filter(|id| model.pieces.get(*id).is_some_and(|piece| piece.kind == Kind::Control));
        let bos = given.or_else(|| OPENING.iter().find_map(named)).ok_or("it has no token that opens a document")? as u32;
        let mut user = find(Kind::UserDefined).map(|(id, piece)| (piece.text.as_bytes(), id as u32)).peekable();
        let user = user.peek().is_some().then(|| Trie::new(user));
        let inside = |text: &str| text.trim_start_matches(SPACE).contains(SPACE);
        let words = !model.suffix && !model.pieces.iter().any(|piece| inside(&piece.text));
        let finder = match model.algorithm {
            Algorithm::Bpe => Finder::Bpe(Pairs::new(&model, bytes, unknown)?),
            Algorithm::Unigram => Finder::Unigram(Viterbi::new(&model, bytes, unknown)?),
        };
        let texts = model.pieces.iter().map(|piece| match piece.kind {
            Kind::Unknown | Kind::Control => Box::default(),
            Kind::Byte => model::byte(&piece.text).into_iter().collect(),
            Kind::Normal | Kind::UserDefined => piece.text.replace(SPACE, " ").into_bytes().into(),
        });
        let texts = texts.collect();
        Ok(Self { normalizer: Normalizer::new(&model)?, user, finder, words, texts, bytes, unknown, bos, source, model })
    }

    pub(super) fn source(&self) -> &[u8] {
        &self.source
    }

    pub(super) fn vocab(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn bos(&self) -> u32 {
        self.bos
    }

    pub(super) fn id_of(&self, name: &str) -> Option<u32> {
        self.model.pieces.iter().position(|piece| &*piece.text == name).map(|id| id as u32)
    }

    /// Special tokens with their ids.
    pub(super) fn special(&self) -> impl Iterator<Item = (&str, u32)> {
        let special = |kind| matches!(kind, Kind::Unknown | Kind::Control);
        self.model.pieces.iter().enumerate().filter(move |(_, piece)| special(piece.kind)).map(|(id, piece)| (&*piece.text, id as u32))
    }

    pub(super) fn encode(&self, text: &str, seen: &mut Seen, ids: &mut Vec<u32>) {
        let before = ids.len();
        let text = self.normalizer.normalize(text, self.user.as_ref());
        let mut score = 0.0;
        let mut word = |word: &str| match &self.finder {
            Finder::Bpe(pairs) => seen.append(word.as_bytes(), ids, |ids| pairs.encode(word, self.user.as_ref(), ids)),
            Finder::Unigram(viterbi) => viterbi.encode(word, &mut score, ids),
        };
        if self.words {
            split(&text, word)
        } else {
            word(&text)
        }
        if self.bytes.is_none() {
            // Unknown characters in a row are one token.
            let mut kept = before;
            for at in before..ids.len() {
                if !(ids[at] == self.unknown && kept > before && ids[kept - 1] == self.unknown) {
                    ids[kept] = ids[at];
                    kept += 1;
                }
            }
            ids.truncate(kept);
        }
    }

    /// Byte tokens of bytes, if the model has them.
    pub(super) fn spell(&self, bytes: &[u8]) -> Option<Vec<u32>> {
        let ids = self.bytes?;
        Some(bytes.iter().map(|&byte| ids[byte as usize]).collect())
    }

    /// Whether an id stands for a byte.
    pub(super) fn is_byte(&self, id: u32) -> bool {
        self.model.pieces.get(id as usize).is_some_and(|piece| piece.kind == Kind::Byte)
    }

    /// The bytes behind an id; none for special tokens.
    pub(super) fn bytes_of(&self, id: u32) -> &[u8] {
        self.texts.get(id as usize).map_or(&[], |text| text)
    }

    /// Bytes of ids without the space that encoding put in front of each document; special tokens vanish.
    pub(super) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 * ids.len());
        let mut opening = self.normalizer.opens_with_space();
        for &id in ids {
            let text = self.bytes_of(id);
            if text.is_empty() {
                opening = self.normalizer.opens_with_space();
                continue;
            }
            let shown = if opening && !self.is_byte(id) { text.strip_prefix(b" ").unwrap_or(text) } else { text };
            out.extend_from_slice(shown);
            // Where extra spaces are removed, all in front are.
            opening &= self.model.remove_extra_spaces && shown.is_empty();
        }
        out
    }

    /// The model in the format of the `tokenizers` library. Ids are the same but where that library rounds otherwise, or takes
    /// another of two equally good cuts.
    pub(super) fn to_json(&self) -> String {
        let model = &self.model;
        let special = |piece: &model::Piece| !matches!(piece.kind, Kind::Normal | Kind::Byte);
        let added: Vec<Value> = model.pieces.iter().enumerate().filter(|(_, piece)| special(piece)).map(|(id, piece)| {
            let special = piece.kind != Kind::UserDefined;
            json!({"id": id, "content": piece.text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special})
        }).collect();
        let mut normalizers = Vec::new();
        if !model.charsmap.is_empty() {
            normalizers.push(json!({"type": "Precompiled", "precompiled_charsmap": base64(&model.charsmap)}));
        }
        if model.remove_extra_spaces {
            normalizers.push(json!({"type": "Strip", "strip_left": true, "strip_right": true}));
            normalizers.push(json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}));
        }
        if model.prefix {
            normalizers.push(json!({"type": "Prepend", "prepend": SPACE}));
        }
        normalizers.push(json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE}));
        let mut decoders = vec![
            json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self.normalizer.opens_with_space() {
            decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        let found = match &self.finder {
            Finder::Bpe(pairs) => {
                let vocab: serde_json::Map<String, Value> =
                    model.pieces.iter().enumerate().map(|(id, piece)| (piece.text.to_string(), id.into())).collect();
                let merges: Vec<[&str; 2]> = pairs.listed(model);
                json!({
                    "type": "BPE", "dropout": null, "unk_token": model.pieces[self.unknown as usize].text, "continuing_subword_prefix": null,
                    "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": model.byte_fallback, "ignore_merges": false,
                    "vocab": vocab, "merges": merges
                })
            }
            Finder::Unigram(_) => {
                // Text that spells a special token out is not that token.
                let score = |piece: &model::Piece| if piece.kind == Kind::Normal { f64::from(piece.score) } else { super::json::NEVER };
                let vocab: Vec<Value> = model.pieces.iter().map(|piece| json!([piece.text, score(piece)])).collect();
                json!({"type": "Unigram", "unk_id": self.unknown, "vocab": vocab, "byte_fallback": model.byte_fallback})
            }
        };
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": normalizers}, "pre_tokenizer": null, "post_processor": null,
            "decoder": {"type": "Sequence", "decoders": decoders}, "model": found
        })
        .to_string()
    }
}

/// Calls `take` with the words of a normalised text: a word begins with the spaces before it.
fn split<'a>(text: &'a str, mut take: impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    let mut after_space = true;
    while at < bytes.len() {
        let space = bytes[at] == 0xE2 && bytes[at..].starts_with("▁".as_bytes());
        if space && !after_space {
            take(&text[start..at]);
            start = at;
        }
        after_space = space;
        at += if space { 3 } else { 1 };
    }
    if start < bytes.len() {
        take(&text[start..]);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let shown = if digit <= three.len() { DIGITS[(word >> (18 - 6 * digit) & 63) as usize] } else { b'=' };
            out.push(shown as char);
        }
    }
    out
}

/// One more than the highest id of a model file.
pub(super) fn vocab(source: &[u8]) -> Result<usize, String> {
    Ok(Model::read(source)?.pieces.len())
}
