//! From counts to probabilities.

use super::{
    builder::Builder,
    model::Model,
    trie::{Level, Trie},
    vocabulary::{BEGIN, UNKNOWN, Vocabulary},
};
use crate::settings::{Error, Result};

/// What is taken off adjusted counts of 1, 2, and 3 or more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discounts {
    /// The three of them.
    pub by_count: [f64; 3],
    /// They are the fallback: the counts allow no estimate.
    pub fallback: bool,
}

impl Discounts {
    /// Equation 26 of Chen and Goodman, from how many n-grams have an adjusted count of 1 to 4. `lmplz` refuses it where one
    /// of the first three is 0 or a discount is beyond its count.
    fn estimate(n: [u64; 4]) -> Option<[f64; 3]> {
        let [n1, n2, ..] = n.map(|n| n as f64);
        let y = n1 / (n1 + 2.0 * n2);
        let discounts = [1, 2, 3].map(|j| j as f64 - (j + 1) as f64 * y * n[j] as f64 / n[j - 1] as f64);
        let fits = |j: usize| n[j] > 0 && (0.0..=(j + 1) as f64).contains(&discounts[j]);
        (0..3).all(fits).then_some(discounts)
    }

    fn of(&self, count: u32) -> f64 {
        match count {
            0 => 0.0,
            count => self.by_count[count.min(3) as usize - 1],
        }
    }
}

/// The probabilities of one order.
pub(super) struct Probabilities {
    pub level: Level,
    /// The n-gram without its last word, in the level below; empty for single words.
    pub contexts: Vec<u32>,
    /// Of the last word after the others.
    pub values: Vec<f32>,
    /// What is left for words that were not seen after the n-gram; empty for the highest order.
    pub backoffs: Vec<f32>,
}

/// An estimated model, from which an ARPA file and a [`Model`] are made.
pub struct Estimate {
    pub(super) vocabulary: Vocabulary,
    pub(super) orders: Vec<Probabilities>,
    discounts: Vec<Discounts>,
}

impl Estimate {
    pub(super) fn new(trie: Trie, vocabulary: Vocabulary, fallback: Option<[f64; 3]>) -> Result<Self> {
        let mut discounts = vec![];
        for (order, level) in trie.levels.iter().enumerate() {
            let mut n = [0u64; 5];
            level.counts.iter().filter(|count| **count < 5).for_each(|count| n[*count as usize] += 1);
            discounts.push(match (Discounts::estimate([n[1], n[2], n[3], n[4]]), fallback) {
                (Some(by_count), _) => Discounts { by_count, fallback: false },
                (None, Some(by_count)) => Discounts { by_count, fallback: true },
                (None, None) => {
                    let message = format!("its {}-grams have too few different counts to estimate discounts from", order + 1);
                    return Err(Error::input("the training text", message, "remove duplicates, add text, or set discount_fallback"));
                }
            });
        }
        let mut new = Self { vocabulary, orders: vec![], discounts };
        for level in trie.levels {
            match new.orders.is_empty() {
                true => new.words(level),
                false => new.order(level),
            }
        }
        Ok(new)
    }

    /// Single words are interpolated with the uniform distribution over all but `<s>`; `<unk>` was seen 0 times.
    fn words(&mut self, level: Level) {
        let discounts = self.discounts[0];
        let total: u64 = level.counts.iter().map(|count| u64::from(*count)).sum();
        let left: f64 = level.counts.iter().map(|count| discounts.of(*count)).sum::<f64>() / total as f64;
        let uniform = left / (level.words.len() - 1) as f64;
        let seen = |count: &u32| ((f64::from(*count) - discounts.of(*count)) / total as f64 + uniform) as f32;
        let mut values: Vec<f32> = level.counts.iter().map(seen).collect();
        values[UNKNOWN as usize] = uniform as f32;
        // So that a sentence may be scored with it.
        values[BEGIN as usize] = 1.0;
        self.orders.push(Probabilities { level, contexts: vec![], values, backoffs: vec![] });
    }

    fn order(&mut self, level: Level) {
        let order = self.orders.len();
        let discounts = self.discounts[order];
        let below = &self.orders[order - 1];
        let contexts = match order {
            1 => level.words.clone(),
            _ => contexts(&level, below, &self.orders[order - 2].level),
        };
        let mut totals = vec![0u64; below.values.len()];
        let mut left = vec![0f64; below.values.len()];
        for (at, (context, count)) in contexts.iter().zip(&level.counts).enumerate() {
            totals[*context as usize] += u64::from(*count);
            // What is left out gives all it has to the words that were not seen.
            left[*context as usize] += if level.pruned(at) { f64::from(*count) } else { discounts.of(*count) };
        }
        // Without what follows it, an n-gram is no context: nothing is taken off.
        let backoffs: Vec<f32> =
            totals.iter().zip(&left).map(|(total, left)| if *total == 0 { 1.0 } else { (left / *total as f64) as f32 }).collect();
        let mut values = Vec::with_capacity(level.words.len());
        for (parent, lower) in below.values.iter().enumerate() {
            for at in below.level.children(parent, level.words.len()) {
                let (context, count) = (contexts[at] as usize, level.counts[at]);
                let seen = (f64::from(count) - discounts.of(count)) / totals[context] as f64;
                values.push((seen + f64::from(backoffs[context]) * f64::from(*lower)) as f32);
            }
        }
        self.orders[order - 1].backoffs = backoffs;
        self.orders.push(Probabilities { level, contexts, values, backoffs: vec![] });
    }

