//! How likely an n-gram model finds a document, as CCNet measures quality (Wenzek et al. 2020, "CCNet", section 3.4;
//! facebookresearch/cc_net at bda555bd1c, `perplexity.py`).
//!
//! Two stages, with a pass between them: [`Perplexity`] scores, [`super::Percentiles`] finds the cutoffs of the scores, and
//! [`Buckets`] keeps what is wanted.

use super::{
    Percentiles,
    ngram::{Line, Model},
};
use crate::{
    data::pipeline::{Counts, Document, Rules, Verdict},
    settings::{Error, Result, options},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What of a document is scored at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lines {
    /// All of it as one line, as CCNet does it: its normalisation deletes line breaks.
    Document,
    /// Each line by itself, as the CCNet paper can be read; empty lines do not count.
    Each,
}

/// A part of the documents by their perplexity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// The lowest perplexities: closest to the reference text.
    Head,
    /// Those between.
    Middle,
    /// The highest.
    Tail,
}

impl Bucket {
    /// As it is written in `meta.bucket`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Middle => "middle",
            Self::Tail => "tail",
        }
    }
}

options! {
    /// Perplexity of documents, and which of them stay.
    PerplexityConfig {
        /// What is scored at once.
        lines: Lines = Lines::Document,
        /// Percentile below which documents are head. CCNet: 30.
        head: f64 = 30.0,
        /// Percentile below which documents are middle, if they are not head; the others are tail. CCNet: 60.
        middle: f64 = 60.0,
        /// Perplexities to be used in place of the percentiles'. Those that CCNet publishes (English: 340, 520) belong to its
        /// models: others give other perplexities.
        cutoffs: Option<[f64; 2]> = None,
        /// Buckets to keep. `LLaMA` does not say which; RedPajama keeps head and middle.
        keep: Vec<Bucket> = vec![Bucket::Head, Bucket::Middle],
    }
}

/// Changes text as that of the model was changed.
pub type Normalise = Box<dyn Fn(&str) -> String + Send + Sync>;

/// Hands on the words of a line.
pub type Tokenise = Box<dyn Fn(&str, &mut dyn FnMut(&str)) + Send + Sync>;

/// Words are what white space parts: the tokenizer of text that is tokenised already.
pub fn words() -> Tokenise {
    Box::new(|line, each| line.split_ascii_whitespace().for_each(each))
}

/// Sets `meta.perplexity`, rounded to one decimal. Drops by the name `no_text` what has no line to score.
pub struct Perplexity {
    model: Arc<Model>,
    lines: Lines,
    normalise: Normalise,
    tokenise: Tokenise,
}

impl Perplexity {
    /// A stage with a model, and with the normalisation and the tokenizer of the text that the model was trained on.
    pub fn new(config: &PerplexityConfig, model: Arc<Model>, normalise: Normalise, tokenise: Tokenise) -> Self {
        Self { model, lines: config.lines, normalise, tokenise }
    }

    /// The perplexity of a text, rounded to one decimal; none for one that is empty.
    pub fn of(&self, text: &str) -> Option<f64> {
        let score = |text: &str| {
            let text = (self.normalise)(text);
            let mut line = Line::new(&self.model);
            (self.tokenise)(&text, &mut |word| line.word(word));
            line.score()
        };
        let score = match self.lines {
            Lines::Document => Some(text).filter(|text| !text.is_empty()).map(score),
            Lines::Each => text.lines().filter(|line| !line.trim().is_empty()).map(score).reduce(|all, line| all.and(line)),
        }?;
        Some(rounded(score.perplexity()))
    }
}

impl Rules for Perplexity {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let Some(perplexity) = self.of(&document.text) else { return Verdict::Drop("no_text") };
        document.meta.insert("perplexity".into(), perplexity.into());
        Verdict::Keep
    }
}

/// To one decimal, halves to the even one, as Python's `round` does it.
fn rounded(number: f64) -> f64 {
    // From 2^53 on there are no decimals.
    if number >= 9e15 { number } else { format!("{number:.1}").parse().unwrap_or(number) }
}

/// Sets `meta.bucket` by `meta.perplexity`, and keeps the buckets that are asked for. Drops by the names `head`, `middle`,
/// `tail`, and `no_perplexity` for what was not scored.
#[derive(Debug)]
pub struct Buckets {
    cutoffs: [f64; 2],
    keep: Vec<Bucket>,
}

impl Buckets {
    /// Buckets at the cutoffs of the configuration, or else at the percentiles of scores.
    ///
    /// # Errors
    ///
    /// There are no scores; cutoffs or percentiles fall or are out of range; no bucket is kept.
    pub fn new(config: &PerplexityConfig, scores: &Percentiles) -> Result<Self> {
        let wrong = |key: &str, message: &str| Error::input(key, message, "the published values are head = 30, middle = 60");
        if !(0.0 <= config.head && config.head <= config.middle && config.middle <= 100.0) {
            return Err(wrong("head, middle", "are not two percentiles, the second no lower than the first"));
        }
        if config.keep.is_empty() {
            return Err(wrong("keep", "is empty: no document would be left"));
        }
        let cutoffs = match config.cutoffs {
            Some([head, middle]) if 0.0 <= head && head <= middle => [head, middle],
            Some(_) => return Err(wrong("cutoffs", "are not two perplexities, the second no lower than the first")),
            None => match (scores.at(config.head), scores.at(config.middle)) {
                (Some(head), Some(middle)) => [head, middle],
                _ => return Err(Error::input("perplexity", "no document was scored", "look at what the stages before it drop")),
            },
        };
        Ok(Self { cutoffs, keep: config.keep.clone() })
    }

