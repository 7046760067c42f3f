//! What a benchmark asks, whatever file it came from.

use sha2::{Digest, Sha256};
use std::fmt;

/// What stands before alternatives to learn how likely they are in themselves, as GPT-3 and LLaMA have it.
pub const ANSWER: &str = "Answer:";

/// A benchmark, ready to be asked: every prompt is complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The name it is reported under.
    pub name: String,
    /// The layout it was read by.
    pub layout: &'static str,
    /// The metric that its source reports.
    pub metric: &'static str,
    /// What guessing scores by that metric, from 0 to 1.
    pub chance: f64,
    /// Examples in every prompt.
    pub shots: usize,
    /// The questions.
    pub items: Vec<Item>,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name, the one that the file gives it or else its place from 0.
    pub id: String,
    /// The part of the benchmark that it is of: a subject, a domain, a kind of bias.
    pub group: Option<String>,
    /// What is asked.
    pub question: Question,
}

/// What is asked, and what the right answer is.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Which of several texts is the likeliest.
    Choice(Choice),
    /// Whether greedy decoding would give exactly this continuation, and how likely it is.
    Continuation(Pair),
    /// A free answer, generated and compared after normalisation.
    Answer(Answer),
    /// A program, generated and run.
    Program(Program),
    /// How many bits a byte of this text costs.
    Text(String),
}

/// A context and its continuation. Nothing stands between them: the continuation starts with the space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// What is given.
    pub context: String,
    /// What is scored.
    pub continuation: String,
}

/// A question with alternatives, compared by log-likelihood.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The alternatives, in the order of the file.
    pub options: Vec<Alternative>,
    /// The place of the right one, from 0.
    pub gold: usize,
    /// Which tokens of an alternative are scored.
    pub span: Span,
}

/// One alternative.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// Context and continuation.
    pub pair: Pair,
    /// The alternative without what joins it to the context: its length divides where scores are per character or byte.
    pub text: String,
}

/// Which tokens are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Those behind the context's, as in lm-evaluation-harness.
    Continuation,
    /// Those behind what all alternatives begin with, as the CORE metric has it for multiple choice.
    BehindPrefix,
    /// Those that all alternatives end with, as the CORE metric has it for schemas.
    Suffix,
}

/// A question with a free answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The prompt.
    pub prompt: String,
    /// The answer ends before the first of these.
    pub stop: &'static [&'static str],
    /// Tokens at most.
    pub tokens: usize,
    /// The right answers: any of them will do.
    pub accepted: Vec<String>,
    /// How the answer is found in what was generated, and compared.
    pub rule: Rule,
}

/// How an answer is found in what was generated, and compared with the right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Lower case, without articles and punctuation, one space between words (SQuAD: Rajpurkar et al. 2016).
    Words,
    /// The same with a space where punctuation was (TriviaQA: Joshi et al. 2017).
    SpacedWords,
    /// The number after `####`; beside it, the last number (Cobbe et al. 2021).
    Number,
    /// The formula after `Final Answer: The final answer is`, normalised (Lewkowycz et al. 2022, appendix D).
    Formula,
}

/// A program to complete, and what it must pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The prompt.
    pub prompt: String,
    /// The program ends before the first of these.
    pub stop: &'static [&'static str],
    /// Tokens at most.
    pub tokens: usize,
    /// What stands before the generated part when it is run.
    pub before: String,
    /// The tests, run behind it.
    pub tests: String,
}

impl Question {
    /// What kind of question this is, for errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Choice(_) => "multiple choice",
            Self::Continuation(_) => "continuation",
            Self::Answer(_) => "free answer",
            Self::Program(_) => "program",
            Self::Text(_) => "text",
        }
    }

    /// Everything of the question that the score rests on, as bytes: two runs are compared on questions that are equal by it.
    pub fn fingerprint(&self) -> String {
        // The derived form holds every field, and two questions are equal exactly where it is.
        crate::data::hex(&Sha256::digest(format!("{self:?}"))[..8])
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.context, self.continuation)
    }
}
