//! In which language a document is.

mod codes;

#[cfg(test)]
mod tests;

use super::fasttext::Classifier;
use crate::{
    data::pipeline::{Counts, Document, Rules, Verdict},
    settings::{Error, Result, options},
};
use codes::code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, path::PathBuf};
use whatlang::Lang;

/// What tells languages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identifier {
    /// A fastText model in `model`, such as `lid.176.bin`: as CCNet, and so `LLaMA`, does it.
    Fasttext,
    /// `whatlang`, which needs no download: trigrams and alphabets of 69 languages.
    Builtin,
}

options! {
    /// Language identification.
    IdentifyConfig {
        /// What tells languages apart.
        identifier: Identifier = Identifier::Builtin,
        /// The fastText model; for `identifier = "fasttext"` alone.
        model: Option<PathBuf> = None,
        /// Drop documents of which the identifier is less certain. CCNet: 0.5, of the score rounded to two digits.
        threshold: f64 = 0.5,
        /// Keep these languages, as ISO 639-1 codes (those of the model's labels); empty keeps all.
        languages: Vec<String> = vec![],
        /// Look at the first so many bytes of a document. By default fastText looks at all, as in CCNet, and the built-in
        /// identifier, which is slow and gains nothing from more, at 4096.
        bytes: Option<usize> = None,
    }
}

/// Bytes that the built-in identifier looks at.
const BUILTIN_BYTES: usize = 4096;

enum Kind {
    Fasttext(Box<Classifier>),
    Builtin,
}

/// Sets `meta.language` and `meta.language_score`, and keeps the languages that are asked for.
///
/// Drops by the names `no_language` (nothing to tell by), `language_score` and `language`.
pub struct Identify {
    kind: Kind,
    threshold: f64,
    languages: Vec<String>,
    bytes: usize,
}

impl Identify {
    /// Loads the model, if one is needed.
    ///
    /// # Errors
    ///
    /// The model is missing or cannot be read, or has none of the languages; the threshold is no probability.
    pub fn new(config: &IdentifyConfig) -> Result<Self> {
        if !(0.0..=1.0).contains(&config.threshold) {
            return Err(Error::input("threshold", format!("{} is not between 0 and 1", config.threshold), "CCNet's is 0.5"));
        }
        let kind = match (config.identifier, &config.model) {
            (Identifier::Fasttext, Some(model)) => Kind::Fasttext(Box::new(Classifier::read(model)?)),
            (Identifier::Fasttext, None) => {
                let help = "set model to a file such as lid.176.ftz, or identifier to \"builtin\"";
                return Err(Error::input("model", "is needed by identifier = \"fasttext\"", help));
            }
            (Identifier::Builtin, None) => Kind::Builtin,
            (Identifier::Builtin, Some(model)) => {
                return Err(Error::input(model.display(), "identifier = \"builtin\" uses no model", "set identifier to \"fasttext\""));
            }
        };
        let known: Vec<&str> = match &kind {
            Kind::Fasttext(model) => model.labels().collect(),
            Kind::Builtin => Lang::all().iter().map(|lang| code(*lang)).collect(),
        };
        if let Some(unknown) = config.languages.iter().find(|language| !known.contains(&language.as_str())) {
            let message = format!("the identifier knows no language {unknown:?}");
            return Err(Error::input("languages", message, format!("it knows {}", known.join(" "))));
        }
        let bytes = config.bytes.unwrap_or(if matches!(kind, Kind::Builtin) { BUILTIN_BYTES } else { usize::MAX });
        Ok(Self { kind, threshold: config.threshold, languages: config.languages.clone(), bytes })
    }

    /// The language of a text, and how certain that is, in two digits; none if there is nothing to tell by.
    pub fn identify(&self, text: &str) -> Option<(&str, f64)> {
        let text = &text[..text.floor_char_boundary(self.bytes)];
        match &self.kind {
            Kind::Fasttext(model) => {
                let found = model.top(&without_newlines(text)).filter(|_| !text.is_empty())?;
                // `np.float32.round(2)`.
                let score = (found.probability * 100.0).round_ties_even() / 100.0;
                Some((found.label, (f64::from(score) * 100.0).round() / 100.0))
            }
            Kind::Builtin => {
                let found = whatlang::detect(text)?;
                Some((code(found.lang()), (found.confidence() * 100.0).round() / 100.0))
            }
        }
    }
}

impl Rules for Identify {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let Some((language, score)) = self.identify(&document.text) else { return Verdict::Drop("no_language") };
        let (known, wanted) = (score >= self.threshold, self.languages.is_empty() || self.languages.iter().any(|l| l == language));
        document.meta.insert("language".into(), language.into());
        document.meta.insert("language_score".into(), score.into());
        match (known, wanted) {
            (true, true) => Verdict::Keep,
            (false, _) => Verdict::Drop("language_score"),
            (true, false) => Verdict::Drop("language"),
        }
    }
}

/// The text as CCNet gives it to fastText: lines are glued together (`cc_net/split_by_lang.py`).
fn without_newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { Cow::Owned(text.replace('\n', "")) } else { Cow::Borrowed(text) }
}
