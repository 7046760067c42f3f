//! Tokens by index, in an order that is a pure function.

use super::{
    Batches, CorpusConfig, DataSpec, Progress, Tokenizer,
    laid::{Laid, Row},
    order::Drawn,
    prepare::{Opened, open_or_make},
    synthetic::Synthetic,
};
use crate::settings::{Error, Result};
use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

/// What is trained on, ready to be read: tokens of text by index, validation tokens with their bytes; or the instances of a
/// synthetic task.
#[derive(Clone, Debug)]
pub struct Dataset {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    Text(Box<Text>),
    Synthetic(Synthetic),
    Batches(Batches),
}

#[derive(Debug)]
struct Text {
    spec: DataSpec,
    opened: Opened,
    /// Laid out when the first row is asked for: a run has one training context.
    laid: OnceLock<Laid>,
}

/// How often a run reads a source.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Epochs {
    /// Name of the source; empty where there is one.
    pub source: String,
    /// How much it holds.
    pub extent: Extent,
    /// Tokens that are read of it.
    pub tokens: u64,
    /// How often each of its tokens is read.
    pub epochs: f64,
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
                Inner::Text(Box::new(Text { spec: spec.clone(), opened, laid: OnceLock::new() }))
            }
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The instances of a synthetic corpus; none of text, which all other functions are about.
    pub fn synthetic(&self) -> Option<&Synthetic> {
        match &*self.inner {
            Inner::Synthetic(synthetic) => Some(synthetic),
            Inner::Text(_) | Inner::Batches(_) => None,
        }
    }

    /// Batches that were given; none of all else.
    pub fn batches(&self) -> Option<&Batches> {
        match &*self.inner {
            Inner::Batches(batches) => Some(batches),
            Inner::Text(_) | Inner::Synthetic(_) => None,
        }
    }

    /// Whether there is text, with a tokenizer and a part for validation.
    pub fn has_text(&self) -> bool {
        matches!(&*self.inner, Inner::Text(_))
    }

    fn text(&self) -> &Text {
        match &*self.inner {
            Inner::Text(text) => text,
            Inner::Synthetic(_) | Inner::Batches(_) => panic!("there is no text"),
        }
    }

    /// Tokens for training, of all sources.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn train_tokens(&self) -> usize {
        self.text().opened.sources.iter().map(|source| source.extent.tokens as usize).sum()
    }

    /// Row `index` of the endless training order of `seed`, a pure function of the arguments: of `context + 1` tokens, or packed.
    ///
    /// An epoch of a source visits each of its rows once, in an order drawn from (seed, source, epoch). The last token of a
    /// window is only a target; it is the first of the window behind it.
    ///
    /// # Panics
    ///
    /// If there is no such row: see [`Dataset::require_context`]. On a synthetic corpus.
    pub fn row(&self, seed: u64, index: u64, context: usize) -> Row {
        if let Inner::Batches(batches) = &*self.inner {
            return Row::Window(batches.row(index).to_vec());
        }
        let text = self.text();
        text.laid(context).read(&text.opened.sources, seed, text.drawn(seed, index, context))
    }

    /// Targets of row `index`, which is not read.
    ///
    /// # Panics
    ///
    /// As [`Dataset::row`].
    pub fn targets(&self, seed: u64, index: u64, context: usize) -> usize {
        match &*self.inner {
            Inner::Batches(batches) => batches.shape()[2] - 1,
            _ => {
                let text = self.text();
                text.laid(context).targets(&text.opened.sources, seed, text.drawn(seed, index, context))
            }
        }
    }

    /// How often `rows` rows of `context` tokens read each source.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn epochs(&self, rows: u64, context: usize) -> Vec<Epochs> {
        let text = self.text();
        let given = match &text.spec.corpus {
            CorpusConfig::Mixture(mixture) => mixture.order(0, context, &text.tokens()).given(rows),
            _ => vec![rows],
        };
        let of = |(number, (source, rows)): (usize, (&super::prepare::Source, u64))| {
            let all = text.laid(context).rows(number);
            let epochs = rows as f64 / all as f64;
            Epochs { source: source.name.clone(), extent: source.extent, tokens: rows * context as u64, epochs }
        };
        text.opened.sources.iter().zip(given).enumerate().map(of).collect()
    }

    /// Checks that a mixture has enough text for so many rows of `context` tokens.
    ///
    /// # Errors
    ///
    /// A source of a mixture would be read more often than `max_epochs` says.
    pub fn require_epochs(&self, rows: u64, context: usize) -> Result<()> {
        let Inner::Text(text) = &*self.inner else { return Ok(()) };
        let CorpusConfig::Mixture(mixture) = &text.spec.corpus else { return Ok(()) };
        let often = self.epochs(rows, context).into_iter().find(|source| source.epochs > mixture.max_epochs);
        often.map_or(Ok(()), |Epochs { source, epochs, extent, .. }| {
            let message = format!(
                "its {} tokens would be read {epochs:.2} times, more often than max_epochs = {}",
                extent.tokens, mixture.max_epochs
            );
            let help = "give it a smaller weight or more text, train for fewer steps, or raise data.corpus.max_epochs";
            Err(Error::input(format!("data.corpus.sources.{source}"), message, help))
        })
    }

    /// The validation text.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn validation(&self) -> &Validation {
        match &*self.inner {
            Inner::Text(text) => &text.opened.validation,
            Inner::Synthetic(_) | Inner::Batches(_) => panic!("there is no text"),
        }
    }

    /// The tokenizer of the shards.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.text().opened.tokenizer
    }

    /// How much the training and the validation part hold.
    ///
    /// # Panics
    ///
    /// On a synthetic corpus.
    pub fn extents(&self) -> (Extent, Extent) {
        let opened = &self.text().opened;
        let mut train = Extent { documents: 0, bytes: 0, tokens: 0 };
        for source in &opened.sources {
            train.documents += source.extent.documents;
            train.bytes += source.extent.bytes;
            train.tokens += source.extent.tokens;
        }
        (train, opened.held_out)
    }

    /// Checks that one sequence of `context` + 1 tokens exists; of a synthetic corpus, that an instance of `context` does.
    ///
    /// # Errors
    ///
    /// A corpus shorter than that, or no context at all.
    pub fn require_context(&self, context: usize) -> Result<()> {
        let tokens = match &*self.inner {
            Inner::Text(text) => {
                let shortest = text.opened.sources.iter().min_by_key(|source| source.extent.tokens).expect("there is a source");
                let longest = |source: &super::prepare::Source| source.files.iter().map(|file| file.ids.len()).max().unwrap_or_default();
                if text.spec.packing == super::Packing::Concatenate { longest(shortest) } else { usize::MAX }
            }
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

impl Text {
    fn tokens(&self) -> Vec<usize> {
        self.opened.sources.iter().map(|source| source.extent.tokens as usize).collect()
    }

    fn laid(&self, context: usize) -> &Laid {
        let laid = self.laid.get_or_init(|| Laid::new(&self.opened.sources, &self.spec, context, self.opened.tokenizer.bos()));
        assert_eq!(laid.context, context, "a dataset is read in rows of one length");
        laid
    }

    fn drawn(&self, seed: u64, index: u64, context: usize) -> Drawn {
        match &self.spec.corpus {
            CorpusConfig::Mixture(mixture) => mixture.order(seed, context, &self.tokens()).at(index),
            _ => Drawn { source: 0, nth: index },
        }
    }
}

#[cfg(test)]
mod tests;
