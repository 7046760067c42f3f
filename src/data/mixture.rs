//! Several sources as one corpus, as written.

use super::{
    CorpusConfig,
    order::{Mixture, Stage},
};
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Epochs of a source beyond which a mixture is refused unless it says so: up to four are nearly as good as new text
/// (Muennighoff et al. 2023, arXiv 2305.16264).
const MOST_EPOCHS: f64 = 4.0;

/// Several sources, each with its share of the training tokens. An arm changes a share with
/// `"data.corpus.sources.NAME.weight" = …`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixtureConfig {
    /// The sources by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Other weights from some token on: a curriculum, or an annealing at the end. By rising tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageConfig>,
    /// A training run that would read a source more often than this is refused. 4 by default.
    #[serde(default = "most_epochs")]
    pub max_epochs: f64,
}

/// A source of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Where its text comes from: of any kind but `mixture`.
    pub corpus: CorpusConfig,
    /// Its share of the tokens, in any unit: shares are divided by their sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Instead of weights: how often it is read while the others are read as often as they say. Its share is this times its
    /// tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
}

/// Weights from some token on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// The first token of the stage, counted over the run; rounded up to whole sequences.
    pub from_tokens: u64,
    /// Weights by the names of sources; sources that are not named have none.
    pub weights: BTreeMap<String, f64>,
}

fn most_epochs() -> f64 {
    MOST_EPOCHS
}

impl MixtureConfig {
    /// Broken rules; keys start with `data.corpus.`.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        let mut wrong = |key: &str, message: String, help: &str| {
            problems.push(Problem::new(format!("data.corpus.{key}"), message).help(help));
        };
        if self.sources.is_empty() {
            wrong("sources", "names no source".into(), "write sources.NAME = { corpus = { kind = … }, weight = … }");
        }
        let by_epochs = self.sources.values().any(|source| source.epochs.is_some());
        for (name, source) in &self.sources {
            let key = format!("sources.{name}");
            if !matches!(
                source.corpus,
                CorpusConfig::Crates { .. }
                    | CorpusConfig::Text { .. }
                    | CorpusConfig::Jsonl { .. }
                    | CorpusConfig::Shards { .. }
                    | CorpusConfig::Recipe { .. }
            ) {
                wrong(&format!("{key}.corpus.kind"), "is no text that can be mixed".into(), "name crates, text, jsonl, shards or recipe");
            }
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') || name.is_empty() {
                wrong(&key, "is no name".into(), "use letters, digits, - and _");
            }
            match (source.weight, source.epochs) {
                (Some(_), Some(_)) => wrong(&key, "has a weight and epochs".into(), "keep one of them"),
                (None, None) => wrong(&key, "has neither weight nor epochs".into(), "write its share as weight = …"),
                (Some(_), None) if by_epochs => {
                    wrong(&key, "has a weight, and others have epochs".into(), "write weights for all sources, or epochs for all")
                }
                (Some(share), None) | (None, Some(share)) if !(share.is_finite() && share >= 0.0) => {
                    wrong(&key, format!("{share} is no share"), "write a number from 0 on")
                }
                _ => {}
            }
        }
        let all_zero = self.sources.values().all(|source| source.weight.or(source.epochs) == Some(0.0));
        if !self.sources.is_empty() && all_zero {
            wrong("sources", "have no share, any of them".into(), "give one a weight above 0");
        }
        if self.max_epochs.is_nan() || self.max_epochs <= 0.0 {
            wrong("max_epochs", format!("{} is not above 0", self.max_epochs), "leave it out for 4");
        }
        let mut before = 0;
        for (number, stage) in self.stages.iter().enumerate() {
            let key = format!("stages[{number}]");
            if stage.from_tokens <= before {
                wrong(
                    &format!("{key}.from_tokens"),
                    format!("{} is not behind {before}", stage.from_tokens),
                    "write stages by rising tokens",
                );
            }
            before = stage.from_tokens;
            for (name, weight) in &stage.weights {
                if !self.sources.contains_key(name) {
                    let known = self.sources.keys().cloned().collect::<Vec<_>>().join(", ");
                    wrong(&format!("{key}.weights.{name}"), "is no source".into(), &format!("sources are {known}"));
                } else if !(weight.is_finite() && *weight >= 0.0) {
                    wrong(&format!("{key}.weights.{name}"), format!("{weight} is no share"), "write a number from 0 on");
                }
            }
            if !stage.weights.values().any(|weight| *weight > 0.0) {
                wrong(&format!("{key}.weights"), "have no share, any of them".into(), "give one a weight above 0");
            }
        }
        problems
    }

    /// Which source each sequence of `context` tokens comes from, for sources with so many tokens each, by name.
    pub(super) fn order(&self, seed: u64, context: usize, tokens: &[usize]) -> Mixture {
        let share = |(source, tokens): (&SourceConfig, &usize)| match (source.weight, source.epochs) {
            (Some(weight), _) => weight,
            (None, epochs) => epochs.unwrap_or_default() * *tokens as f64,
        };
        let first = Stage { from: 0, weights: self.sources.values().zip(tokens).map(share).collect() };
        let later = self.stages.iter().map(|stage| Stage {
            from: stage.from_tokens.div_ceil(context as u64),
            weights: self.sources.keys().map(|name| stage.weights.get(name).copied().unwrap_or_default()).collect(),
        });
        let mut stages = vec![first];
        for stage in later {
            // Stages of less than a sequence are none.
            match stages.last_mut() {
                Some(last) if last.from >= stage.from => *last = stage,
                _ => stages.push(stage),
            }
        }
        Mixture::new(seed, &stages)
    }
}
