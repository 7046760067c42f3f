//! What a synthetic corpus holds, for the eye.

use super::Synthetic;
use crate::data::{CorpusConfig, DataSpec};
use serde::Serialize;

/// What a synthetic corpus holds.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// SHA-256 of the task and the version of the generators.
    pub fingerprint: String,
    /// Ids of the task.
    pub vocab: usize,
    /// Training instances; 0 where each is a new one.
    pub train: u64,
    /// Validation instances of each length.
    pub validation: u64,
    /// Targets per validation instance, on average over the first of them.
    pub targets_per_instance: f64,
    /// Some validation instances.
    pub samples: Vec<Sample>,
}

/// An instance in words.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Its inputs.
    pub tokens: Vec<String>,
    /// What is to be said at each of them; none where nothing is.
    pub targets: Vec<Option<String>>,
}

/// Instances that an average is taken over.
const AVERAGED: u64 = 256;

impl Inspection {
    /// Describes a synthetic corpus at a training context; `samples` instances. None of a corpus of text.
    pub fn of(spec: &DataSpec, context: usize, samples: usize) -> Option<Self> {
        let CorpusConfig::Synthetic(config) = &spec.corpus else { return None };
        let task = Synthetic::new(config);
        let validation = task.validation_instances();
        let averaged = validation.clamp(1, AVERAGED);
        let targets: usize = (0..averaged).map(|index| task.validation(index, context, 1).targets.len()).sum();
        let sample = |index| {
            let instance = task.validation(index, context, 1);
            let mut targets = vec![None; instance.tokens.len()];
            instance.targets.iter().for_each(|target| targets[target.position] = Some(task.word(target.token)));
            Sample { tokens: instance.tokens.iter().map(|token| task.word(*token)).collect(), targets }
        };
        Some(Self {
            fingerprint: spec.fingerprint.clone(),
            vocab: spec.vocab,
            train: task.instances(),
            validation,
            targets_per_instance: targets as f64 / averaged as f64,
            samples: (0..validation.min(samples as u64)).map(sample).collect(),
        })
    }
}
