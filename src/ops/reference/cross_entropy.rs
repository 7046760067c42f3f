//! The head's product and its cross-entropy.

use super::{Sums, linear};
use crate::ops::CrossEntropyOptions;

/// Losses over the logits x·W + b: x `[n, width]`, W `[width, vocab]`, b `[vocab]`, a target per row.
#[derive(Clone, Copy, Debug)]
pub struct LinearCrossEntropy<'a> {
    /// Entries of the vocabulary.
    pub vocab: usize,
    /// `[n]`, each below vocab.
    pub targets: &'a [usize],
    /// Soft cap, z-loss, label smoothing.
    pub options: CrossEntropyOptions,
}

/// The losses of `n` tokens in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// What is minimised, `[n]`.
    pub objective: Sums,
    /// Cross-entropy of the target alone, `[n]`.
    pub nats: Sums,
}

/// The logits of one token, and what follows from them.
struct Token {
    /// After the soft cap.
    logits: Vec<f64>,
    /// Derivative of each by the logit before the cap.
    slopes: Vec<f64>,
    sizes: Vec<f64>,
    log_sum: f64,
    /// Its own, and the mean of those of the logits.
    log_sum_size: f64,
}

impl LinearCrossEntropy<'_> {
    fn tokens(&self, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<Token> {
        let logits = linear::forward(x, weight, bias, self.vocab);
        let rows = logits.value.chunks(self.vocab).zip(logits.size.chunks(self.vocab));
        rows.map(|(raw, sizes)| {
            let capped = |z: f64| self.options.soft_cap.map_or((z, 1.0), |cap| (cap * (z / cap).tanh(), 1.0 - (z / cap).tanh().powi(2)));
            let (logits, slopes): (Vec<f64>, Vec<f64>) = raw.iter().map(|z| capped(*z)).unzip();
            let top = logits.iter().fold(f64::NEG_INFINITY, |top, z| top.max(*z));
            let log_sum = top + logits.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
            let log_sum_size = log_sum.abs() + logits.iter().zip(sizes).map(|(z, size)| (z - log_sum).exp() * size).sum::<f64>();
            Token { logits, slopes, sizes: sizes.to_vec(), log_sum, log_sum_size }
        })
        .collect()
    }

    /// The losses of every token.
    pub fn forward(&self, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Losses {
        let CrossEntropyOptions { z_loss, label_smoothing: e, .. } = self.options;
        let [mut objective, mut nats] = [(); 2].map(|()| Sums::zeros(self.targets.len()));
        for (i, (token, target)) in self.tokens(x, weight, bias).iter().zip(self.targets).enumerate() {
            let vocab = self.vocab as f64;
            let loss = token.log_sum - token.logits[*target];
            let size = token.log_sum_size + token.sizes[*target];
            let even = token.logits.iter().map(|z| token.log_sum - z).sum::<f64>() / vocab;
            let even_size = token.log_sum_size + token.sizes.iter().sum::<f64>() / vocab;
            nats.add_sized(i, loss, size);
            objective.add_sized(i, (1.0 - e) * loss, (1.0 - e) * size);
            objective.add_sized(i, e * even, e * even_size);
            objective.add_sized(i, z_loss * token.log_sum.powi(2), z_loss * token.log_sum_size.powi(2));
        }
        Losses { objective, nats }
    }

    /// The gradients of x, W and b of Σ `scale`·objective.
    pub fn backward(&self, x: &[f64], weight: &[f64], bias: Option<&[f64]>, scale: f64) -> [Sums; 3] {
        let CrossEntropyOptions { z_loss, label_smoothing: e, .. } = self.options;
        let mut logits = Sums::zeros(self.targets.len() * self.vocab);
        for (i, (token, target)) in self.tokens(x, weight, bias).iter().zip(self.targets).enumerate() {
            for j in 0..self.vocab {
                let p = (token.logits[j] - token.log_sum).exp() * (1.0 + 2.0 * z_loss * token.log_sum);
                let share = e / self.vocab as f64 + if j == *target { 1.0 - e } else { 0.0 };
                // A logit that is off by a rounding of its size changes its probability by that share. The slope of the cap is
                // itself a difference near 0 where the cap bites, so it makes nothing smaller here.
                let size = p.abs() * (1.0 + token.sizes[j] + token.log_sum_size) + share;
                logits.add_sized(i * self.vocab + j, scale * (p - share) * token.slopes[j], scale.abs() * size);
            }
        }
        linear::backward(x, weight, &logits, self.vocab)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn gradients_agree_with_differences() {
        let (n, width, vocab) = (3, 4, 7);
        let (x, w, b) = (numbers("x", n * width), numbers("w", width * vocab), numbers("b", vocab));
        for (soft_cap, z_loss, label_smoothing) in [(None, 0.0, 0.0), (Some(0.8), 0.0, 0.0), (None, 0.01, 0.1), (Some(2.0), 0.02, 0.2)] {
            let options = CrossEntropyOptions { soft_cap, z_loss, label_smoothing };
            let loss = LinearCrossEntropy { vocab, targets: &[3, 0, 6], options };
            let scale = vec![0.4; n];
            let [dx, dw, db] = loss.backward(&x, &w, Some(&b), 0.4);
            gradient("dx", &dx, &x, &scale, |x| loss.forward(x, &w, Some(&b)).objective.value);
            gradient("dw", &dw, &w, &scale, |w| loss.forward(&x, w, Some(&b)).objective.value);
            gradient("db", &db, &b, &scale, |b| loss.forward(&x, &w, Some(b)).objective.value);
        }
    }

    #[test]
    fn even_logits_cost_the_log_of_the_vocabulary() {
        let options = CrossEntropyOptions { label_smoothing: 0.3, ..CrossEntropyOptions::default() };
        let losses = LinearCrossEntropy { vocab: 11, targets: &[4], options }.forward(&[2.5], &[1.0; 11], None);
        for loss in [&losses.objective, &losses.nats] {
            assert!((loss.value[0] - 11f64.ln()).abs() < 1e-12);
        }
    }
}
