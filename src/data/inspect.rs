//! What a corpus holds, for the eye.

use super::{
    CorpusConfig, DataSpec, Dataset, Extent, Progress,
    corpus::{Corpus, Document, Manifest},
    prepare::read_corpus,
};
use crate::settings::Result;
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// Characters of a sample.
const SAMPLE: usize = 400;
/// Largest documents that are listed.
const LARGEST: usize = 5;

/// What a corpus holds.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// SHA-256 of the content.
    pub fingerprint: String,
    /// Version of the default corpus.
    pub version: Option<u32>,
    /// Ids of the tokenizer, as configured.
    pub vocab: usize,
    /// What is trained on.
    pub train: Extent,
    /// What validation scores.
    pub validation: Extent,
    /// Documents that are kept from training, those that validation leaves unused included.
    pub held_out: Held,
    /// Bytes of text per token, over training and validation text; over the latter alone where the former came as tokens.
    pub bytes_per_token: f64,
    /// Licences by falling bytes; empty for a user's own text.
    pub licences: Vec<Licence>,
    /// The largest documents.
    pub largest: Vec<Named>,
    /// Beginnings of some training documents.
    pub samples: Vec<Sample>,
}

/// Documents kept from training.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Held {
    /// How many.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What stands under one licence.
#[derive(Clone, Debug, Serialize)]
pub struct Licence {
    /// SPDX expression.
    pub licence: String,
    /// Crates.
    pub crates: usize,
    /// Documents of these crates.
    pub documents: u64,
    /// Bytes of these documents.
    pub bytes: u64,
}

/// A document by name.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// Where it comes from.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// The beginning of a document.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Where it comes from.
    pub name: String,
    /// Its first characters.
    pub text: String,
}

impl Inspection {
    /// Reads a corpus, prepares its shards in `cache`, and describes both; `samples` beginnings of documents.
    ///
    /// # Errors
    ///
    /// As [`Dataset::prepare`].
    pub fn of(spec: &DataSpec, cache: &Path, samples: usize, progress: Progress<'_>) -> Result<Self> {
        let mut corpus = Corpus { train: vec![], validation: vec![] };
        for (_, part) in spec.corpus.parts() {
            // Of token files there is nothing to be read.
            if !matches!(part, CorpusConfig::Shards { .. }) {
                let read = read_corpus(part, cache, progress)?;
                corpus.train.extend(read.train);
                corpus.validation.extend(read.validation);
            }
        }
        let (train, validation) = Dataset::prepare(spec, cache, progress)?.extents();
        let ours = matches!(spec.corpus, CorpusConfig::Crates { .. });
        let known = if train.bytes > 0 {
            (train.bytes + validation.bytes, train.tokens + validation.tokens)
        } else {
            (validation.bytes, validation.tokens)
        };
        let mut all: Vec<&Document> = corpus.train.iter().chain(&corpus.validation).collect();
        let licences = if ours { licences(&all) } else { Vec::new() };
        all.sort_by_key(|document| (std::cmp::Reverse(document.text.len()), &document.name));
        Ok(Self {
            fingerprint: spec.fingerprint.clone(),
            version: ours.then(|| Manifest::embedded().version),
            vocab: spec.vocab,
            train,
            validation,
            held_out: Held { documents: corpus.validation.len() as u64, bytes: corpus.held_out_bytes() },
            bytes_per_token: known.0 as f64 / known.1 as f64,
            licences,
            largest: all
                .iter()
                .take(LARGEST)
                .map(|document| Named { name: document.name.clone(), bytes: document.text.len() as u64 })
                .collect(),
            samples: corpus.train.iter().take(samples).map(sample).collect(),
        })
    }
}

fn sample(document: &Document) -> Sample {
    Sample { name: document.name.clone(), text: document.text.chars().take(SAMPLE).collect() }
}

/// Crates, documents and bytes by licence.
fn licences(documents: &[&Document]) -> Vec<Licence> {
    let mut by_crate: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for document in documents {
        // Archives hold one folder, NAME-VERSION.
        let (documents, bytes) = by_crate.entry(document.name.split('/').next().unwrap_or_default()).or_default();
        *documents += 1;
        *bytes += document.text.len() as u64;
    }
    let mut sums: BTreeMap<&str, Licence> = BTreeMap::new();
    for entry in &Manifest::embedded().crates {
        let licence = entry.licence.as_str();
        let sum = sums.entry(licence).or_insert_with(|| Licence { licence: licence.into(), crates: 0, documents: 0, bytes: 0 });
        let (documents, bytes) = by_crate.get(format!("{}-{}", entry.name, entry.version).as_str()).copied().unwrap_or_default();
        sum.crates += 1;
        sum.documents += documents;
        sum.bytes += bytes;
    }
    let mut sums: Vec<Licence> = sums.into_values().collect();
    sums.sort_by_key(|licence| std::cmp::Reverse(licence.bytes));
    sums
}
