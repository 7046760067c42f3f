//! Memorization of MAD (Poli et al. 2024, arXiv 2403.17844, section 3), as in its code: `generate_memorization_instance` of
//! athms/mad-lab at 0f49a452b8.
//!
//! ```text
//! input   k₁ ? k₂ ? k₁ ?
//! target     v₁   v₂   v₁
//! ```
//!
//! Which value belongs to which key is the same in all instances of a corpus, and no instance shows it: the model has to
//! know. Validation asks for the same facts in sequences that training has not seen.

use super::{
    Instance, Target,
    draw::below,
    task::{Asked, Published, Task, problem, short},
};
use crate::{
    data::order::Permutation,
    settings::{Problem, options},
};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of memorization. The source varies the vocabulary (512 to 8192), with a context of 32.
    MemorizationConfig {
        /// Ids: the lower half are keys, the upper half values, the last asks.
        vocab: usize = 256,
    }
}

impl Task for MemorizationConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        Published { train: 256, validation: 1280 }
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.vocab < 5 {
            problems.push(problem("vocab", format!("{} ids are no two facts", self.vocab), "at least 5"));
        }
        problems.extend(short(context, 2, "a key and its question"));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let keys = (self.vocab - 1) / 2;
        let values = (self.vocab - 1 - keys) as u64;
        // The facts of a corpus: an order of the values, of which the first ones belong to the keys.
        let facts = Permutation::new(asked.seed, 0, values);
        let mut tokens = Vec::with_capacity(asked.context + 1);
        let mut targets = vec![];
        while tokens.len() < asked.context {
            let key = below(random, keys);
            tokens.extend([key as u32, self.vocab as u32 - 1]);
            targets.push(Target { position: tokens.len() - 1, token: keys as u32 + facts.at(key as u64) as u32 });
        }
        // A context of odd length ends with a key that nothing is asked of.
        tokens.truncate(asked.context);
        targets.retain(|target| target.position < asked.context);
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        let keys = (self.vocab - 1) / 2;
        match token as usize {
            key if key < keys => format!("k{key}"),
            value if value + 1 < self.vocab => format!("v{}", value - keys),
            _ => "?".into(),
        }
    }
}