    /// The two perplexities at which buckets end.
    pub fn cutoffs(&self) -> [f64; 2] {
        self.cutoffs
    }

    /// The bucket of a perplexity.
    pub fn of(&self, perplexity: f64) -> Bucket {
        match perplexity {
            low if low < self.cutoffs[0] => Bucket::Head,
            low if low < self.cutoffs[1] => Bucket::Middle,
            _ => Bucket::Tail,
        }
    }
}

impl Rules for Buckets {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let Some(perplexity) = document.meta.get("perplexity").and_then(|score| score.as_f64()) else {
            return Verdict::Drop("no_perplexity");
        };
        let bucket = self.of(perplexity);
        document.meta.insert("bucket".into(), bucket.name().into());
        if self.keep.contains(&bucket) { Verdict::Keep } else { Verdict::Drop(bucket.name()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::ngram::{NgramConfig, Trainer},
        *,
    };

    fn model() -> Arc<Model> {
        let scratch = tempfile::tempdir().unwrap();
        let mut trainer = Trainer::new(&NgramConfig { order: 3, ..NgramConfig::default() }, scratch.path()).unwrap();
        for line in ["the cat sat on the mat", "the dog sat on the cat", "a cat and a dog sat", "on the mat sat a dog"] {
            trainer.sentence(line.split(' ')).unwrap();
        }
        Arc::new(trainer.estimate().unwrap().into_model())
    }

    fn stage(lines: Lines, normalise: impl Fn(&str) -> String + Send + Sync + 'static) -> Perplexity {
        Perplexity::new(&PerplexityConfig { lines, ..PerplexityConfig::default() }, model(), Box::new(normalise), words())
    }

    #[test]
    fn a_document_is_one_line_or_many() {
        let model = model();
        let (first, second) = (model.score(["the", "cat", "sat"]), model.score(["a", "dog"]));
        let text = "The cat sat\n\nA dog";
        let each = stage(Lines::Each, str::to_lowercase).of(text).unwrap();
        assert_eq!(each, rounded(10f64.powf(-(first.log10 + second.log10) / 7.0)));
        // CCNet's normalisation deletes line breaks, and glues what they part.
        let glued = model.score(["the", "cat", "sata", "dog"]);
        assert_eq!(glued.unknown, 1);
        let whole = stage(Lines::Document, |text| text.to_lowercase().replace('\n', "")).of(text).unwrap();
        assert_eq!(whole, rounded(10f64.powf(-glued.log10 / 5.0)));
        assert_eq!(stage(Lines::Each, str::to_string).of(" \n\n"), None);
        assert_eq!(stage(Lines::Document, str::to_string).of(""), None);
    }

    #[test]
    fn buckets_are_cut_at_percentiles_of_what_was_scored() {
        let mut scores = Percentiles::default();
        (0..=100).for_each(|score| scores.add(f64::from(score)));
        let buckets = Buckets::new(&PerplexityConfig::default(), &scores).unwrap();
        assert_eq!(buckets.cutoffs(), [30.0, 60.0]);
        let judge = |perplexity: f64| {
            let mut document = Document::new("1", "text");
            document.meta.insert("perplexity".into(), perplexity.into());
            let verdict = buckets.apply(&mut document, &mut Counts::default());
            (verdict, document.meta("bucket").unwrap().to_string())
        };
        assert_eq!(judge(29.9), (Verdict::Keep, "head".to_string()));
        assert_eq!(judge(30.0), (Verdict::Keep, "middle".to_string()));
        assert_eq!(judge(60.0), (Verdict::Drop("tail"), "tail".to_string()));
        assert_eq!(buckets.apply(&mut Document::new("1", ""), &mut Counts::default()), Verdict::Drop("no_perplexity"));
        let given = PerplexityConfig { cutoffs: Some([340.0, 520.0]), ..PerplexityConfig::default() };
        assert_eq!(Buckets::new(&given, &Percentiles::default()).unwrap().of(400.0), Bucket::Middle);
    }

    #[test]
    fn settings_that_cannot_work_are_errors() {
        let message = |change: fn(&mut PerplexityConfig)| {
            let mut config = PerplexityConfig::default();
            change(&mut config);
            Buckets::new(&config, &Percentiles::default()).unwrap_err().to_string()
        };
        assert!(message(|_| {}).contains("no document was scored"));
        assert!(message(|c| c.head = 70.0).contains("head"));
        assert!(message(|c| c.cutoffs = Some([5.0, f64::NAN])).contains("cutoffs"));
        assert!(message(|c| c.keep.clear()).contains("keep"));
    }

    #[test]
    fn rounding_is_pythons() {
        // round(0.25, 1), round(0.35, 1), round(1449.95, 1), round(2.5, 1)
        assert_eq!([0.25, 0.35, 1449.95, 2.5].map(rounded), [0.2, 0.3, 1450.0, 2.5]);
        assert_eq!(rounded(f64::MAX), f64::MAX);
    }
}
