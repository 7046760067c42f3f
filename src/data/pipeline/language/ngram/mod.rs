//! n-gram models with interpolated modified Kneser–Ney smoothing (Chen and Goodman 1999, "An empirical study of smoothing
//! techniques for language modeling", section 3), estimated as `lmplz` does it (Heafield et al. 2013, "Scalable Modified
//! Kneser-Ney Language Model Estimation"; kpu/kenlm at 4cb443e60b).
//!
//! ```text
//! sentences ─► Trainer ─ sorted runs on disk ─► Estimate ─► Model ─► score
//!                                                  └─► ARPA ──┘ └─► binary file
//! ```

mod arpa;
mod binary;
mod builder;
mod count;
mod estimate;
mod line;
mod model;
mod prefetch;
mod text;
mod trie;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use estimate::{Discounts, Estimate};
pub use line::Line;
pub use model::{Model, Score, Scorer};

use crate::settings::{Error, Result, options};
use count::Counter;
use std::path::Path;
use vocabulary::{BEGIN, END, Vocabulary};

options! {
    /// How an n-gram model is trained.
    NgramConfig {
        /// Words per n-gram at most, 1 to 8. CCNet: 5 (`lmplz -o 5`). A word takes 128 / order bits, 32 at most, so that
        /// order 5 leaves room for 33 million different words.
        order: usize = 5,
        /// Leave out n-grams that occur at most so often, one number per order, the last holding for all higher ones:
        /// `[0, 0, 1]` leaves out trigrams and above that occur once. The first must be 0. Empty leaves out nothing (`lmplz --prune`).
        prune: Vec<u64> = vec![],
        /// Discounts of counts 1, 2 and 3 or more for orders whose counts allow no estimate (`lmplz --discount_fallback`, as
        /// CCNet calls it). Empty makes such text an error.
        discount_fallback: Vec<f64> = vec![0.5, 1.0, 1.5],
        /// MiB of memory for counting; what does not fit is sorted on disk. What is estimated then lies in memory, some 50
        /// bytes per distinct n-gram.
        memory: usize = 1024,
    }
}

impl NgramConfig {
    /// The threshold of every order.
    fn thresholds(&self) -> Result<Vec<u64>> {
        let wrong = |message: &str| Error::input("prune", message, "write for example [0, 0, 1]: the first 0, none below the one before");
        if self.prune.len() > self.order {
            return Err(wrong("there are more numbers than orders"));
        }
        if self.prune.first().is_some_and(|first| *first != 0) {
            return Err(wrong("single words cannot be left out"));
        }
        if self.prune.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(wrong("the numbers fall: parts of n-grams that stay would be left out"));
        }
        let last = self.prune.last().copied().unwrap_or(0);
        Ok((0..self.order).map(|order| self.prune.get(order).copied().unwrap_or(last)).collect())
    }

    fn fallback(&self) -> Result<Option<[f64; 3]>> {
        let help = "the published ones are [0.5, 1.0, 1.5]";
        match *self.discount_fallback {
            [] => Ok(None),
            [one, two, three] if [one, two, three].iter().zip([1.0, 2.0, 3.0]).all(|(d, most)| (0.0..=most).contains(d)) => {
                Ok(Some([one, two, three]))
            }
            [_, _, _] => Err(Error::input("discount_fallback", "a discount is not between 0 and its count", help)),
            _ => Err(Error::input("discount_fallback", "must be three numbers", help)),
        }
    }
}

/// Collects the sentences of a training text.
pub struct Trainer {
    config: NgramConfig,
    vocabulary: Vocabulary,
    counter: Counter,
    sentences: u64,
}

impl Trainer {
    /// A trainer that sorts in a folder for temporary files when memory is short.
    ///
    /// # Errors
    ///
    /// An option is out of range.
    pub fn new(config: &NgramConfig, scratch: &Path) -> Result<Self> {
        if !(1..=8).contains(&config.order) {
            return Err(Error::input("order", format!("{} is not between 1 and 8", config.order), "5 is the published one"));
        }
        config.thresholds()?;
        config.fallback()?;
        let counter = Counter::new(config.order, config.memory, scratch)?;
        Ok(Self { config: config.clone(), vocabulary: Vocabulary::new(), counter, sentences: 0 })
    }

    /// Counts a sentence (for CCNet: a document) given as its words; `<s>` and `</s>` are put around it. Empty words and words
    /// that are spelled as `<s>`, `</s>` or `<unk>` are passed over (`lmplz --skip_symbols`).
    ///
    /// # Errors
    ///
    /// A word holds a space, tab, line break or NUL; there are too many different words for the order; the disk is full.
    pub fn sentence<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) -> Result<()> {
        self.counter.begin(BEGIN);
        for word in words {
            let id = match self.vocabulary.find(word) {
                Some(id) => id,
                None if word.is_empty() => continue,
                None => self.add(word)?,
            };
            if id > END {
                self.counter.word(id)?;
            }
        }
        self.sentences += 1;
        self.counter.word(END)
    }

    fn add(&mut self, word: &str) -> Result<u32> {
        if word.bytes().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0)) {
            return Err(Error::input(format!("the word {word:?}"), "holds white space", "split text into words before it is counted"));
        }
        if self.vocabulary.len() as u64 >= self.counter.most_words() {
            let message = format!("more than {} different words, which is what order {} allows", self.vocabulary.len(), self.config.order);
            return Err(Error::input("the training text", message, "lower the order, or split words into pieces with a tokenizer"));
        }
        Ok(self.vocabulary.add(word))
    }

    /// Sentences so far.
    pub fn sentences(&self) -> u64 {
        self.sentences
    }

    /// Words so far, `</s>` included.
    pub fn words(&self) -> u64 {
        self.counter.words()
    }

    /// Estimates the probabilities of all n-grams that were counted.
    ///
    /// # Errors
    ///
    /// Nothing was counted; the discounts cannot be estimated and there is no fallback; the disk fails.
    pub fn estimate(self) -> Result<Estimate> {
        if self.counter.words() == self.sentences {
            return Err(Error::input("the training text", "holds no word", "name files with text"));
        }
        let thresholds = self.config.thresholds()?;
        let trie = self.counter.into_trie(&thresholds, self.vocabulary.len())?;
        Estimate::new(trie, self.vocabulary, self.config.fallback()?)
    }
}
