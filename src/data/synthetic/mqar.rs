//! Multi-query associative recall (Arora et al. 2023, "Zoology", arXiv 2312.04927, section 4 and appendix), as in its code:
//! `multiquery_ar.py` of HazyResearch/zoology at d88d6f5474.
//!
//! ```text
//! input   k₁ v₁ k₂ v₂ · · k₂ · · · k₁ ·
//! target              . . v₂ . . . v₁ .
//! ```
//!
//! Pairs of a key and a value come first, then every key once more, somewhere; there its value is asked for. The place of
//! the i-th slot of two tokens behind the pairs has the weight a·i^(a-1): queries close to the pairs are likely, as the
//! distance at which a bigram of natural text comes again falls by a power law.

use super::{
    Instance, Target,
    draw::{below, distinct, weighted},
    task::{Asked, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of multi-query associative recall. The published settings are (context, pairs) = (64, 4), (128, 8), (256, 16)
    /// and (512, 64), figure 2.
    MqarConfig {
        /// Ids: 0 fills, the lower half are keys, the upper half values.
        vocab: usize = 8192,
        /// Pairs of a key and a value at the training context; as many times more at longer ones.
        pairs: usize = 4,
        /// Exponent a of the power law of the slots; 1 makes all slots alike.
        power: f64 = 0.01,
        /// Put random ids where nothing is asked instead of 0: the code's default. Its runs for figure 2 set false.
        random_non_queries: bool = true,
    }
}

impl Task for MqarConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        Published { train: 100_000, validation: 3000 }
    }

    fn problems(&self, context: usize, multiple: usize) -> Vec<Problem> {
        let pairs = self.pairs.saturating_mul(multiple);
        let mut problems = vec![];
        if self.pairs == 0 {
            problems.push(problem("pairs", "must be at least 1", "the published settings start with 4"));
        }
        if (self.vocab / 2).saturating_sub(1) < pairs {
            let message = format!("{} ids have no {pairs} different keys", self.vocab);
            problems.push(problem("vocab", message, format!("at least {}", pairs.saturating_mul(2).saturating_add(2))));
        }
        if !(self.power > 0.0 && self.power.is_finite()) {
            problems.push(problem("power", "must be positive", "0.01 is the published value, 1 makes all slots alike"));
        }
        problems.extend(short(context, pairs.saturating_mul(4), &format!("{pairs} pairs and as many queries")));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let (context, pairs, half) = (asked.context, self.pairs * asked.multiple, self.vocab / 2);
        let keys: Vec<u32> = distinct(random, pairs, half - 1).iter().map(|key| *key as u32 + 1).collect();
        let values: Vec<u32> = distinct(random, pairs, self.vocab - half).iter().map(|value| (value + half) as u32).collect();
        let mut tokens = vec![0; context];
        for (place, (key, value)) in keys.iter().zip(&values).enumerate() {
            (tokens[2 * place], tokens[2 * place + 1]) = (*key, *value);
        }
        let space = (context - 2 * pairs) / 2;
        let weights: Vec<f64> = (1..=space).map(|slot| self.power * (slot as f64).powf(self.power - 1.0)).collect();
        let mut targets = vec![];
        for (slot, (key, value)) in weighted(random, pairs, &weights).into_iter().zip(keys.iter().zip(&values)) {
            let position = 2 * pairs + 2 * slot;
            tokens[position] = *key;
            targets.push(Target { position, token: *value });
        }
        targets.sort_by_key(|target| target.position);
        if self.random_non_queries {
            tokens.iter_mut().filter(|token| **token == 0).for_each(|token| *token = below(random, self.vocab) as u32);
        }
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        match token as usize {
            0 => "·".into(),
            key if key < self.vocab / 2 => format!("k{key}"),
            value => format!("v{}", value - self.vocab / 2),
        }
    }
}
