//! Options of the removal of evaluation text.

use crate::settings::{Problem, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a document that holds text of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContaminationAction {
    /// It is dropped.
    Drop,
    /// The text is cut out, with what stands around it; the rest stays.
    Cut,
}

options! {
    /// Options of the removal of evaluation text; the defaults are GPT-3's (Brown et al. 2020, arXiv 2005.14165, appendix C).
    ContaminationConfig {
        /// What happens to a document that holds text of an evaluation.
        action: ContaminationAction = ContaminationAction::Cut,
        /// Words that must be the same, one after another.
        ngram: usize = 13,
        /// Items of fewer words than `ngram`, but as many as this, are looked for as a whole; shorter ones are not.
        min_words: usize = 8,
        /// N-grams that more documents than this hold are common phrases, and are let through; 0 lets none through.
        ignore_above: u64 = 10,
        /// Characters that are cut on both sides of a match.
        window: usize = 200,
        /// Pieces of fewer characters that cuts leave go too.
        min_piece: usize = 200,
        /// Documents that are cut into more pieces are dropped.
        max_pieces: usize = 10,
    }
}

impl ContaminationConfig {
    /// What is wrong, by key.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        if !(1..=100).contains(&self.ngram) {
            problems.push(Problem::new("ngram", "must be 1 to 100").help("GPT-3's is 13"));
        }
        if self.min_words == 0 {
            problems.push(Problem::new("min_words", "must be at least 1").help("GPT-3's is 8; as many as ngram leaves shorter items out"));
        }
        problems
    }
}
