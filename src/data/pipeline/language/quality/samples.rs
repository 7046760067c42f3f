//! The texts that a quality classifier is trained on.

use super::{Quality, RANDOM, REFERENCE};
use crate::{
    data::pipeline::language::fasttext::{TrainConfig, TrainingText},
    settings::{Error, Result, options},
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

options! {
    /// Training of the quality classifier.
    QualityTrainConfig {
        /// Characters that a text of either class must have. RedPajama: 1000, for references alone.
        least_characters: usize = 1000,
        /// Texts per class at most. RedPajama: 300 thousand references.
        documents: usize = 300_000,
        /// Share of texts that are kept out of training, to measure with.
        held_out: f64 = 0.1,
        /// Seed of which texts are drawn, and of which are held out.
        seed: u64 = 0,
        /// The classifier.
        classifier: TrainConfig = TrainConfig::default(),
    }
}

/// How well a classifier tells texts apart that it was not trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Texts of each class that it was trained on.
    pub trained: u64,
    /// References and random texts that were held out.
    pub held_out: [u64; 2],
    /// Share of them for which the more probable class is the right one.
    pub accuracy: f64,
    /// Probability that a reference scores higher than a random text: area under the ROC curve.
    pub auc: f64,
    /// Mean loss of training, in nats.
    pub loss: f64,
}

/// Where a text is on the disk: its rank, by which it is drawn, is a hash of the text, so that equal texts are one.
pub(super) type Drawn = BTreeMap<[u8; 16], (u64, u32)>;

/// Texts to train a quality classifier with; they wait on the disk.
pub struct Samples {
    config: QualityTrainConfig,
    scratch: PathBuf,
    file: BufWriter<File>,
    end: u64,
    pub(super) drawn: [Drawn; 2],
}

impl Samples {
    /// No texts yet. `scratch` is a folder for temporary files.
    ///
    /// # Errors
    ///
    /// An option is out of range, or the folder cannot be written to.
    pub fn new(config: &QualityTrainConfig, scratch: &Path) -> Result<Self> {
        if !(config.held_out > 0.0 && config.held_out < 1.0) {
            return Err(Error::input("held_out", "must be between 0 and 1", "0.1 holds out every tenth text"));
        }
        if config.documents == 0 {
            return Err(Error::input("documents", "must be at least 1", "RedPajama's are 300000"));
        }
        let file = tempfile::tempfile_in(scratch).map_err(Error::io("write samples in", scratch))?;
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { config: config.clone(), scratch: scratch.to_path_buf(), file, end: 0, drawn: Default::default() })
    }

    /// Offers a page that is referred to. False if it is too short, is there already, or is not drawn.
    ///
    /// # Errors
    ///
    /// The disk is full.
    pub fn reference(&mut self, text: &str) -> Result<bool> {
        self.offer(0, text)
    }

    /// Offers a random page, in the same way.
    ///
    /// # Errors
    ///
    /// The disk is full.
    pub fn random(&mut self, text: &str) -> Result<bool> {
        self.offer(1, text)
    }

    fn offer(&mut self, class: usize, text: &str) -> Result<bool> {
        let text = text.trim();
        let length = u32::try_from(text.len()).ok().filter(|_| text.chars().count() >= self.config.least_characters);
        let Some(length) = length else { return Ok(false) };
        let rank = rank(self.config.seed, text);
        let drawn = &mut self.drawn[class];
        let full = drawn.len() >= self.config.documents;
        if drawn.contains_key(&rank) || (full && drawn.last_key_value().is_some_and(|(last, _)| *last < rank)) {
            return Ok(false);
        }
        if full {
            drawn.pop_last();
        }
        drawn.insert(rank, (self.end, length));
        self.end += u64::from(length);
        self.file.write_all(text.as_bytes()).map_err(Error::io("write samples in", &self.scratch))?;
        Ok(true)
    }

    /// Trains a classifier and writes it to a file, which [`Quality`] and fastText read. What is in both classes counts as a
    /// reference alone.
    ///
    /// # Errors
    ///
    /// A class has fewer than 10 texts, or none would be held out; options of the classifier are out of range; a disk is full.
    pub fn train(mut self, target: &Path) -> Result<Held> {
        let [references, random] = &mut self.drawn;
        random.retain(|rank, _| !references.contains_key(rank));
        let each = references.len().min(random.len());
        if each < 10 {
            let message = format!("{} references and {} random texts are too few", references.len(), random.len());
            let help = format!("give 10 of each at least, different ones of {} characters or more", self.config.least_characters);
            return Err(Error::input("the classifier's texts", message, help));
        }
        // By rank, which is random: classes are mixed as they should be in training.
        let mut all: Vec<([u8; 16], usize, u64, u32)> = vec![];
        for (class, drawn) in self.drawn.iter().enumerate() {
            all.extend(drawn.iter().take(each).map(|(rank, (start, length))| (*rank, class, *start, *length)));
        }
        all.sort_unstable();
        let wrong = |error| Error::io("read samples in", &self.scratch)(error);
        let mut file = self.file.into_inner().map_err(|error| wrong(error.into_error()))?;
        let mut read = |start: u64, length: u32| {
            let mut text = vec![0; length as usize];
            file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut text)).map_err(wrong)?;
            Ok(String::from_utf8(text).expect("what was written is UTF-8"))
        };
        let held = |rank: &[u8; 16]| {
            // The order goes by the first half of the hash.
            let part = u64::from_le_bytes(rank[8..].try_into().expect("8 bytes"));
            (part as f64) < self.config.held_out * u64::MAX as f64
        };
        let mut training = TrainingText::new(&self.scratch)?;
        for (_, class, start, length) in all.iter().filter(|(rank, ..)| !held(rank)) {
            training.add([REFERENCE, RANDOM][*class], &read(*start, *length)?)?;
        }
        let trained = training.labels().iter().map(|(_, texts)| *texts).min().unwrap_or(0);
        let loss = training.train(&self.config.classifier, target)?;
        let quality = Quality::new(target, 0.0)?;
        let mut scores: [Vec<f64>; 2] = Default::default();
        for (_, class, start, length) in all.iter().filter(|(rank, ..)| held(rank)) {
            scores[*class].push(quality.of(&read(*start, *length)?));
        }
        if scores.iter().any(Vec::is_empty) {
            return Err(Error::input("held_out", "no text of one class is held out", "give more texts, or hold out a higher share"));
        }
        let right = scores[0].iter().filter(|score| **score >= 0.5).count() + scores[1].iter().filter(|score| **score < 0.5).count();
        let held_out = [scores[0].len() as u64, scores[1].len() as u64];
        let accuracy = right as f64 / (held_out[0] + held_out[1]) as f64;
        Ok(Held { trained, held_out, accuracy, auc: auc(&scores[0], &scores[1]), loss })
    }
}

fn rank(seed: u64, text: &str) -> [u8; 16] {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(text).finalize();
    hash[..16].try_into().expect("a hash has 32 bytes")
}

/// Probability that one of the first is higher than one of the second, equals counting half.
pub(super) fn auc(high: &[f64], low: &[f64]) -> f64 {
    let mut low = low.to_vec();
    low.sort_unstable_by(f64::total_cmp);
    let below = |score: &f64| (low.partition_point(|other| other < score) + low.partition_point(|other| other <= score)) as f64 / 2.0;
    high.iter().map(below).sum::<f64>() / (high.len() * low.len()) as f64
}
