//! Text to ids and back.
//!
//! Our own tokenizers share one layout: `<unk>` 0, `<s>` 1, `</s>` 2, the 256 bytes 3 to 258, then pieces. Every text
//! can be encoded, because what has no piece is spelled in bytes, and `decode(encode(text)) == text`.
//!
//! Tokenizers of others are read from `tokenizer.json` of the `tokenizers` library, `.model` of SentencePiece, and files of
//! ranks of tiktoken; which of them a file is, its content tells.

mod bpe;
mod byte_level;
mod compare;
mod hash;
mod imported;
mod inspect;
mod json;
mod merges;
mod pieces;
mod scripts;
mod seen;
mod sentencepiece;
mod trainer;
mod trie;
mod unigram;
mod words;

pub use byte_level::Pattern;
pub use compare::{ClassMeasure, Measure, SourceMeasure, compare};
pub use inspect::{Inspection, Shown};
pub use trainer::{ModelType, Trainer, TrainerConfig};

pub(super) use imported::vocab_of_file;
pub(super) use pieces::FIRST_PIECE;

use super::{TokenizerConfig, cache, corpus::Document};
use crate::settings::{Error, Result};
use bpe::Bpe;
use byte_level::ByteLevel;
use imported::{Format, Imported};
use pieces::{Characters, Pieces};
use rayon::prelude::*;
use seen::Seen;
use sentencepiece::SentencePiece;
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};
use unigram::Unigram;
use words::Cutting;

/// Text to ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    Bytes(Pieces),
    Characters(Characters),
    Bpe(Box<Bpe>),
    Unigram(Unigram),
    ByteLevel(Box<ByteLevel>),
    SentencePiece(Box<SentencePiece>),
    /// A file of ranks, and its content.
    Ranks(Box<ByteLevel>, Vec<u8>),
    Imported(Box<Imported>),
}

/// What the file `tokenizer.meta.json` beside the tokenizer says.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    characters: String,
    #[serde(default, skip_serializing_if = "usual")]
    cutting: Cutting,
}

fn usual(cutting: &Cutting) -> bool {
    *cutting == Cutting::default()
}

const FORMAT: u32 = 1;
const META: &str = "tokenizer.meta.json";
const JSON: &str = "tokenizer.json";
const MODEL: &str = "tokenizer.model";
const RANKS: &str = "tokenizer.tiktoken";

/// Bytes of text that a tokenizer is trained on before a run.
const SAMPLE: u64 = 8 << 20;

/// Encodes texts one after another, remembering words: the way to encode many.
#[derive(Debug)]
pub struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    seen: Seen,
}

impl Encoder<'_> {
    /// Appends the ids of a text, without special tokens: those of [`Tokenizer::encode`].
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) {
        let seen = &mut self.seen;
        match &*self.tokenizer.inner {
            Inner::Bytes(_) => Pieces::spell(text.as_bytes(), ids),
            Inner::Characters(characters) => characters.encode(text, ids),
            Inner::Bpe(bpe) => bpe.encode(text, seen, ids),
            Inner::Unigram(unigram) => unigram.encode(text, seen, ids),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => levels.encode(text, seen, ids),
            Inner::SentencePiece(model) => model.encode(text, seen, ids),
            Inner::Imported(imported) => imported.encode(text, seen, ids),
        }
    }
}

