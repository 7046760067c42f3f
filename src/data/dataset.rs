//! Tokens by index, in an order that is a pure function.

use super::{
    Batches, CorpusConfig, DataSpec, Progress, Tokenizer,
    order::Permutation,
    prepare::{Opened, open_or_make},
    synthetic::Synthetic,
};
use crate::settings::{Error, Result};
use std::{path::Path, sync::Arc};

/// What is trained on, ready to be read: tokens of text by index, validation tokens with their bytes; or the instances of a
/// synthetic task.
#[derive(Clone, Debug)]
pub struct Dataset {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    Text { opened: Box<Opened>, validation: Validation },
    Synthetic(Synthetic),
    Batches(Batches),
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
    /// Reads, splits and tokenises a corpus, or opens the shards that an earlier call left in `cache`. A synthetic corpus has
    /// nothing to prepare.
    ///
    /// Processes that prepare the same data at the same time wait for the first of them.
    ///
    /// # Errors
    ///
    /// A missing, altered, empty, too short or undecodable corpus; an unreadable tokenizer; an unwritable cache; a synthetic
    /// corpus of another version of its generators.
    pub fn prepare(spec: &DataSpec, cache: &Path, progress: Progress<'_>) -> Result<Self> {
        let inner = match &spec.corpus {
            CorpusConfig::Synthetic(config) if config.fingerprint() != spec.fingerprint => {
                let message = "the generators of synthetic tasks have changed since this run was planned";
                return Err(Error::input("data.corpus", message, "plan again, or use the version that planned it"));
            }
            CorpusConfig::Synthetic(config) => Inner::Synthetic(Synthetic::new(config)),
            CorpusConfig::Batches { path } => Inner::Batches(Batches::read(Path::new(path))?),
            _ => {
                let opened = open_or_make(spec, cache, progress)?;
                let tokens = opened.validation.read(0, opened.validation.tokens());
                let validation = Validation { tokens, bytes: opened.manifest.validation.bytes };
                Inner::Text { opened: Box::new(opened), validation }
            }
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The instances of a synthetic corpus; none of text, which all other functions are about.
    pub fn synthetic(&self) -> Option<&Synthetic> {
        match &*self.inner {
            Inner::Synthetic(synthetic) => Some(synthetic),
            Inner::Text { .. } | Inner::Batches(_) => None,
        }
    }

    /// Batches that were given; none of all else.
    pub fn batches(&self) -> Option<&Batches> {
        match &*self.inner {
            Inner::Batches(batches) => Some(batches),
            Inner::Text { .. } | Inner::Synthetic(_) => None,
        }
    }

    /// Whether there is text, with a tokenizer and a part for validation.
    pub fn has_text(&self) -> bool {
        matches!(&*self.inner, Inner::Text { .. })
    }

    fn opened(&self) -> &Opened {
        match &*self.inner {
            Inner::Text { opened, .. } => opened,
            Inner::Synthetic(_) | Inner::Batches(_) => panic!("there is no text"),
        }
    }

    /// Tokens for training.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn train_tokens(&self) -> usize {
        self.opened().train.tokens()
    }

    /// Sequence `index` of the endless training order of `seed`: `context + 1` tokens, a pure function of the arguments.
    ///
    /// An epoch visits every window of `context` tokens once, in an order drawn from (seed, epoch). The last token of a
    /// window is only a target; it is the first of the window behind it.
    ///
    /// # Panics
    ///
    /// If there is no such sequence: see [`Dataset::require_context`]. On a synthetic corpus.
    pub fn sequence(&self, seed: u64, index: u64, context: usize) -> Vec<u32> {
        if let Inner::Batches(batches) = &*self.inner {
            return batches.row(index).to_vec();
        }
        let windows = (self.train_tokens().saturating_sub(1) / context) as u64;
        assert!(windows > 0, "require_context was not asked");
        let window = Permutation::new(seed, index / windows, windows).at(index % windows);
        self.opened().train.read(window as usize * context, context + 1)
    }

    /// The validation text.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn validation(&self) -> &Validation {
        match &*self.inner {
            Inner::Text { validation, .. } => validation,
            Inner::Synthetic(_) | Inner::Batches(_) => panic!("there is no text"),
        }
    }

    /// The tokenizer of the shards.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.opened().tokenizer
    }

    /// How much the training and the validation part hold.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn extents(&self) -> (Extent, Extent) {
        let manifest = &self.opened().manifest;
        let extent = |part: &super::shards::Part| Extent { documents: part.documents, bytes: part.bytes, tokens: part.tokens };
        (extent(&manifest.train), extent(&manifest.validation))
    }

    /// Checks that one sequence of `context` + 1 tokens exists; of a synthetic corpus, that an instance of `context` does.
    ///
    /// # Errors
    ///
    /// A corpus shorter than that, or no context at all.
    pub fn require_context(&self, context: usize) -> Result<()> {
        let tokens = match &*self.inner {
            Inner::Text { opened, .. } => opened.train.tokens(),
            // What an instance needs was checked with the specification, where the keys are known.
            Inner::Synthetic(_) => return Ok(()),
            Inner::Batches(batches) if batches.shape()[2] <= context + 1 => return Ok(()),
            Inner::Batches(batches) => {
                let message = format!("rows of {} tokens do not fit into a context of {context} and one more", batches.shape()[2]);
                return Err(Error::input("--batches", message, "cut the rows, or set a larger model.context"));
            }
        };
        if context > 0 && tokens > context {
            return Ok(());
        }
        let message = format!("the training text has {tokens} tokens, fewer than one sequence of {context} + 1");
        Err(Error::input("data.corpus", message, "name more text, or set a smaller model.context"))
    }
}
