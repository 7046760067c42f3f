//! Data as written and as resolved.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Data as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Where the text comes from.
    pub corpus: CorpusConfig,
    /// Text to ids.
    pub tokenizer: TokenizerConfig,
    /// Use at most so many bytes of training text, whole documents; all by default.
    pub train_bytes: Option<u64>,
    /// Bytes of validation text, whole documents; 262,144 by default.
    pub validation_bytes: Option<u64>,
}

/// Where the text comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CorpusConfig {
    /// Sources and docs of the crates that this build has put in Cargo's local cache: tens of MB of Rust and English.
    Crates {},
    /// Files of text: paths, globs or folders, relative to the file that names them.
    Text {
        /// Paths, globs or folders.
        paths: Vec<String>,
    },
    /// Files with one JSON object per line.
    Jsonl {
        /// Paths, globs or folders; `.gz` and `.zst` are unpacked.
        paths: Vec<String>,
        /// The field that holds the text.
        #[serde(default = "text")]
        field: String,
    },
}

fn text() -> String {
    "text".into()
}

impl Default for CorpusConfig {
    fn default() -> Self {
        Self::Crates {}
    }
}

/// Text to ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenizerConfig {
    /// Byte-pair encoding with LLaMA's trainer settings: byte fallback, split digits, pieces of at most 16 characters.
    Bpe {
        /// Vocabulary, special and byte tokens included.
        vocab: usize,
    },
    /// One token per byte.
    Bytes {},
    /// One token per character: the most frequent ones of the training text, all others as bytes.
    Characters {
        /// Vocabulary, special and byte tokens included.
        vocab: usize,
    },
    /// A `tokenizer.json` of the `tokenizers` library.
    File {
        /// Path, relative to the file that names it.
        path: String,
    },
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self::Bpe { vocab: 4096 }
    }
}

/// Data as resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Where the text comes from, paths absolute.
    pub corpus: CorpusConfig,
    /// Text to ids.
    pub tokenizer: TokenizerConfig,
    /// Vocabulary of the tokenizer.
    pub vocab: usize,
    /// Limit on training text.
    pub train_bytes: Option<u64>,
    /// Validation text.
    pub validation_bytes: u64,
    /// SHA-256 of the content of the corpus and of the tokenizer file, if there is one.
    pub fingerprint: String,
}

impl DataConfig {
    /// Fills sizes and fingerprints; reads file contents at most once per change (size, modification time).
    ///
    /// # Errors
    ///
    /// Missing files, vocabularies too small; keys start with `data.`.
    pub fn resolve(&self) -> Result<DataSpec, Vec<Problem>> {
        todo!()
    }
}
