//! Induction (Olsson et al. 2022, "In-context Learning and Induction Heads", arXiv 2209.11895, section "Key Concepts"): in a
//! sequence of random tokens that repeats, an induction head finds the token that is like this one and says what came after
//! it, `[A][B] … [A] → [B]`.
//!
//! A block of random tokens is repeated to the end of the row; all but the first block are asked for. Blocks are between a
//! quarter and half of the context, so that no fixed distance gives the answer, and have no token twice, so that one match
//! does.

use super::{
    Instance,
    draw::{distinct, within},
    task::{Asked, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of induction.
    InductionConfig {
        /// Ids; half the longest context at least.
        vocab: usize = 512,
    }
}

impl Task for InductionConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        // The source has no corpus of its own: it probes language models with fresh sequences.
        Published { train: 0, validation: 1024 }
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.vocab < context / 2 {
            let message = format!("{} ids are too few for blocks of {} different tokens", self.vocab, context / 2);
            problems.push(problem("vocab", message, format!("at least {}", context / 2)));
        }
        problems.extend(short(context, 4, "a block and its repetition"));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let length = within(random, asked.context.div_ceil(4)..=asked.context / 2);
        let block: Vec<u32> = distinct(random, length, self.vocab).into_iter().map(|id| id as u32).collect();
        let row: Vec<u32> = block.into_iter().cycle().take(asked.context + 1).collect();
        Instance::of_row(&row, asked.context, length..asked.context)
    }

    fn word(&self, token: u32) -> String {
        format!("t{token}")
    }
}
