//! In-context recall of MAD (Poli et al. 2024, "Mechanistic Design and Scaling of Hybrid Architectures", arXiv 2403.17844,
//! section 3), as in its code: `generate_in_context_recall_instance` of athms/mad-lab at 0f49a452b8.
//!
//! Keys and values alternate; a key has one value throughout an instance. The value of a key that came before is asked for.
//! As in the source, training is on every next token, and only what can be known is scored.

use super::{
    Instance,
    draw::{below, unit},
    task::{Asked, MAD, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of in-context recall. The source varies vocabulary (32, 64, 128), context (256, 512, 1024; 128 at first) and
    /// training instances (6400, 3200, 1600, 800).
    InContextRecallConfig {
        /// Ids: the lower half are keys, the upper half values.
        vocab: usize = 16,
        /// Ask for every key that came before; otherwise only for one at the end, behind a token that announces it.
        multi_query: bool = true,
    }
}

/// Recall with and without noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recall {
    pub vocab: usize,
    /// Ids of `vocab` that are noise.
    pub noise_vocab: usize,
    /// Share of the pairs that are noise.
    pub noise: f64,
    pub multi_query: bool,
}

impl Recall {
    /// Ids of keys and values.
    fn known(&self) -> usize {
        self.vocab.saturating_sub(self.noise_vocab).saturating_sub(usize::from(!self.multi_query))
    }

    pub fn problems(&self, context: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.known() < 4 {
            let least = 4 + self.noise_vocab + usize::from(!self.multi_query);
            problems.push(problem("vocab", format!("{} ids are no two keys and two values", self.vocab), format!("at least {least}")));
        }
        problems.extend(short(context, 4, "a pair and its key once more"));
        if context % 2 == 1 {
            problems.push(Problem::new("model.context", format!("pairs do not fill {context} tokens")).help("an even number"));
        }
        problems
    }

    pub fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let (context, known) = (asked.context, self.known());
        let (keys, pairs) = (known / 2, context / 2);
        let mut values: Vec<Option<u32>> = vec![None; keys];
        let mut row = Vec::with_capacity(context + 1);
        let mut scored = vec![];
        // One pair at least is none of noise.
        let sound = below(random, pairs - 1);
        for pair in 0..pairs - 1 {
            if pair != sound && self.noise > 0.0 && unit(random) < self.noise {
                row.extend([(); 2].map(|()| (known + below(random, self.noise_vocab)) as u32));
                continue;
            }
            let key = below(random, keys);
            if values[key].is_some() && self.multi_query {
                scored.push(row.len());
            }
            let value = *values[key].get_or_insert_with(|| (keys + below(random, known - keys)) as u32);
            row.extend([key as u32, value]);
        }
        let presented: Vec<usize> = (0..keys).filter(|key| values[*key].is_some()).collect();
        let probe = presented[below(random, presented.len())];
        if !self.multi_query {
            row.push(self.vocab as u32 - 1);
        }
        scored.push(row.len());
        row.extend([probe as u32, values[probe].expect("it was presented")]);
        if asked.training { Instance::of_row(&row, context, 0..row.len() - 1) } else { Instance::of_row(&row, context, scored) }
    }

    pub fn word(&self, token: u32) -> String {
        let (token, known) = (token as usize, self.known());
        match token {
            key if key < known / 2 => format!("k{key}"),
            value if value < known => format!("v{}", value - known / 2),
            noise if noise < known + self.noise_vocab => format!("noise{}", noise - known),
            _ => "copy".into(),
        }
    }
}

impl InContextRecallConfig {
    fn recall(&self) -> Recall {
        Recall { vocab: self.vocab, noise_vocab: 0, noise: 0.0, multi_query: self.multi_query }
    }
}

impl Task for InContextRecallConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        MAD
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        self.recall().problems(context)
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        self.recall().draw(asked, random)
    }

    fn word(&self, token: u32) -> String {
        self.recall().word(token)
    }
}
