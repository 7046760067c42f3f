//! Which alternative is chosen, by every normalisation that the field uses.

use crate::eval::tasks::Choice;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, f64::consts::LN_2};

/// What is known of an alternative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Log-probability given the context, in nats.
    pub log: f64,
    /// Scored tokens.
    pub tokens: usize,
    /// Characters of the alternative, without what joins it to the context.
    pub characters: usize,
    /// Its bytes in UTF-8.
    pub bytes: usize,
    /// Whether greedy decoding would give it.
    pub greedy: bool,
    /// Log-probability behind `Answer:` alone; none where the question has no context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_answer: Option<f64>,
    /// Log-probability at the start of a document; none where the question has no context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<f64>,
}

/// How the log-probabilities of alternatives are made comparable: the name of the metric, and what is compared.
type Normalisation = (&'static str, fn(&Scored) -> Option<f64>);

/// Every normalisation.
///
/// * `acc`: log P(alternative | context).
/// * `acc_per_token`: divided by tokens (the CORE metric; the inverse of perplexity).
/// * `acc_norm`: divided by characters (lm-evaluation-harness, LLaMA).
/// * `acc_bytes`: divided by bytes.
/// * `acc_uncond`: less log P(alternative | "Answer:") (Brown et al. 2020; LLaMA for OpenBookQA and BoolQ; OLMES).
/// * `acc_mutual_info`: less log P(alternative), nothing before it (lm-evaluation-harness).
const NORMALISATIONS: [Normalisation; 6] = [
    ("acc", |option| Some(option.log)),
    ("acc_per_token", |option| Some(option.log / option.tokens as f64)),
    ("acc_norm", |option| Some(option.log / option.characters as f64)),
    ("acc_bytes", |option| Some(option.log / option.bytes as f64)),
    ("acc_uncond", |option| Some(option.log - option.after_answer?)),
    ("acc_mutual_info", |option| Some(option.log - option.alone?)),
];

/// The chosen alternative by each normalisation that is defined: the first of the best ones.
pub(super) fn chosen(options: &[Scored]) -> BTreeMap<&'static str, usize> {
    let pick = |(name, of): &Normalisation| {
        let values = options.iter().map(of).collect::<Option<Vec<f64>>>()?;
        let best = (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b]))?;
        Some((*name, best))
    };
    NORMALISATIONS.iter().filter_map(pick).collect()
}

/// What an item's metrics are, and the sizes of those that are not per item.
pub(super) type Metrics = (BTreeMap<String, f64>, BTreeMap<String, f64>);

/// Whether each normalisation chooses rightly; the probability of the right alternative among all (`prob_gold`) and its bits
/// per byte (`gold_bits_per_byte`), which tell small models apart where all of them guess.
pub(super) fn metrics(choice: &Choice, options: &[Scored]) -> Metrics {
    let mut metrics: BTreeMap<String, f64> =
        chosen(options).into_iter().map(|(name, pick)| (name.to_string(), f64::from(pick == choice.gold))).collect();
    let gold = &options[choice.gold];
    let largest = options.iter().fold(f64::NEG_INFINITY, |largest, option| largest.max(option.log));
    let total: f64 = options.iter().map(|option| (option.log - largest).exp()).sum();
    metrics.insert("prob_gold".into(), (gold.log - largest).exp() / total);
    metrics.insert(GOLD_BITS.into(), -gold.log / LN_2);
    (metrics, BTreeMap::from([(GOLD_BITS.to_string(), gold.bytes as f64)]))
}

/// Bits of the right answer; its size is its bytes.
pub(super) const GOLD_BITS: &str = "gold_bits_per_byte";
