//! Linear text classifiers in the format of fastText (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification";
//! facebookresearch/fastText), `.bin` and quantised `.ftz`.
//!
//! Models are trained by the `fasttext` crate. They are applied by the code here: the crate (0.8) takes quantised models with
//! hierarchical softmax, such as `lid.176.ftz`, for softmax, and panics on damaged files.

mod dictionary;
mod kept;
mod matrix;
mod options;
mod output;
mod source;
mod train;

#[cfg(test)]
mod tests;

pub use train::{TrainConfig, TrainLoss, TrainingText};

use crate::settings::Result;
use dictionary::Dictionary;
use matrix::{Dense, Matrix};
use options::Options;
use output::Output;
use source::Source;
use std::path::Path;

/// What marks labels in training text, and begins their names in models.
pub const LABEL: &str = "__label__";

/// A trained classifier.
pub struct Classifier {
    dictionary: Dictionary,
    /// Rows of character and word n-grams.
    input: Matrix,
    /// For each word the sum of its own row and those of its character n-grams, and how many that are.
    words: Dense,
    rows: Vec<u32>,
    output: Output,
    width: usize,
}

/// A label with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// Without `__label__`.
    pub label: &'a str,
    /// As fastText gives it, which may be 0.00001 above 1.
    pub probability: f32,
}

impl Classifier {
    /// Reads a model file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no fastText classifier (word vectors without labels are none), is cut or damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let mut source = Source::open(path)?;
        let options = Options::read(&mut source)?;
        let dictionary = Dictionary::read(&mut source, options)?;
        let quantised = source.flag()?;
        let input = Matrix::read(&mut source, quantised)?;
        let quantised_output = source.flag()?;
        let output = Matrix::read(&mut source, quantised && quantised_output)?;
        source.end()?;
        let width = dictionary.options().width;
        if input.width() != width || output.width() != width || output.rows() != dictionary.labels().len() {
            return Err(source.wrong("its matrices do not fit its options"));
        }
        if !dictionary.fits(input.rows()) {
            return Err(source.wrong("its input matrix has too few rows for its words and n-grams"));
        }
        if !quantised && dictionary.is_pruned() {
            return Err(source.wrong("its words are pruned although it is not quantised: fastText refuses it too"));
        }
        // Rows of words, and all of the output, are unpacked: no more than 64 times what the file holds, of which 16 is usual.
        let unpacked = (dictionary.words() + output.rows()) as u128 * width as u128 * 4;
        if unpacked > 64 * u128::from(source.size()) {
            return Err(source.wrong("it would take far more memory when it is unpacked than such models do"));
        }
        let output = Output::new(output, dictionary.options().loss, dictionary.counts()).map_err(|what| source.wrong(what))?;
        let mut words = Dense::zeros(dictionary.words(), width);
        let mut rows = vec![];
        for word in 0..dictionary.words() {
            let sum = words.row_mut(word);
            input.add_to(word, sum);
            let mut count = 1;
            dictionary.character_ngrams(dictionary.word(word), |row| {
                input.add_to(row, sum);
                count += 1;
            });
            rows.push(count);
        }
        Ok(Self { dictionary, input, words, rows, output, width })
    }

    /// Labels without `__label__`, in the order of the file: the most frequent first.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.dictionary.labels().iter().map(String::as_str)
    }

    /// The probability of every label, in the order of [`Classifier::labels`]; none if the model knows nothing of the text.
    ///
    /// A text is a line: bytes that C calls white space part its words, line breaks among them.
    pub fn probabilities(&self, text: &str) -> Option<Vec<f32>> {
        let mut hidden = vec![0f32; self.width];
        let mut rows = 0u64;
        let mut hashes = vec![];
        let grams = self.dictionary.options().word_ngrams;
        self.dictionary.tokens(text.as_bytes(), |token, hash| {
            match self.dictionary.find(token, hash) {
                Some(word) => {
                    add(self.words.row(word), &mut hidden);
                    rows += u64::from(self.rows[word]);
                }
                None => self.dictionary.character_ngrams(token, |row| {
                    self.input.add_to(row, &mut hidden);
                    rows += 1;
                }),
            }
            if grams > 1 {
                hashes.push(hash);
            }
        });
        self.dictionary.word_ngrams(&hashes, |row| {
            self.input.add_to(row, &mut hidden);
            rows += 1;
        });
        if rows == 0 {
            return None;
        }
        let scale = 1.0 / rows as f32;
        hidden.iter_mut().for_each(|value| *value *= scale);
        Some(self.output.probabilities(&hidden))
    }

    /// The most probable label.
    pub fn top(&self, text: &str) -> Option<Prediction<'_>> {
        let probabilities = self.probabilities(text)?;
        // The last of equals, which fastText's heap keeps.
        let best = |best: usize, at: usize| if probabilities[at] >= probabilities[best] { at } else { best };
        let top = (0..probabilities.len()).reduce(best)?;
        Some(Prediction { label: &self.dictionary.labels()[top], probability: probabilities[top] })
    }

    /// The place of a label, for [`Classifier::probabilities`].
    pub fn label(&self, label: &str) -> Option<usize> {
        self.labels().position(|other| other == label)
    }
}

/// Adds a row to a sum.
fn add(row: &[f32], sum: &mut [f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}
