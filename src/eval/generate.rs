//! Sampling text.

use crate::{
    data::Tokenizer,
    model::{Pass, Transformer},
    random::{Purpose, generator},
};
use burn::{
    module::Module,
    tensor::{Int, Tensor, TensorData},
};
use rand::Rng;

/// How to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Tokens to add to the prompt.
    pub tokens: usize,
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f64,
    /// Only the most likely tokens whose probabilities before the last of them sum to at most this (nucleus sampling,
    /// Holtzman et al. 2019, as in the LLaMA release: `sample_top_p`). 1 keeps all.
    pub top_p: f64,
    /// Only so many of the most likely tokens.
    pub top_k: Option<usize>,
    /// Seed of the draws.
    pub seed: u64,
    /// Tokens that the model looks back at: its training context.
    pub context: usize,
}

/// Continues `prompt`; returns the prompt and what was added to it. Stops early where the model opens a new document.
///
/// The whole context is computed again for every token: there is no cache.
pub fn generate(model: &Transformer, tokenizer: &Tokenizer, prompt: &str, sampling: &Sampling) -> String {
    let device = &model.devices()[0];
    let mut tokens = vec![tokenizer.bos()];
    tokens.extend(tokenizer.encode(prompt));
    for position in 0..sampling.tokens {
        let recent = &tokens[tokens.len().saturating_sub(sampling.context)..];
        let values: Vec<i32> = recent.iter().map(|&token| token as i32).collect();
        let length = values.len();
        let input: Tensor<2, Int> = Tensor::from_data(TensorData::new(values, [1, length]), device);
        let logits = model.forward(input, &Pass::default());
        let vocab = logits.dims()[2];
        let logits = logits.slice([0..1, length - 1..length, 0..vocab]).into_data().convert::<f32>();
        let draw = generator(sampling.seed, Purpose::Sampling, &position.to_string()).next_u64();
        let uniform = (draw >> 11) as f64 / (1u64 << 53) as f64;
        let next = choose(logits.as_slice::<f32>().expect("logits were converted to f32"), sampling, uniform);
        if next == tokenizer.bos() {
            break;
        }
        tokens.push(next);
    }
    tokenizer.decode(&tokens)
}

/// The token that `uniform` in [0, 1) falls on. Equal logits are ordered by token.
fn choose(logits: &[f32], sampling: &Sampling, uniform: f64) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    if sampling.temperature == 0.0 {
        return order[0] as u32;
    }
    order.truncate(sampling.top_k.unwrap_or(usize::MAX).max(1));
    let largest = f64::from(logits[order[0]]);
    let mut weights: Vec<f64> = order.iter().map(|&id| ((f64::from(logits[id]) - largest) / sampling.temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut before = 0.0;
    let inside = |weight: &&f64| {
        let sum = before;
        before += *weight / total;
        sum <= sampling.top_p
    };
    let kept = weights.iter().take_while(inside).count();
    weights.truncate(kept.max(1));
    let mut rest = uniform * weights.iter().sum::<f64>();
    for (&id, weight) in order.iter().zip(&weights) {
        if rest < *weight {
            return id as u32;
        }
        rest -= weight;
    }
    order[weights.len() - 1] as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_p: f64, top_k: Option<usize>) -> Sampling {
        Sampling { tokens: 1, temperature, top_p, top_k, seed: 0, context: 8 }
    }

    /// Frequencies over a fine grid of draws.
    fn frequencies(logits: &[f32], sampling: &Sampling) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        for i in 0..100_000 {
            counts[choose(logits, sampling, (i as f64 + 0.5) / 100_000.0) as usize] += 1e-5;
        }
        counts
    }

    #[test]
    fn draws_follow_the_softmax() {
        let logits: Vec<f32> = [0.1f32, 0.6, 0.3].iter().map(|p| p.ln()).collect();
        for (found, expected) in frequencies(&logits, &sampling(1.0, 1.0, None)).iter().zip([0.1, 0.6, 0.3]) {
            assert!((found - expected).abs() < 1e-4);
        }
        // Temperature ½ squares the probabilities: 1, 36, 9 of 46.
        for (found, expected) in frequencies(&logits, &sampling(0.5, 1.0, None)).iter().zip([1.0 / 46.0, 36.0 / 46.0, 9.0 / 46.0]) {
            assert!((found - expected).abs() < 1e-4);
        }
    }

    #[test]
    fn limits_drop_the_tail_and_renormalise() {
        let logits: Vec<f32> = [0.1f32, 0.6, 0.3].iter().map(|p| p.ln()).collect();
        for limited in [sampling(1.0, 0.7, None), sampling(1.0, 1.0, Some(2))] {
            let found = frequencies(&logits, &limited);
            assert_eq!(found[0], 0.0);
            assert!((found[1] - 2.0 / 3.0).abs() < 1e-4);
        }
        assert_eq!(frequencies(&logits, &sampling(1.0, 0.0, None))[1].round(), 1.0, "the most likely token always stays");
        assert_eq!(choose(&logits, &sampling(0.0, 1.0, None), 0.999), 1);
    }
}
