//! Fuzzy in-context recall of MAD (Poli et al. 2024, arXiv 2403.17844, section 3), as in its code:
//! `generate_fuzzy_in_context_recall_instance` of athms/mad-lab at 0f49a452b8, with queries throughout.
//!
//! Keys and values are sequences of different tokens, of any length up to a limit; in validation keys have the longest. A
//! pair that was shown is asked for at the end, and so is every value whose key came before. Rows that are too short begin
//! with filler. Training is on every next token.
//!
//! One difference: the source may draw a place for the pair that is asked for behind the end of the row, and then asks for
//! what it has not shown. Here it is always shown.

use super::{
    Instance,
    draw::{below, distinct, within},
    task::{Asked, MAD, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

options! {
    /// Options of fuzzy in-context recall. The source varies vocabulary (32, 64, 128), context (256, 512, 1024; 128 at first)
    /// and training instances (6400, 3200, 1600, 800).
    FuzzyRecallConfig {
        /// Ids: the lower half are of keys, the upper half of values, the last is filler.
        vocab: usize = 16,
        /// Tokens of a key, at most; in validation exactly.
        key_length: usize = 3,
        /// Tokens of a value, at most.
        value_length: usize = 3,
    }
}

impl FuzzyRecallConfig {
    /// Ids of keys, and of keys and values.
    fn ids(&self) -> (usize, usize) {
        let known = self.vocab.saturating_sub(1);
        (known / 2, known)
    }
}

impl Task for FuzzyRecallConfig {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn published(&self) -> Published {
        MAD
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let (keys, known) = self.ids();
        let mut problems = vec![];
        for (option, length, ids) in [("key_length", self.key_length, keys), ("value_length", self.value_length, known - keys)] {
            if length == 0 || length > ids {
                problems.push(problem(option, format!("{length} different tokens of {ids}"), format!("from 1 to {ids}")));
            }
        }
        let longest = self.key_length.saturating_add(self.value_length);
        if problems.is_empty() {
            problems.extend(short(context, longest.saturating_mul(4), "four pairs"));
        }
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let (context, (keys, known)) = (asked.context, self.ids());
        let longest = self.key_length + self.value_length;
        let new_key = |random: &mut ChaCha8Rng| -> Vec<u32> {
            let length = if asked.training { within(random, 1..=self.key_length) } else { self.key_length };
            distinct(random, length, keys).into_iter().map(|id| id as u32).collect()
        };
        let new_value = |random: &mut ChaCha8Rng| -> Vec<u32> {
            let length = within(random, 1..=self.value_length);
            distinct(random, length, known - keys).into_iter().map(|id| (keys + id) as u32).collect()
        };
        let (probe, answer) = (new_key(random), new_value(random));
        // Pairs follow until less than a pair and the final one are left.
        let end = context - probe.len() - answer.len() - longest;
        let shown = below(random, end - longest + 1);
        let mut values = BTreeMap::from([(probe.clone(), answer.clone())]);
        let mut presented: Vec<Vec<u32>> = vec![];
        let (mut row, mut scored): (Vec<u32>, Vec<usize>) = (vec![], vec![]);
        let mut ask = |row: &mut Vec<u32>, key: Vec<u32>, value: &[u32]| {
            row.extend(&key);
            if presented.contains(&key) {
                scored.extend(row.len() - 1..row.len() - 1 + value.len());
            } else {
                presented.push(key);
            }
            row.extend(value);
        };
        let mut waiting = true;
        while row.len() < end {
            if waiting && row.len() >= shown {
                waiting = false;
                ask(&mut row, probe.clone(), &answer);
                continue;
            }
            let key = new_key(random);
            let value = values.entry(key.clone()).or_insert_with(|| new_value(random)).clone();
            ask(&mut row, key, &value);
        }
        ask(&mut row, probe, &answer);
        let filler = context + 1 - row.len();
        let whole: Vec<u32> = std::iter::repeat_n(self.vocab as u32 - 1, filler).chain(row).collect();
        if asked.training {
            Instance::of_row(&whole, context, 0..context)
        } else {
            Instance::of_row(&whole, context, scored.into_iter().map(|position| position + filler))
        }
    }

    fn word(&self, token: u32) -> String {
        let (keys, known) = self.ids();
        match token as usize {
            key if key < keys => format!("k{key}"),
            value if value < known => format!("v{}", value - keys),
            _ => "·".into(),
        }
    }
}
