//! Compression of MAD (Poli et al. 2024, arXiv 2403.17844, section 3), as in its code: `generate_compression_instance` of
//! athms/mad-lab at 0f49a452b8.
//!
//! Random tokens and one that ends them; every token is asked for, the last one included. The answers are read from the state
//! of the last token alone, by a model with `model.readout.kind = "last"`.

use super::{
    Instance, Target,
    draw::below,
    task::{Asked, MAD, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of compression. The source varies vocabulary (32, 64, 128), context (64, 128, 256; 32 at first) and training
    /// instances (6400, 3200, 1600, 800).
    CompressionConfig {
        /// Ids: the last ends the sequence.
        vocab: usize = 16,
    }
}

impl Task for CompressionConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        MAD
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.vocab < 3 {
            problems.push(problem("vocab", format!("{} ids leave no choice", self.vocab), "at least 3"));
        }
        problems.extend(short(context, 2, "a token and the end"));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let end = self.vocab as u32 - 1;
        let tokens: Vec<u32> = (1..asked.context).map(|_| below(random, self.vocab - 1) as u32).chain([end]).collect();
        let targets = tokens.iter().enumerate().map(|(position, token)| Target { position, token: *token }).collect();
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        if token as usize + 1 == self.vocab { "end".into() } else { format!("t{token}") }
    }
}
