//! Noisy in-context recall of MAD (Poli et al. 2024, arXiv 2403.17844, section 3), as in its code:
//! `generate_noisy_in_context_recall_instance` of athms/mad-lab at 0f49a452b8. In-context recall in which some pairs are two
//! tokens of noise, from a vocabulary of their own.

use super::{
    Instance,
    in_context_recall::Recall,
    task::{Asked, MAD, Published, Task, problem},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of noisy in-context recall. The source varies vocabulary (48, 80, 144), context (256, 512, 1024; 128 at
    /// first), training instances (6400, 3200, 1600, 800) and noise (0.4, 0.6, 0.8).
    NoisyRecallConfig {
        /// Ids, those of noise included: keys, values, noise.
        vocab: usize = 32,
        /// Ids of noise.
        noise_vocab: usize = 16,
        /// Share of the pairs that are noise.
        noise: f64 = 0.2,
        /// Ask for every key that came before; otherwise only for one at the end, behind a token that announces it.
        multi_query: bool = true,
    }
}

impl NoisyRecallConfig {
    fn recall(&self) -> Recall {
        let &Self { vocab, noise_vocab, noise, multi_query } = self;
        Recall { vocab, noise_vocab, noise, multi_query }
    }
}

impl Task for NoisyRecallConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        MAD
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = self.recall().problems(context);
        if !(0.0..1.0).contains(&self.noise) {
            problems.push(problem("noise", format!("{} is no share below 1", self.noise), "the source uses 0.2 to 0.8"));
        }
        if self.noise > 0.0 && self.noise_vocab == 0 {
            problems.push(problem("noise_vocab", "noise needs ids", "the source uses 16"));
        }
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        self.recall().draw(asked, random)
    }

    fn word(&self, token: u32) -> String {
        self.recall().word(token)
    }
}