impl Tokenizer {
    /// Trains or reads a tokenizer. Training looks at the first 8 MB of `documents`, whose order is already random.
    ///
    /// # Errors
    ///
    /// An unreadable file.
    pub(super) fn create(config: &TokenizerConfig, documents: &[Document]) -> Result<Self> {
        let train_with = |model_type: ModelType, vocab: usize, pattern: Pattern| {
            let config = TrainerConfig { model_type, vocab_size: vocab, pattern, sample_bytes: SAMPLE, ..TrainerConfig::default() };
            let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
            Self::train(&config, &texts)
        };
        let train = |model_type: ModelType, vocab: usize| train_with(model_type, vocab, Pattern::default());
        match config {
            TokenizerConfig::Unigram { vocab } => train(ModelType::Unigram, *vocab),
            TokenizerConfig::ByteLevel { vocab, pattern } => train_with(ModelType::ByteLevel, *vocab, *pattern),
            TokenizerConfig::Bytes {} => Ok(Self::from(Inner::Bytes(Pieces::default()))),
            TokenizerConfig::Characters { vocab } => train(ModelType::Characters, *vocab),
            TokenizerConfig::Bpe { vocab } => train(ModelType::Bpe, *vocab),
            TokenizerConfig::File { path } => Self::read(Path::new(path)),
            TokenizerConfig::None {} => Err(Error::input("data.tokenizer", "text needs a tokenizer", "only a synthetic corpus has none")),
        }
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
            "bpe" => Inner::Bpe(Box::new(Bpe::read(&folder.join(JSON), meta.cutting)?)),
            "unigram" => Inner::Unigram(Unigram::read(&folder.join(JSON), meta.cutting)?),
            "byte_level" => Inner::ByteLevel(Box::new(ByteLevel::read(&folder.join(JSON))?)),
            "sentencepiece" => return Self::read(&folder.join(MODEL)),
            "tiktoken" => return Self::read(&folder.join(RANKS)),
            "file" => Inner::Imported(Box::new(Imported::read(&folder.join(JSON))?)),
            other => return Err(broken(format!("unknown kind {other}"))),
        }))
    }

    /// Writes the tokenizer beside a checkpoint: `tokenizer.meta.json`, and `tokenizer.json` in the format of the
    /// `tokenizers` library for `bpe`, `unigram`, `byte_level` and `file`, or else the `tokenizer.model` or `tokenizer.tiktoken`
    /// that was read.
    ///
    /// That library gives the same ids for what was trained, but for text with U+2581, which it takes for a space.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn save(&self, folder: &Path) -> Result<()> {
        cache::create_folder(folder)?;
        let write = |name: &str, content: &[u8]| cache::write_whole(&folder.join(name), content);
        let mut meta = Meta { format: FORMAT, kind: self.kind().into(), characters: String::new(), cutting: Cutting::default() };
        match &*self.inner {
            Inner::Bytes(_) => {}
            Inner::Characters(characters) => meta.characters = characters.alphabet(),
            Inner::SentencePiece(model) => write(MODEL, model.source())?,
            Inner::Ranks(_, source) => write(RANKS, source)?,
            Inner::Bpe(_) | Inner::Unigram(_) | Inner::ByteLevel(_) | Inner::Imported(_) => write(JSON, self.to_json().as_bytes())?,
        }
        match &*self.inner {
            Inner::Bpe(bpe) => meta.cutting = bpe.cutting(),
            Inner::Unigram(unigram) => meta.cutting = unigram.cutting(),
            _ => {}
        }
        write(META, serde_json::to_string_pretty(&meta).expect("plain data").as_bytes())
    }

    /// Reads a tokenizer that somebody else made: a `tokenizer.json` of the `tokenizers` library, a `.model` of SentencePiece
    /// (BPE or unigram), or a file of ranks of tiktoken.
    ///
    /// # Errors
    ///
    /// A file that is missing or broken, or has no token that opens documents.
    pub fn read(path: &Path) -> Result<Self> {
        let source = std::fs::read(path).map_err(Error::io("read", path))?;
        Ok(Self::from(match Format::of(&source) {
            Format::Ranks => Inner::Ranks(Box::new(ByteLevel::from_ranks(&source, path)?), source),
            Format::SentencePiece => Inner::SentencePiece(Box::new(SentencePiece::read(source, path)?)),
            Format::Json => {
                let help = "name a tokenizer.json of the `tokenizers` library";
                let text = String::from_utf8(source).map_err(|_| Error::input(path.display(), "not a tokenizer: not UTF-8", help))?;
                Inner::Imported(Box::new(Imported::of(text, path)?))
            }
        }))
    }

    /// What it is: `bytes`, `characters`, `bpe`, `unigram`, `byte_level`, `sentencepiece`, `tiktoken`, or `file` for a
    /// `tokenizer.json`.
    pub fn kind(&self) -> &'static str {
        match &*self.inner {
            Inner::Bytes(_) => "bytes",
            Inner::Characters(_) => "characters",
            Inner::Bpe(_) => "bpe",
            Inner::Unigram(_) => "unigram",
            Inner::ByteLevel(_) => "byte_level",
            Inner::SentencePiece(_) => "sentencepiece",
            Inner::Ranks(..) => "tiktoken",
            Inner::Imported(_) => "file",
        }
    }

    /// The tokenizer as a `tokenizer.json` of the `tokenizers` library, which gives the same ids, but for text with U+2581
    /// where spaces are written so.
    pub fn to_json(&self) -> String {
        match &*self.inner {
            Inner::Bytes(pieces) => json::plain(pieces.texts()),
            Inner::Characters(characters) => json::plain(characters.pieces().texts()),
            Inner::Bpe(bpe) => bpe.to_json(),
            Inner::Unigram(unigram) => unigram.to_json(),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => levels.to_json(),
            Inner::SentencePiece(model) => model.to_json(),
            Inner::Imported(imported) => imported.source().to_string(),
        }
    }

    /// An encoder that remembers words; each thread has its own.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder { tokenizer: self, seen: Seen::default() }
    }

    /// Ids of a text, without special tokens. For many texts, [`Tokenizer::encoder`] is faster.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.encoder().encode(text, &mut ids);
        ids
    }

    /// Ids of a text in which special tokens may be written out, as chat templates do. Tokenizers of our own layout, and those
    /// of SentencePiece, take them for text.
    pub fn encode_marked(&self, text: &str) -> Vec<u32> {
        match &*self.inner {
            Inner::Imported(imported) => imported.encode_marked(text),
            Inner::Ranks(levels, _) => {
                let mut ids = Vec::new();
                levels.encode_marked(text, &mut ids);
                ids
            }
            _ => self.encode(text),
        }
    }

    /// The id of a token by its name in the vocabulary, such as `<|im_end|>`; special tokens only in our own layout.
    pub fn id_of(&self, name: &str) -> Option<u32> {
        match &*self.inner {
            Inner::Imported(imported) => imported.id_of(name),
            Inner::SentencePiece(model) => model.id_of(name),
            Inner::Ranks(levels, _) => levels.id_of(name),
            _ => pieces::special(name),
        }
    }

    /// Ids of many texts, in parallel, in order: those of [`Tokenizer::encode`].
    pub fn encode_many<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Vec<u32>> {
        self.encode_each(texts, |text| text.as_ref(), &|_| ())
    }

    /// [`Tokenizer::encode_many`] of documents. `done` is told the bytes of each finished text.
    pub(super) fn encode_all(&self, documents: &[Document], done: &(dyn Fn(u64) + Sync)) -> Vec<Vec<u32>> {
        self.encode_each(documents, |document| &document.text, done)
    }

    fn encode_each<T: Sync>(&self, items: &[T], text: impl Fn(&T) -> &str + Sync, done: &(dyn Fn(u64) + Sync)) -> Vec<Vec<u32>> {
        // What is remembered is handed from job to job.
        let pool: Mutex<Vec<Seen>> = Mutex::default();
        let chunk = |items: &[T]| -> Vec<Vec<u32>> {
            let seen = pool.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default();
            let mut encoder = Encoder { tokenizer: self, seen };
            let encoded = items.iter().map(|item| {
                let text = text(item);
                let mut ids = Vec::with_capacity(text.len() / 3);
                encoder.encode(text, &mut ids);
                done(text.len() as u64);
                ids
            });
            let encoded = encoded.collect();
            if let Ok(mut pool) = pool.lock() {
                pool.push(encoder.seen);
            }
            encoded
        };
        let chunks: Vec<Vec<Vec<u32>>> = items.par_chunks(32).map(chunk).collect();
        chunks.into_iter().flatten().collect()
    }

    /// Text of ids; bytes that are no UTF-8 become U+FFFD, special tokens vanish.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &*self.inner {
            Inner::Imported(imported) => imported.decode(ids),
            _ => String::from_utf8_lossy(&self.decode_bytes(ids)).into_owned(),
        }
    }

    /// Ids of bytes that need not be text, one per byte; `None` for a tokenizer that does not know all bytes.
    pub fn encode_bytes(&self, bytes: &[u8]) -> Option<Vec<u32>> {
        let mut ids = Vec::with_capacity(bytes.len());
        match &*self.inner {
            Inner::Imported(_) => return None,
            Inner::SentencePiece(model) => return model.spell(bytes),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => levels.spell(bytes, &mut ids),
            _ => Pieces::spell(bytes, &mut ids),
        }
        Some(ids)
    }

    /// Bytes of ids; special tokens vanish.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        match &*self.inner {
            Inner::Bytes(pieces) => pieces.decode(ids),
            Inner::Characters(characters) => characters.pieces().decode(ids),
            Inner::Bpe(bpe) => bpe.decode(ids),
            Inner::Unigram(unigram) => unigram.decode(ids),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => levels.decode(ids),
            Inner::SentencePiece(model) => model.decode(ids),
            Inner::Imported(imported) => imported.decode(ids).into_bytes(),
        }
    }

    /// The bytes that one id stands for where it is not the first; none for special tokens.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let own = |pieces: &Pieces| pieces.decode(&[id]);
        match &*self.inner {
            Inner::Bytes(pieces) => own(pieces),
            Inner::Characters(characters) => own(characters.pieces()),
            Inner::Bpe(bpe) => own(bpe.pieces()),
            Inner::Unigram(unigram) => own(unigram.pieces()),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => levels.bytes_of(id).to_vec(),
            Inner::SentencePiece(model) => model.bytes_of(id).to_vec(),
            Inner::Imported(imported) => imported.bytes_of(id),
        }
    }

    /// Whether an id spells a byte of what has no piece; for byte-level tokenizers, whether it is no whole characters.
    pub fn is_fallback(&self, id: u32) -> bool {
        match &*self.inner {
            Inner::SentencePiece(model) => model.is_byte(id),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => std::str::from_utf8(levels.bytes_of(id)).is_err(),
            Inner::Imported(imported) => imported.is_byte(id) || std::str::from_utf8(&imported.bytes_of(id)).is_err(),
            _ => (pieces::FIRST_BYTE..FIRST_PIECE as u32).contains(&id),
        }
    }

    /// Special tokens with their ids.
    pub fn special(&self) -> Vec<(String, u32)> {
        match &*self.inner {
            Inner::SentencePiece(model) => model.special().map(|(name, id)| (name.to_string(), id)).collect(),
            Inner::Ranks(levels, _) => levels.special().to_vec(),
            Inner::Imported(imported) => imported.special(),
            _ => pieces::SPECIAL.iter().zip(0..).map(|(name, id)| (name.to_string(), id)).collect(),
        }
    }

    /// The token that opens every document.
    pub fn bos(&self) -> u32 {
        match &*self.inner {
            Inner::Imported(imported) => imported.bos(),
            Inner::SentencePiece(model) => model.bos(),
            Inner::Ranks(levels, _) => levels.bos(),
            _ => pieces::BOS,
        }
    }

    /// One more than the highest id.
    pub fn vocab(&self) -> usize {
        match &*self.inner {
            Inner::Bytes(pieces) => pieces.vocab(),
            Inner::Characters(characters) => characters.pieces().vocab(),
            Inner::Bpe(bpe) => bpe.pieces().vocab(),
            Inner::Unigram(unigram) => unigram.pieces().vocab(),
            Inner::ByteLevel(levels) | Inner::Ranks(levels, _) => levels.vocab(),
            Inner::SentencePiece(model) => model.vocab(),
            Inner::Imported(imported) => imported.vocab(),
        }
    }
}

impl From<Inner> for Tokenizer {
    fn from(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

#[cfg(test)]
mod against;
#[cfg(test)]
mod tests;
