//! A linear classifier that keeps what looks like pages that Wikipedia refers to (Touvron et al. 2023, "LLaMA", section 2.1).
//!
//! The published reproduction (togethercomputer/RedPajama-Data, branch `rp_v1`, `data_prep/cc/classifier`) takes no duplicates out of
//! its references, as its key for them is constant, and takes only references of at least 1000 characters, so that length tells
//! the classes apart. Here each class has every text once, the same minimum length, and as many texts.

mod samples;

#[cfg(test)]
mod tests;

pub use samples::{Held, QualityTrainConfig, Samples};

use super::fasttext::Classifier;
use crate::{
    data::pipeline::{Counts, Document, Rules, Verdict},
    settings::{Error, Result, options},
};
use std::path::{Path, PathBuf};

/// Label of the positives.
const REFERENCE: &str = "reference";
/// Label of the negatives.
const RANDOM: &str = "random";

options! {
    /// The stage that applies the quality classifier.
    QualityConfig {
        /// The classifier's file.
        model: PathBuf = PathBuf::new(),
        /// Drop what is less likely a reference. RedPajama: 0.25.
        threshold: f64 = 0.25,
    }
}

/// Sets `meta.quality`, the probability that the text is a reference, and drops by the name `quality` what is below a threshold.
pub struct Quality {
    model: Classifier,
    label: usize,
    threshold: f64,
}

impl Quality {
    /// Reads a classifier that [`Samples::train`] wrote, or another one of the format with the labels `reference` or, as in
    /// RedPajama, `wiki`.
    ///
    /// # Errors
    ///
    /// The file cannot be read or has neither label; the threshold is no probability.
    pub fn new(model: &Path, threshold: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::input("threshold", format!("{threshold} is not between 0 and 1"), "RedPajama's is 0.25"));
        }
        let classifier = Classifier::read(model)?;
        let Some(label) = classifier.label(REFERENCE).or_else(|| classifier.label("wiki")) else {
            return Err(Error::input(model.display(), "has neither the label reference nor wiki", "train a quality classifier"));
        };
        Ok(Self { model: classifier, label, threshold })
    }

    /// The probability that a text is a reference; 0 if the classifier knows nothing of it.
    pub fn of(&self, text: &str) -> f64 {
        // Line breaks part words as spaces do.
        self.model.probabilities(text).map_or(0.0, |all| f64::from(all[self.label]).min(1.0))
    }
}

impl Rules for Quality {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let quality = self.of(&document.text);
        document.meta.insert("quality".into(), quality.into());
        if quality >= self.threshold { Verdict::Keep } else { Verdict::Drop("quality") }
    }
}
