//! Selective copying of MAD (Poli et al. 2024, arXiv 2403.17844, section 3), as in its code: `generate_copying_instance` of
//! athms/mad-lab at 0f49a452b8, `selective`.
//!
//! ```text
//! input   a · · b · c copy · · ·
//! target                   a b c
//! ```
//!
//! Blanks lie before the tokens, each before any of them with the same chance. Behind the token that announces it, the model
//! says the tokens while it reads blanks. (The source draws where the blanks lie from a generator that its seed does not
//! reach; here they are as repeatable as the rest.)

use super::{
    Instance, Target,
    draw::below,
    task::{Asked, MAD, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of selective copying. The source varies vocabulary (32, 64, 128), context (512, 1024; 256 at first), training
    /// instances (6400, 3200, 1600, 800) and tokens to copy (32, 64, 96).
    SelectiveCopyingConfig {
        /// Ids: the last announces the copy, the one before it is blank.
        vocab: usize = 16,
        /// Tokens to copy, at every length of the context.
        tokens: usize = 16,
    }
}

impl Task for SelectiveCopyingConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        MAD
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.vocab < 4 {
            problems.push(problem("vocab", format!("{} ids leave no choice", self.vocab), "at least 4"));
        }
        if self.tokens == 0 {
            problems.push(problem("tokens", "nothing is to copy", "the source copies 16 to 96"));
        }
        problems.extend(short(context, self.tokens.saturating_mul(2).saturating_add(2), "what is copied, its copy and a blank"));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let (copy, blank) = (self.vocab as u32 - 1, self.vocab as u32 - 2);
        let said: Vec<u32> = (0..self.tokens).map(|_| below(random, self.vocab - 2) as u32).collect();
        let mut blanks = vec![0usize; self.tokens];
        for _ in 0..asked.context - 2 * self.tokens - 1 {
            blanks[below(random, self.tokens)] += 1;
        }
        let mut tokens = Vec::with_capacity(asked.context);
        for (token, blanks) in said.iter().zip(blanks) {
            tokens.extend(std::iter::repeat_n(blank, blanks));
            tokens.push(*token);
        }
        tokens.push(copy);
        let first = tokens.len();
        tokens.resize(asked.context, blank);
        let targets = said.into_iter().enumerate().map(|(place, token)| Target { position: first + place, token }).collect();
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        match self.vocab as u32 - token {
            1 => "copy".into(),
            2 => "·".into(),
            _ => format!("t{token}"),
        }
    }
}
