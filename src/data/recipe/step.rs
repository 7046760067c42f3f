//! The steps that there are, from their options to what does them. A new step is a variant here and in [`StepConfig::build`].

use super::{buckets::BucketStage, evaluations, papers::Papers};
use crate::{
    data::{
        Tokenizer,
        pipeline::{
            Rules,
            dedup::{self, Books, Contamination, Exact, Minhash, Spans, Stage, Substrings},
            extract::{Html, Latex, StackExchange, Wikitext},
            filter::{
                self, BadWords, C4, C4Paragraphs, Code, FineWeb, GopherQuality, GopherRepetition, Header, Length, Licence, Pii, Urls,
            },
            language::{Identify, Perplexity, PerplexityConfig, Quality, QualityConfig, ngram, words},
        },
    },
    settings::{Error, Result, options},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepConfig {
    /// Text out of web pages.
    Html(Html),
    /// Text out of articles of Wikipedia.
    Wikitext(Wikitext),
    /// Text out of papers: before the first section, comments, bibliography and macros go.
    Latex(Latex),
    /// Questions with their answers as text.
    StackExchange(StackExchange),
    /// C4's rules for lines and pages.
    C4(filter::C4Config),
    /// mC4's rule for paragraphs.
    C4Paragraphs(filter::C4ParagraphsConfig),
    /// Gopher's rules for quality.
    GopherQuality(filter::GopherQualityConfig),
    /// Gopher's rules for repetition.
    GopherRepetition(filter::GopherRepetitionConfig),
    /// FineWeb's own rules.
    FineWeb(filter::FineWebConfig),
    /// LLaMA's rules for source code.
    Code(filter::CodeConfig),
    /// Takes licence headers out of source code.
    Header(filter::HeaderConfig),
    /// Keeps documents under some licences.
    Licence(filter::LicenceConfig),
    /// Keeps documents by their length.
    Length(filter::LengthConfig),
    /// Drops documents with words of a list.
    BadWords(filter::BadWordsConfig),
    /// Drops documents from addresses of a list.
    Urls(filter::UrlsConfig),
    /// Replaces addresses of persons.
    Pii(filter::PiiConfig),
    /// Keeps documents in some languages.
    Identify(crate::data::pipeline::language::IdentifyConfig),
    /// Keeps documents by how likely a language model finds them.
    Perplexity(PerplexityStep),
    /// Keeps documents that look like references.
    Quality(QualityConfig),
    /// Takes out lines that occur more than once (CCNet).
    Lines(dedup::LinesConfig),
    /// Drops documents that are the same.
    Exact(dedup::ExactConfig),
    /// Drops documents that are nearly the same.
    Minhash(dedup::MinhashConfig),
    /// Drops books that are in other books.
    Books(dedup::BooksConfig),
    /// Takes out long stretches that occur more than once.
    Substrings(dedup::SubstringsConfig),
    /// Takes out sentences in a row that occur more than once (C4).
    Spans(dedup::SpansConfig),
    /// Takes out, or drops, what is in evaluations.
    Contamination(ContaminationStep),
}

options! {
    /// Perplexity, by a model that `ablate data train` made or another in ARPA format.
    PerplexityStep {
        /// The model: `.arpa`, or as `ablate data train ngram` writes it.
        model: PathBuf = PathBuf::new(),
        /// The tokenizer of the model's text (`tokenizer.json` or a SentencePiece model); by default words are what white space parts.
        tokenizer: Option<PathBuf> = None,
        /// How text is changed before, as that of the model was.
        normalise: filter::NormaliseOptions = filter::NormaliseOptions::default(),
        /// What is scored, and which documents stay.
        buckets: PerplexityConfig = PerplexityConfig::default(),
    }
}

options! {
    /// Evaluations that training text must not hold.
    ContaminationStep {
        /// Files of JSON lines, or of text with an item a line, one evaluation each; paths, globs or folders.
        paths: Vec<String> = vec![],
        /// What is looked for, and what happens to it.
        rules: dedup::ContaminationConfig = dedup::ContaminationConfig::default(),
    }
}

/// What does a step, or a part of it.
pub(super) enum Built {
    /// Document by document.
    Rules(Box<dyn Rules>),
    /// By all documents.
    Across(Box<dyn Stage>),
}

/// Keys of paths in a recipe, relative to its file; `*` is every source and every step.
pub(super) const STEP_PATHS: [&str; 9] = [
    "c4.bad_words",
    "bad_words.path",
    "urls.domains",
    "urls.substrings",
    "identify.model",
    "perplexity.model",
    "perplexity.tokenizer",
    "quality.model",
    "contamination.paths",
];

impl StepConfig {
    /// The value of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Html(_) => "html",
            Self::Wikitext(_) => "wikitext",
            Self::Latex(_) => "latex",
            Self::StackExchange(_) => "stack_exchange",
            Self::C4(_) => "c4",
            Self::C4Paragraphs(_) => "c4_paragraphs",
            Self::GopherQuality(_) => "gopher_quality",
            Self::GopherRepetition(_) => "gopher_repetition",
            Self::FineWeb(_) => "fine_web",
            Self::Code(_) => "code",
            Self::Header(_) => "header",
            Self::Licence(_) => "licence",
            Self::Length(_) => "length",
            Self::BadWords(_) => "bad_words",
            Self::Urls(_) => "urls",
            Self::Pii(_) => "pii",
            Self::Identify(_) => "identify",
            Self::Perplexity(_) => "perplexity",
            Self::Quality(_) => "quality",
            Self::Lines(_) => "lines",
            Self::Exact(_) => "exact",
            Self::Minhash(_) => "minhash",
            Self::Books(_) => "books",
            Self::Substrings(_) => "substrings",
            Self::Spans(_) => "spans",
            Self::Contamination(_) => "contamination",
        }
    }

    /// Reads models and lists, and makes what does the step.
    ///
    /// # Errors
    ///
    /// Options out of range; files that cannot be read.
    pub(super) fn build(&self) -> Result<Vec<Built>> {
        let rules = |rules: Box<dyn Rules>| Ok(vec![Built::Rules(rules)]);
        let across = |stage: Box<dyn Stage>| Ok(vec![Built::Across(stage)]);
        match self {
            Self::Html(step) => rules(Box::new(step.clone())),
            Self::Wikitext(step) => rules(Box::new(step.clone())),
            Self::Latex(step) => rules(Box::new(Papers(step.clone()))),
            Self::StackExchange(step) => rules(Box::new(step.clone())),
            Self::C4(config) => rules(Box::new(C4::new(config)?)),
            Self::C4Paragraphs(config) => rules(Box::new(C4Paragraphs::new(config)?)),
            Self::GopherQuality(config) => rules(Box::new(GopherQuality::new(config)?)),
            Self::GopherRepetition(config) => rules(Box::new(GopherRepetition::new(config)?)),
            Self::FineWeb(config) => rules(Box::new(FineWeb::new(config)?)),
            Self::Code(config) => rules(Box::new(Code::new(config)?)),
            Self::Header(config) => rules(Box::new(Header::new(config))),
            Self::Licence(config) => rules(Box::new(Licence::new(config)?)),
            Self::Length(config) => rules(Box::new(Length::new(config)?)),
            Self::BadWords(config) => rules(Box::new(BadWords::new(config)?)),
            Self::Urls(config) => rules(Box::new(Urls::new(config)?)),
            Self::Pii(config) => rules(Box::new(Pii::new(config)?)),
            Self::Identify(config) => rules(Box::new(Identify::new(config)?)),
            Self::Perplexity(step) => step.build(),
            Self::Quality(config) => rules(Box::new(Quality::new(&config.model, config.threshold)?)),
            Self::Lines(config) => across(Box::new(dedup::Lines::new(config.clone(), Box::new(filter::line_key_into)))),
            Self::Exact(config) => across(Box::new(Exact::new(config.clone()))),
            Self::Minhash(config) => across(Box::new(Minhash::new(config.clone())?)),
            Self::Books(config) => across(Box::new(Books::new(config.clone())?)),
            Self::Substrings(config) => across(Box::new(Substrings::new(config.clone())?)),
            Self::Spans(config) => across(Box::new(Spans::new(config.clone())?)),
            Self::Contamination(step) => across(Box::new(Contamination::new(step.rules.clone(), &evaluations::read(&step.paths)?)?)),
        }
    }
}

impl PerplexityStep {
    fn build(&self) -> Result<Vec<Built>> {
        if self.model.as_os_str().is_empty() {
            return Err(Error::input("perplexity.model", "names no file", "train one: `ablate data train ngram`"));
        }
        let buckets = BucketStage::new(self.buckets.clone())?;
        let arpa = self.model.extension().is_some_and(|ending| ending == "arpa");
        let model = if arpa { ngram::Model::read_arpa(&self.model) } else { ngram::Model::read(&self.model) }?;
        let options = self.normalise.clone();
        let normalise = Box::new(move |text: &str| filter::normalise(text, &options));
        let tokenise = match &self.tokenizer {
            Some(path) => pieces(Tokenizer::read(path)?),
            None => words(),
        };
        let scored = Perplexity::new(&self.buckets, Arc::new(model), normalise, tokenise);
        Ok(vec![Built::Rules(Box::new(scored)), Built::Across(Box::new(buckets))])
    }
}

/// Ids of a tokenizer, as words.
pub(super) fn pieces(tokenizer: Tokenizer) -> crate::data::pipeline::language::Tokenise {
    Box::new(move |line: &str, each: &mut dyn FnMut(&str)| tokenizer.encode(line).into_iter().for_each(|id| each(&id.to_string())))
}
