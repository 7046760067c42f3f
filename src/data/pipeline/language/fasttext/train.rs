//! Training classifiers.

use super::LABEL;
use crate::{
    files,
    settings::{Error, Result, options},
};
use fasttext::{
    FastText,
    args::{Args, LossName},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    io::{BufWriter, Write},
    path::Path,
};
use tempfile::NamedTempFile;

/// How probabilities are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainLoss {
    /// Over all labels at once.
    Softmax,
    /// Along a Huffman tree: for many labels (`lid.176.bin` is made so).
    Hierarchical,
}

options! {
    /// How a classifier is trained: `fasttext supervised`, with its names for options in brackets.
    TrainConfig {
        /// Numbers per word (`dim`). fastText: 100, which with `buckets` makes files of 800 MB; `lid.176.bin` has 16.
        dim: usize = 16,
        /// Rows that n-grams of words or characters share (`bucket`); without such n-grams none. fastText: 2 million.
        buckets: usize = 100_000,
        /// Words per n-gram at most (`wordNgrams`).
        word_ngrams: usize = 1,
        /// Characters per n-gram at least (`minn`). `lid.176.bin`: 2.
        least_characters: usize = 0,
        /// Characters per n-gram at most (`maxn`), 0 for words alone. `lid.176.bin`: 4.
        most_characters: usize = 0,
        /// Passes over the text (`epoch`).
        epochs: usize = 5,
        /// Step at the beginning, from where it falls to 0 (`lr`).
        learning_rate: f64 = 0.1,
        /// Words that occur less often are unknown (`minCount`).
        least_count: usize = 1,
        /// Shape of the last layer (`loss`).
        loss: TrainLoss = TrainLoss::Softmax,
        /// Seed of the first numbers (`seed`).
        seed: u32 = 0,
    }
}

impl TrainConfig {
    fn args(&self) -> Result<Args> {
        let check = |key: &str, value: usize, range: std::ops::RangeInclusive<usize>| {
            if range.contains(&value) {
                return Ok(i32::try_from(value).unwrap_or(i32::MAX));
            }
            let message = format!("{value} is not between {} and {}", range.start(), range.end());
            Err(Error::input(key, message, "the defaults are those of fastText, or are named in the documentation"))
        };
        if !(self.learning_rate > 0.0 && self.learning_rate <= 100.0) {
            return Err(Error::input("learning_rate", "must be above 0, and 100 at most", "0.1 is fastText's"));
        }
        let grams = self.word_ngrams > 1 || self.most_characters > 0;
        let mut args = Args::new();
        args.apply_supervised_defaults();
        args.dim = check("dim", self.dim, 1..=4096)?;
        args.bucket = if grams { check("buckets", self.buckets, 1..=100_000_000)? } else { 0 };
        args.word_ngrams = check("word_ngrams", self.word_ngrams, 1..=16)?;
        args.maxn = check("most_characters", self.most_characters, 0..=16)?;
        args.minn = check("least_characters", self.least_characters, 0..=self.most_characters)?;
        args.epoch = check("epochs", self.epochs, 1..=10_000)?;
        args.min_count = check("least_count", self.least_count, 1..=1_000_000_000)?;
        args.seed = check("seed", self.seed as usize, 0..=i32::MAX as usize)?;
        args.lr = self.learning_rate;
        // More threads write over each other's steps, and no two runs give the same model.
        args.thread = 1;
        args.verbose = 0;
        args.loss = match self.loss {
            TrainLoss::Softmax => LossName::Softmax,
            TrainLoss::Hierarchical => LossName::HierarchicalSoftmax,
        };
        Ok(args)
    }
}

/// Labelled text on disk, in the order in which it is added, which should be a random one.
pub struct TrainingText {
    file: BufWriter<NamedTempFile>,
    labels: Vec<(String, u64)>,
}

impl TrainingText {
    /// An empty text in a folder for temporary files.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub fn new(scratch: &Path) -> Result<Self> {
        let file = NamedTempFile::new_in(scratch).map_err(Error::io("write training text in", scratch))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), labels: vec![] })
    }

    /// Adds a text as one line. Words in it that fastText would take for a label or the end of the line are left out.
    ///
    /// # Errors
    ///
    /// The label is empty or holds white space; the disk is full.
    pub fn add(&mut self, label: &str, text: &str) -> Result<()> {
        if label.is_empty() || label.contains(|c: char| c.is_ascii_whitespace() || c == '\0' || c == '\u{b}') {
            return Err(Error::input(format!("label {label:?}"), "is empty or holds white space", "name labels with single words"));
        }
        match self.labels.iter_mut().find(|(known, _)| known == label) {
            Some((_, times)) => *times += 1,
            None => self.labels.push((label.to_string(), 1)),
        }
        let mut write = || {
            write!(self.file, "{LABEL}{label}")?;
            let words = text.split([' ', '\n', '\r', '\t', '\u{b}', '\u{c}', '\0']).filter(|word| !word.is_empty());
            for word in words.filter(|word| !word.starts_with(LABEL) && *word != "</s>") {
                self.file.write_all(b" ")?;
                self.file.write_all(word.as_bytes())?;
            }
            self.file.write_all(b"\n")
        };
        write().map_err(Error::io("write training text in", self.file.get_ref().path()))
    }

    /// Labels, and how many texts each has.
    pub fn labels(&self) -> &[(String, u64)] {
        &self.labels
    }

    /// Trains a classifier and writes it to a file that fastText reads. The same text and options give the same bytes.
    /// Returns the mean loss of training, in nats.
    ///
    /// # Errors
    ///
    /// There are fewer than two labels, an option is out of range, or a disk is full.
    pub fn train(self, config: &TrainConfig, target: &Path) -> Result<f64> {
        if self.labels.len() < 2 {
            return Err(Error::input("the training text", "has fewer than two labels", "give texts of every class"));
        }
        let mut args = config.args()?;
        let file = self.file.into_inner().map_err(|error| Error::io("write training text for", target)(error.into_error()))?;
        args.input = file.path().to_path_buf();
        let wrong = |error: fasttext::FastTextError| {
            Error::input(target.display(), format!("training failed: {error}"), "check the space on the disk and the options")
        };
        let model = FastText::train(args).map_err(wrong)?;
        let loss = model.last_train_loss();
        if !loss.is_finite() {
            return Err(Error::input(target.display(), "training diverged", "lower learning_rate"));
        }
        files::replace_with(target, |error| Error::io("write", target)(error), |file| model.save(file).map_err(wrong))?;
        Ok(loss)
    }
}
