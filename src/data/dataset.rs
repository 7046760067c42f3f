//! Tokens by index, in an order that is a pure function.

use super::{
    DataSpec, Progress, Tokenizer,
    order::Permutation,
    prepare::{Opened, open_or_make},
};
use crate::settings::{Error, Result};
use std::{path::Path, sync::Arc};

/// Tokens of a corpus, ready to be read: training tokens by index, validation tokens with their bytes.
#[derive(Clone, Debug)]
pub struct Dataset {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    opened: Opened,
    validation: Validation,
}

/// Validation tokens: the same text for every tokenizer, every token scored once.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Documents one after the other, each opened by the beginning-of-sequence token.
    pub tokens: Vec<u32>,
    /// Bytes of the text behind `tokens`, special tokens not counted.
    pub bytes: u64,
}

/// How much a part of a dataset holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Extent {
    /// Documents.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Tokens, those that open documents included.
    pub tokens: u64,
}

impl Dataset {
    /// Reads, splits and tokenises a corpus, or opens the shards that an earlier call left in `cache`.
    ///
    /// Processes that prepare the same data at the same time wait for the first of them.
    ///
    /// # Errors
    ///
    /// A missing, altered, empty, too short or undecodable corpus; an unreadable tokenizer; an unwritable cache.
    pub fn prepare(spec: &DataSpec, cache: &Path, progress: Progress<'_>) -> Result<Self> {
        let opened = open_or_make(spec, cache, progress)?;
        let tokens = opened.validation.read(0, opened.validation.tokens());
        let validation = Validation { tokens, bytes: opened.manifest.validation.bytes };
        Ok(Self { inner: Arc::new(Inner { opened, validation }) })
    }

    /// Tokens for training.
    pub fn train_tokens(&self) -> usize {
        self.inner.opened.train.tokens()
    }

    /// Sequence `index` of the endless training order of `seed`: `context + 1` tokens, a pure function of the arguments.
    ///
    /// An epoch visits every window of `context` tokens once, in an order drawn from (seed, epoch). The last token of a
    /// window is only a target; it is the first of the window behind it.
    ///
    /// # Panics
    ///
    /// If there is no such sequence: see [`Dataset::require_context`].
    pub fn sequence(&self, seed: u64, index: u64, context: usize) -> Vec<u32> {
        let windows = (self.train_tokens().saturating_sub(1) / context) as u64;
        assert!(windows > 0, "require_context was not asked");
        let window = Permutation::new(seed, index / windows, windows).at(index % windows);
        self.inner.opened.train.read(window as usize * context, context + 1)
    }

    /// The validation text.
    pub fn validation(&self) -> &Validation {
        &self.inner.validation
    }

    /// The tokenizer of the shards.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.inner.opened.tokenizer
    }

    /// How much the training and the validation part hold.
    pub fn extents(&self) -> (Extent, Extent) {
        let manifest = &self.inner.opened.manifest;
        let extent = |part: &super::shards::Part| Extent { documents: part.documents, bytes: part.bytes, tokens: part.tokens };
        (extent(&manifest.train), extent(&manifest.validation))
    }

    /// Checks that one sequence of `context` + 1 tokens exists.
    ///
    /// # Errors
    ///
    /// A corpus shorter than that, or no context at all.
    pub fn require_context(&self, context: usize) -> Result<()> {
        let tokens = self.train_tokens();
        if context > 0 && tokens > context {
            return Ok(());
        }
        let message = format!("the training text has {tokens} tokens, fewer than one sequence of {context} + 1");
        Err(Error::input("data.corpus", message, "name more text, or set a smaller model.context"))
    }
}