    /// What was taken off the counts, by order.
    pub fn discounts(&self) -> &[Discounts] {
        &self.discounts
    }

    /// n-grams of each order, those that were left out not counted.
    pub fn counts(&self) -> Vec<u64> {
        let kept = |order: &Probabilities| (0..order.values.len()).filter(|at| !order.level.pruned(*at)).count() as u64;
        self.orders.iter().map(kept).collect()
    }

    /// The model that scores text.
    pub fn into_model(mut self) -> Model {
        let highest = self.orders.len();
        let counts: u64 = self.counts()[1..].iter().sum();
        let mut builder = Builder::new(std::mem::replace(&mut self.vocabulary, Vocabulary::empty()), highest, counts as usize);
        // Numbers of nodes of the level before: those that were left out have none, and are asked for by none.
        let mut nodes: Vec<u32> = vec![];
        for order in 0..highest {
            let now = &self.orders[order];
            let backoff = |at: usize| now.backoffs.get(at).map_or(0.0, |b| log10(*b));
            if order == 0 {
                nodes = (0..now.values.len()).map(|at| builder.word(at as u32, log10(now.values[at]), backoff(at))).collect();
                continue;
            }
            let below = &self.orders[order - 1];
            builder.level(order + 1);
            let mut here = vec![0; if order + 1 < highest { now.values.len() } else { 0 }];
            for parent in 0..below.values.len() {
                for at in below.level.children(parent, now.values.len()).filter(|at| !now.level.pruned(*at)) {
                    let (context, lower) = (nodes[now.contexts[at] as usize], nodes[parent]);
                    let node = builder.add(context, lower, log10(now.values[at]), backoff(at));
                    if let Some(place) = here.get_mut(at) {
                        *place = node;
                    }
                }
            }
            nodes = here;
        }
        builder.finish()
    }
}

/// The context of every n-gram: what stands before its last word. Within the children of one parent, contexts are the children
/// of the parent's own context, and both are ordered by their first words.
fn contexts(level: &Level, below: &Probabilities, lowest: &Level) -> Vec<u32> {
    let mut all = Vec::with_capacity(level.words.len());
    for (parent, context) in below.contexts.iter().enumerate() {
        let candidates = lowest.children(*context as usize, below.level.words.len());
        let words = &below.level.words[candidates.clone()];
        let mut from = 0;
        for at in below.level.children(parent, level.words.len()) {
            from += seek(&words[from..], level.words[at]);
            all.push((candidates.start + from) as u32);
        }
    }
    all
}

/// How many words are below one that is there: steps that double, then halve.
fn seek(words: &[u32], word: u32) -> usize {
    let mut step = 1;
    while step < words.len() && words[step] < word {
        step *= 2;
    }
    step / 2 + words[step / 2..words.len().min(step + 1)].partition_point(|other| *other < word)
}

/// As `lmplz` writes it: rounding must not give more than probability 1.
pub(super) fn log10(probability: f32) -> f32 {
    (f64::from(probability).log10() as f32).min(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discounts_are_those_of_the_equation_or_none() {
        let discounts = Discounts::estimate([10, 5, 3, 2]).unwrap();
        let y = 10.0 / 20.0;
        assert_eq!(discounts, [1.0 - 2.0 * y * 5.0 / 10.0, 2.0 - 3.0 * y * 3.0 / 5.0, 3.0 - 4.0 * y * 2.0 / 3.0]);
        assert_eq!(Discounts::estimate([0, 5, 3, 2]), None);
        assert_eq!(Discounts::estimate([10, 5, 0, 2]), None);
        assert_eq!(Discounts::estimate([10, 1, 30, 2]), None);
        assert!(Discounts::estimate([10, 5, 3, 0]).is_some());
    }

    #[test]
    fn seeking_finds_the_place_of_every_word() {
        let words: Vec<u32> = (0..100).map(|word| word * 3).collect();
        for from in 0..100 {
            for at in from..100 {
                assert_eq!(seek(&words[from..], words[at]), at - from);
            }
        }
    }
}
