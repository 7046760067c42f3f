//! Asking a model the questions of a benchmark, and keeping what it answered to each.
//!
//! Models are behind two small traits, [`Scorer`] and [`Generator`], so that rules of scoring can be held against numbers known
//! beforehand.

mod choice;
mod compare;
mod encode;
mod evaluate;
mod model;
mod pass_at_k;
mod program;
mod results;
mod synthetic;

pub use compare::{Comparison, compare_results};
pub use evaluate::{Asking, evaluate_task};
pub use model::LanguageModel;
pub use pass_at_k::pass_at_k;
pub use program::{Limits, Network, Outcome, Sandbox};
pub use results::{Estimate, Header, Record, Results, Summary};
pub use synthetic::evaluate_synthetic;

use crate::settings::Result;

/// Tokens of which those from `from` on are scored, each given all before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The tokens; the first one is never scored.
    pub tokens: Vec<u32>,
    /// The first scored one, from 1.
    pub from: usize,
}

/// How likely the scored tokens of a sequence are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likelihood {
    /// Log-probability in nats, 0 or less.
    pub log: f64,
    /// Scored tokens.
    pub tokens: usize,
    /// Whether each of them is the model's most likely one.
    pub greedy: bool,
}

/// What gives log-likelihoods of tokens.
pub trait Scorer {
    /// Tokens of a text, without special ones.
    fn encode(&self, text: &str) -> Vec<u32>;
    /// The token that opens a document.
    fn opening(&self) -> u32;
    /// Whether prompts start with it. It stands before what has no context in any case.
    fn opens_prompts(&self) -> bool {
        true
    }
    /// The likelihood of each sequence, in order.
    ///
    /// # Errors
    ///
    /// What makes scoring impossible, in the words of a user's.
    fn score(&mut self, sequences: &[Sequence]) -> Result<Vec<Likelihood>>;
}

/// How to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoding {
    /// Tokens at most.
    pub tokens: usize,
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f64,
    /// Draw from the most likely tokens that make up this probability.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// What is generated ends before the first of these.
    pub stop: Vec<String>,
}

/// What continues texts.
pub trait Generator {
    /// What is added to each prompt, in order. Prompts that are the same get draws of their own.
    ///
    /// # Errors
    ///
    /// What makes generation impossible, in the words of a user's.
    fn generate(&mut self, prompts: &[String], how: &Decoding) -> Result<Vec<String>>;
}
