//! Corpora, tokenizers, shards, order, batches. No tensors: the last step to the device is the training room's.

mod cache;
mod spec;

pub use cache::cache_folder;
pub use spec::{CorpusConfig, DataConfig, DataSpec, TokenizerConfig};

use crate::settings::Result;
use std::{path::Path, sync::Arc};

/// Tokens of a corpus, ready to be read: training tokens by index, validation tokens with their bytes.
#[derive(Clone, Debug)]
pub struct Dataset {
    inner: Arc<()>,
}

/// Validation tokens: the same text for every tokenizer, every token scored once.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Documents one after the other, each opened by the beginning-of-sequence token.
    pub tokens: Vec<u32>,
    /// Bytes of the text behind `tokens`, special tokens not counted.
    pub bytes: u64,
}

/// Told what a long preparation is doing: a phase, how far it is, and the whole.
pub type Progress<'a> = &'a dyn Fn(&str, u64, u64);

impl Dataset {
    /// Reads, splits and tokenises a corpus, or opens the shards that an earlier call left in `cache`.
    ///
    /// # Errors
    ///
    /// A missing, altered, empty, too short or undecodable corpus; an unreadable tokenizer; an unwritable cache.
    pub fn prepare(spec: &DataSpec, cache: &Path, progress: Progress<'_>) -> Result<Self> {
        let _ = (spec, cache, progress);
        todo!()
    }

    /// Tokens for training.
    pub fn train_tokens(&self) -> usize {
        let _ = &self.inner;
        todo!()
    }

    /// Sequence `index` of the endless training order of `seed`: `context + 1` tokens, a pure function of the arguments.
    ///
    /// An epoch visits every window of `context` tokens once, in an order drawn from (seed, epoch).
    pub fn sequence(&self, seed: u64, index: u64, context: usize) -> Vec<u32> {
        let _ = (seed, index, context);
        todo!()
    }

    /// The validation text.
    pub fn validation(&self) -> &Validation {
        todo!()
    }

    /// The tokenizer of the shards.
    pub fn tokenizer(&self) -> &Tokenizer {
        todo!()
    }

    /// Checks that one sequence of `context` + 1 tokens exists.
    ///
    /// # Errors
    ///
    /// A corpus shorter than that.
    pub fn require_context(&self, context: usize) -> Result<()> {
        let _ = context;
        todo!()
    }
}

/// Text to ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Arc<()>,
}

impl Tokenizer {
    /// Reads a tokenizer from the folder that [`Tokenizer::save`] wrote.
    ///
    /// # Errors
    ///
    /// A missing or broken file.
    pub fn load(folder: &Path) -> Result<Self> {
        let _ = folder;
        todo!()
    }

    /// Writes the tokenizer beside a checkpoint.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let _ = (folder, &self.inner);
        todo!()
    }

    /// Ids of a text, without special tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let _ = text;
        todo!()
    }

    /// Text of ids; bytes that are no UTF-8 become U+FFFD, special tokens vanish.
    pub fn decode(&self, ids: &[u32]) -> String {
        let _ = ids;
        todo!()
    }

    /// The token that opens every document.
    pub fn bos(&self) -> u32 {
        todo!()
    }
}
