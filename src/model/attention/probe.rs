//! How attention is spread: what the fused operators never write down.

use super::{Attention, AttentionSpec, module::qk_norm};
use crate::{
    model::{Pass, position::Position},
    ops::{AttentionOptions, ScoreBias, attention_scores},
};
use burn::tensor::Tensor;

/// How the attention of a layer is spread over what it sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Entropy of the weights in nats, the mean over heads and queries: ln n if n tokens are seen evenly.
    pub entropy: f64,
    /// The mean over queries of the head with the smallest.
    pub entropy_min: f64,
    /// The largest scaled product of a query and a key that it sees, before soft cap and bias.
    pub max_logit: f64,
}

impl Attention {
    /// How its weights are spread when it reads `x`, `[batch, seq, width]`, without gradients.
    pub fn spread(&self, x: Tensor<3>, position: &Position, pass: &Pass) -> Spread {
        let [batch, seq, _] = x.dims();
        let AttentionSpec { heads, kv_heads, .. } = self.spec;
        let (q, k) = self.queries_and_keys(x, position);
        let options = self.options(position, pass);
        let group = heads / kv_heads;
        let mut of_head = vec![0.0; heads];
        let mut max_logit = f64::NEG_INFINITY;
        // One sequence and one group of heads at a time: the matrices of scores are what fused operators avoid.
        for sequence in 0..batch {
            for shared in 0..kv_heads {
                let first = shared * group;
                let q = q.clone().slice([sequence..sequence + 1, first..first + group]);
                let k = k.clone().slice([sequence..sequence + 1, shared..shared + 1]);
                let starts = options.starts.clone().map(|starts| starts.narrow(0, sequence, 1));
                let (scaled, read) =
                    attention_scores(q, k, &AttentionOptions { starts, bias: of_heads(&options.bias, first, group), ..options });
                max_logit = max_logit.max(f64::from(scaled.max().into_scalar::<f32>()));
                let sums = entropies(read).sum_dim(1).into_data();
                for (sum, added) in of_head[first..].iter_mut().zip(sums.iter::<f64>()) {
                    *sum += added;
                }
            }
        }
        let means = || of_head.iter().map(|sum| sum / (batch * seq) as f64);
        Spread { entropy: means().sum::<f64>() / heads as f64, entropy_min: means().fold(f64::INFINITY, f64::min), max_logit }
    }

    /// Queries and keys as they meet, `[batch, heads, seq, head_dim]` and `[batch, kv_heads, seq, head_dim]`.
    fn queries_and_keys(&self, x: Tensor<3>, position: &Position) -> (Tensor<4>, Tensor<4>) {
        let [batch, seq, _] = x.dims();
        let AttentionSpec { heads, kv_heads, head_dim, .. } = self.spec;
        let (_, whole) = qk_norm(&self.spec.qk_norm);
        let split = |x: Tensor<3>, heads: usize| x.reshape([batch, seq, heads, head_dim]);
        let q = self.query.forward(x.clone());
        let k = self.key.forward(x);
        let (q, k) = if whole {
            (split(self.query_norm.forward(q), heads), split(self.key_norm.forward(k), kv_heads))
        } else {
            (self.query_norm.forward(split(q, heads)), self.key_norm.forward(split(k, kv_heads)))
        };
        position.rotate(q.swap_dims(1, 2), k.swap_dims(1, 2), self.layer)
    }
}

/// What is added to the scores of `count` heads from `first` on.
fn of_heads(bias: &ScoreBias, first: usize, count: usize) -> ScoreBias {
    match bias {
        ScoreBias::None => ScoreBias::None,
        ScoreBias::Alibi(slopes) => ScoreBias::Alibi(slopes[first..first + count].to_vec()),
        ScoreBias::Relative { table, max_distance } => {
            let buckets = table.dims()[0];
            ScoreBias::Relative { table: table.clone().slice([0..buckets, first..first + count]), max_distance: *max_distance }
        }
    }
}

/// The entropy of each row's softmax, `[heads, queries]`: ln Σ eᵗ - Σ t·eᵗ / Σ eᵗ, t being the scores less their maximum.
fn entropies(scores: Tensor<4>) -> Tensor<2> {
    let [_, heads, queries, _] = scores.dims();
    // What is not seen has the score -∞: a large number keeps its share at 0 where infinity would make it no number.
    let t = (scores.clone() - scores.max_dim(3)).clamp_min(-1e30);
    let weights = t.clone().exp();
    let sum = weights.clone().sum_dim(3);
    let entropy = sum.clone().log() - (weights * t).sum_dim(3) / sum;
    entropy.reshape([heads, queries])
}

#[cfg(test)]
mod tests;
