//! What a layout is, and which there are.

use super::{
    arc::Arc, boolq::BoolQ, copa::Copa, core::Core, crows_pairs::CrowsPairs, domains::Domains, gsm8k::Gsm8k, hellaswag::HellaSwag,
    human_eval::HumanEval, lambada::Lambada, math::Math, mbpp::Mbpp, mmlu::Mmlu, natural_questions::NaturalQuestions,
    openbookqa::OpenBookQa, piqa::Piqa, race::Race, rows::Row, siqa::Siqa, task::Question, trivia_qa::TriviaQa, winogender::WinoGender,
    winogrande::WinoGrande,
};
use crate::settings::Result;
use std::path::{Path, PathBuf};

/// A row as its layout reads it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Its name.
    pub id: String,
    /// The part of the benchmark that it is of.
    pub group: Option<String>,
    /// The question, its prompts without examples.
    pub question: Question,
    /// The row as an example: question and answer.
    pub example: String,
}

/// How prompts are put together from examples, and what is reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    /// The metric that the benchmark's users report.
    pub metric: &'static str,
    /// Examples in a prompt where nobody asks for another number.
    pub shots: usize,
    /// Which rows become examples.
    pub picks: Picks,
    /// What stands behind an example.
    pub between: &'static str,
    /// What a prompt starts with, from the group of the question.
    pub preface: fn(Option<&str>) -> String,
    /// Whether examples are of the question's own group.
    pub within_group: bool,
}

/// Which rows become examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picks {
    /// The first ones that are not the question itself.
    First,
    /// Those that lm-evaluation-harness draws: one generator for all questions, in their order.
    Harness,
    /// Those that the CORE metric draws: a generator of its own for each question.
    Core,
}

impl Protocol {
    /// Without examples where nobody asks for some, and then those of lm-evaluation-harness.
    pub(super) fn new(metric: &'static str) -> Self {
        let preface = |_: Option<&str>| String::new();
        Self { metric, shots: 0, picks: Picks::Harness, between: "\n\n", preface, within_group: false }
    }
}

/// What is known of a file when its layout is looked for.
pub(super) struct Glance<'a> {
    /// The path, as written.
    pub path: &'a Path,
    /// Its first row, if it has rows.
    pub row: Option<&'a Row>,
}

impl Glance<'_> {
    /// Whether the first row has all these fields.
    pub(super) fn has(&self, keys: &[&str]) -> bool {
        self.row.is_some_and(|row| keys.iter().all(|key| row.fields.contains_key(*key)))
    }

    /// Whether the end of the path speaks of this benchmark: the file and two folders above it.
    pub(super) fn named(&self, names: &[&str]) -> bool {
        let end = self.path.components().rev().take(3).map(|part| part.as_os_str().to_string_lossy().to_lowercase());
        end.into_iter().any(|part| names.iter().any(|name| part.contains(name)))
    }
}

/// The layout of a benchmark's files.
pub(super) trait Layout: Sync {
    /// What it is called in `--tasks NAME=PATH`.
    fn name(&self) -> &'static str;
    /// The benchmark and its source.
    fn title(&self) -> &'static str;
    /// Whether a file looks like this.
    fn fits(&self, glance: &Glance<'_>) -> bool;
    /// How prompts are put together.
    fn protocol(&self) -> Protocol;
    /// Reads a file or folder.
    fn read(&self, path: &Path) -> Result<Vec<Entry>>;
    /// Where the release keeps rows made for examples, if it does.
    fn examples(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
    /// Reads a file or folder of examples.
    fn read_examples(&self, path: &Path) -> Result<Vec<Entry>> {
        self.read(path)
    }
}

/// Every layout but that of a whole bundle.
pub(super) const LAYOUTS: &[&dyn Layout] = &[
    &Arc,
    &BoolQ,
    &Copa,
    &Core,
    &CrowsPairs,
    &Domains,
    &Gsm8k,
    &HellaSwag,
    &HumanEval,
    &Lambada,
    &Math,
    &Mbpp,
    &Mmlu,
    &NaturalQuestions,
    &OpenBookQa,
    &Piqa,
    &Race,
    &Siqa,
    &TriviaQa,
    &WinoGender,
    &WinoGrande,
];

/// Name, and title with source, of every layout.
pub fn layouts() -> Vec<(&'static str, &'static str)> {
    LAYOUTS.iter().map(|layout| (layout.name(), layout.title())).collect()
}

/// A list of likely texts as alternatives behind one context, joined by a space.
pub(super) fn alternatives(context: &str, texts: &[String]) -> Vec<super::Alternative> {
    let alternative = |text: &String| super::Alternative {
        pair: super::Pair { context: context.into(), continuation: format!(" {text}") },
        text: text.clone(),
    };
    texts.iter().map(alternative).collect()
}

/// The entry of a question with one context and alternatives joined to it by a space.
pub(super) fn choice(id: String, group: Option<String>, context: &str, texts: &[String], gold: usize) -> Entry {
    let example = format!("{context} {}", texts[gold]);
    let question = super::Choice { options: alternatives(context, texts), gold, span: super::Span::Continuation };
    Entry { id, group, question: Question::Choice(question), example }
}
