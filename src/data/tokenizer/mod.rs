//! Text to ids and back.
//!
//! Our own tokenizers share one layout: `<unk>` 0, `<s>` 1, `</s>` 2, the 256 bytes 3 to 258, then pieces. Every text
//! can be encoded, because what has no piece is spelled in bytes, and `decode(encode(text)) == text`.

mod bpe;
mod hash;
mod imported;
mod json;
mod pieces;
mod train;
mod words;

pub(super) use imported::vocab_of_file;
pub(super) use pieces::FIRST_PIECE;

use super::{TokenizerConfig, cache, corpus::Document};
use crate::settings::{Error, Result};
use bpe::Bpe;
use imported::Imported;
use pieces::{Characters, Pieces};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

/// Text to ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    Bytes(Pieces),
    Characters(Characters),
    Bpe(Bpe),
    Imported(Box<Imported>),
}

/// What the file `tokenizer.meta.json` beside `tokenizer.json` says.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    characters: String,
}

const FORMAT: u32 = 1;
const META: &str = "tokenizer.meta.json";
const JSON: &str = "tokenizer.json";

impl Tokenizer {
    /// Trains or reads a tokenizer. Training looks at the first 8 MB of `documents`, whose order is already random.
    ///
    /// # Errors
    ///
    /// An unreadable file.
    pub(super) fn create(config: &TokenizerConfig, documents: &[Document]) -> Result<Self> {
        Ok(Self::from(match config {
            TokenizerConfig::Bytes {} => Inner::Bytes(Pieces::default()),
            TokenizerConfig::Characters { vocab } => Inner::Characters(train::characters(documents, *vocab)),
            TokenizerConfig::Bpe { vocab } => Inner::Bpe(train::bpe(documents, *vocab)),
            TokenizerConfig::File { path } => Inner::Imported(Box::new(Imported::read(Path::new(path))?)),
            TokenizerConfig::None {} => {
                return Err(Error::input("data.tokenizer", "text needs a tokenizer", "only a synthetic corpus has none"));
            }
        }))
    }

    /// Reads a tokenizer from the folder that [`Tokenizer::save`] wrote.
    ///
    /// # Errors
    ///
    /// A missing or broken file.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(META);
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let broken = |message: String| Error::input(path.display(), message, "write the folder again: train, or prepare the data");
        let meta: Meta = serde_json::from_slice(&bytes).map_err(|error| broken(format!("not a tokenizer: {error}")))?;
        if meta.format != FORMAT {
            return Err(broken(format!("format {} is not the format {FORMAT} of this version", meta.format)));
        }
        Ok(Self::from(match meta.kind.as_str() {
            "bytes" => Inner::Bytes(Pieces::default()),
            "characters" => Inner::Characters(Characters::new(meta.characters.chars())),
            "bpe" => Inner::Bpe(Bpe::read(&folder.join(JSON))?),
            "file" => Inner::Imported(Box::new(Imported::read(&folder.join(JSON))?)),
            other => return Err(broken(format!("unknown kind {other}"))),
        }))
    }

    /// Writes the tokenizer beside a checkpoint: `tokenizer.meta.json`, and `tokenizer.json` in the format of the
    /// `tokenizers` library for `bpe` and `file`.
    ///
    /// That library gives the same ids for a `bpe` tokenizer, but for text with U+2581, which it takes for a space.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn save(&self, folder: &Path) -> Result<()> {
        cache::create_folder(folder)?;
        let (kind, json, characters) = match &*self.inner {
            Inner::Bytes(_) => ("bytes", None, String::new()),
            Inner::Characters(characters) => ("characters", None, characters.alphabet()),
            Inner::Bpe(bpe) => ("bpe", Some(bpe.to_json()), String::new()),
            Inner::Imported(imported) => ("file", Some(imported.source().to_string()), String::new()),
        };
        if let Some(json) = json {
            cache::write_whole(&folder.join(JSON), json.as_bytes())?;
        }
        let meta = Meta { format: FORMAT, kind: kind.into(), characters };
        let text = serde_json::to_string_pretty(&meta).expect("plain data");
        cache::write_whole(&folder.join(META), text.as_bytes())
    }

    /// Reads a `tokenizer.json` of the `tokenizers` library.
    ///
    /// # Errors
    ///
    /// A file that is missing or broken, or has no token that opens documents.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self::from(Inner::Imported(Box::new(Imported::read(path)?))))
    }

    /// The tokenizer as a `tokenizer.json` of the `tokenizers` library, which gives the same ids, but for text with U+2581
    /// where spaces are written so.
    pub fn to_json(&self) -> String {
        match &*self.inner {
            Inner::Bytes(pieces) => json::json(pieces.texts(), &[], &json::Words::Plain),
            Inner::Characters(characters) => json::json(characters.pieces().texts(), &[], &json::Words::Plain),
            Inner::Bpe(bpe) => bpe.to_json(),
            Inner::Imported(imported) => imported.source().to_string(),
        }
    }

    /// Ids of a text, without special tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        match &*self.inner {
            Inner::Bytes(_) => Pieces::spell(text.as_bytes(), &mut ids),
            Inner::Characters(characters) => characters.encode(text, &mut ids),
            Inner::Bpe(bpe) => bpe.encode(text, &mut bpe::Cache::default(), &mut ids),
            Inner::Imported(imported) => ids = imported.encode(text),
        }
        ids
    }

    /// Ids of a text in which special tokens may be written out, as chat templates do. Tokenizers of our own layout take them
    /// for text.
    pub fn encode_marked(&self, text: &str) -> Vec<u32> {
        match &*self.inner {
            Inner::Imported(imported) => imported.encode_marked(text),
            _ => self.encode(text),
        }
    }

    /// The id of a token by its name in the vocabulary, such as `<|im_end|>`; special tokens only in our own layout.
    pub fn id_of(&self, name: &str) -> Option<u32> {
        match &*self.inner {
            Inner::Imported(imported) => imported.id_of(name),
            _ => pieces::special(name),
        }
    }

    /// Ids of many texts, in parallel, in order. Words seen before are looked up: the ids are those of
    /// [`Tokenizer::encode`]. `done` is told the bytes of each finished text.
    pub(super) fn encode_all(&self, documents: &[Document], done: &(dyn Fn(u64) + Sync)) -> Vec<Vec<u32>> {
        let Inner::Bpe(bpe) = &*self.inner else {
            return documents.par_iter().map(|document| finish(self.encode(&document.text), document, done)).collect();
        };
        // Word caches are handed from job to job; they only hold what encoding would give, so their history does not matter.
        let caches: Mutex<Vec<bpe::Cache>> = Mutex::default();
        let chunks: Vec<Vec<Vec<u32>>> = documents
            .par_chunks(32)
            .map(|chunk| {
                let mut cache = caches.lock().ok().and_then(|mut caches| caches.pop()).unwrap_or_default();
                let encoded = chunk.iter().map(|document| {
                    let mut ids = Vec::with_capacity(document.text.len() / 3);
                    bpe.encode(&document.text, &mut cache, &mut ids);
                    finish(ids, document, done)
                });
                let encoded = encoded.collect();
                if let Ok(mut caches) = caches.lock() {
                    caches.push(cache);
                }
                encoded
            })
            .collect();
        chunks.into_iter().flatten().collect()
    }

    /// Text of ids; bytes that are no UTF-8 become U+FFFD, special tokens vanish.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &*self.inner {
            Inner::Imported(imported) => imported.decode(ids),
            _ => String::from_utf8_lossy(&self.decode_bytes(ids)).into_owned(),
        }
    }

    /// Ids of bytes that need not be text: one per byte for tokenizers of our own layout, `None` for an imported one.
    pub fn encode_bytes(&self, bytes: &[u8]) -> Option<Vec<u32>> {
        let Inner::Imported(_) = &*self.inner else {
            let mut ids = Vec::with_capacity(bytes.len());
            Pieces::spell(bytes, &mut ids);
            return Some(ids);
        };
        None
    }

    /// Bytes of ids; special tokens vanish.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        match &*self.inner {
            Inner::Bytes(pieces) => pieces.decode(ids),
            Inner::Characters(characters) => characters.pieces().decode(ids),
            Inner::Bpe(bpe) => bpe.decode(ids),
            Inner::Imported(imported) => imported.decode(ids).into_bytes(),
        }
    }

    /// The token that opens every document.
    pub fn bos(&self) -> u32 {
        match &*self.inner {
            Inner::Imported(imported) => imported.bos(),
            _ => pieces::BOS,
        }
    }

    /// One more than the highest id.
    pub fn vocab(&self) -> usize {
        match &*self.inner {
            Inner::Bytes(pieces) => pieces.vocab(),
            Inner::Characters(characters) => characters.pieces().vocab(),
            Inner::Bpe(bpe) => bpe.vocab(),
            Inner::Imported(imported) => imported.vocab(),
        }
    }
}

fn finish(ids: Vec<u32>, document: &Document, done: &(dyn Fn(u64) + Sync)) -> Vec<u32> {
    done(document.text.len() as u64);
    ids
}

impl From<Inner> for Tokenizer {
    fn from(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

#[cfg(test)]
mod tests;
