//! Causal attention with every option.

use super::Sums;

/// What is added to the scores.
#[derive(Clone, Copy, Debug)]
pub enum Bias<'a> {
    /// Nothing.
    None,
    /// -slope · distance, a slope per query head.
    Slopes(&'a [f64]),
    /// An entry of a table by distance and query head.
    Table {
        /// `[buckets, heads]`.
        table: &'a [f64],
        /// The bucket of each distance from 0 on.
        bucket: &'a [usize],
    },
}

/// softmax(cap(scale·q·kᵀ) + bias)·v; the queries stand at the last positions of the keys and see themselves and what is
/// before them.
///
/// q `[batch, heads, queries, head_dim]`, k and v `[batch, kv_heads, keys, head_dim]`; query head h reads kv head
/// h / (heads / kv_heads).
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Sequences.
    pub batch: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Queries of a sequence.
    pub queries: usize,
    /// Keys of a sequence.
    pub keys: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Factor on the scores.
    pub scale: f64,
    /// Scores s become c·tanh(s/c), before the bias.
    pub soft_cap: Option<f64>,
    /// Keys that a query sees, itself included.
    pub window: Option<usize>,
    /// `[batch, keys]`, the position where the document of each position starts; queries see no earlier key.
    pub starts: Option<&'a [usize]>,
    /// Added to the scores.
    pub bias: Bias<'a>,
}

/// The gradients of [`Attention`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// As q.
    pub q: Sums,
    /// As k.
    pub k: Sums,
    /// As v.
    pub v: Sums,
    /// As the table; empty without one.
    pub table: Sums,
}

/// A key that a query sees.
struct Seen {
    key: usize,
    /// The softmax's weight.
    weight: f64,
    /// The weight times 1 + the size of the score: what roundings of the score make of it.
    weight_size: f64,
    /// Derivative of the score by q·k.
    slope: f64,
}

/// A query: which head, where its row is, and where it stands.
#[derive(Clone, Copy)]
struct Query {
    head: usize,
    /// Row of q and of the output.
    row: usize,
    /// Row of k and v of key 0.
    first_key: usize,
    sequence: usize,
    position: usize,
}

impl Attention<'_> {
    fn queries(&self) -> impl Iterator<Item = Query> + '_ {
        let (heads, queries, group) = (self.heads, self.queries, self.heads / self.kv_heads);
        (0..self.batch * heads * queries).map(move |row| {
            let (sequence, head) = (row / queries / heads, row / queries % heads);
            let first_key = (sequence * self.kv_heads + head / group) * self.keys;
            Query { head, row, first_key, sequence, position: self.keys - queries + row % queries }
        })
    }

    /// The score of a key, its derivative by q·k, and its size.
    fn score(&self, query: Query, key: usize, q: &[f64], k: &[f64]) -> (f64, f64, f64) {
        let terms = || q.iter().zip(k).map(|(q, k)| q * k);
        let (product, size) = (terms().sum::<f64>(), terms().map(|term| term * term).sum::<f64>().sqrt());
        let (mut score, mut slope, mut size) = (self.scale * product, self.scale, self.scale.abs() * size);
        if let Some(cap) = self.soft_cap {
            let t = (score / cap).tanh();
            (score, slope) = (cap * t, slope * (1.0 - t * t));
        }
        let distance = query.position - key;
        let bias = match self.bias {
            Bias::None => 0.0,
            Bias::Slopes(slopes) => -slopes[query.head] * distance as f64,
            Bias::Table { table, bucket } => table[bucket[distance] * self.heads + query.head],
        };
        size += bias.abs();
        (score + bias, slope, size)
    }

    /// What a query sees, and the logarithm of the sum of the exponentials.
    fn seen(&self, query: Query, q: &[f64], k: &[f64]) -> (Vec<Seen>, f64) {
        let d = self.head_dim;
        let q = &q[query.row * d..(query.row + 1) * d];
        let of_window = self.window.map_or(0, |window| (query.position + 1).saturating_sub(window));
        let of_document = self.starts.map_or(0, |starts| starts[query.sequence * self.keys + query.position]);
        let visible = of_window.max(of_document)..=query.position;
        let row = |key: usize| (query.first_key + key) * d;
        let scores: Vec<_> = visible.map(|key| (key, self.score(query, key, q, &k[row(key)..row(key) + d]))).collect();
        let top = scores.iter().fold(f64::NEG_INFINITY, |top, (_, (score, ..))| top.max(*score));
        let log_sum = top + scores.iter().map(|(_, (score, ..))| (score - top).exp()).sum::<f64>().ln();
        let seen = scores.into_iter().map(|(key, (score, slope, size))| {
            let weight = (score - log_sum).exp();
            Seen { key, weight, weight_size: weight * (1.0 + size), slope }
        });
        (seen.collect(), log_sum)
    }

    /// The output, as q, and the logarithm of each query's sum of exponentials, `[batch, heads, queries]`.
    pub fn forward(&self, q: &[f64], k: &[f64], v: &[f64]) -> (Sums, Vec<f64>) {
        let d = self.head_dim;
        let (mut out, mut log_sums) = (Sums::zeros(q.len()), vec![]);
        for query in self.queries() {
            let (seen, log_sum) = self.seen(query, q, k);
            log_sums.push(log_sum);
            for Seen { key, weight, weight_size, .. } in seen {
                for c in 0..d {
                    let v = v[(query.first_key + key) * d + c];
                    out.add_sized(query.row * d + c, weight * v, weight_size * v.abs());
                }
            }
        }
        (out, log_sums)
    }

    /// The gradients from that of the output.
    pub fn backward(&self, q: &[f64], k: &[f64], v: &[f64], dout: &[f64]) -> Gradients {
        let d = self.head_dim;
        let entries = if let Bias::Table { table, .. } = self.bias { table.len() } else { 0 };
        let [dq, dk, dv, table] = [q.len(), k.len(), v.len(), entries].map(Sums::zeros);
        let mut found = Gradients { q: dq, k: dk, v: dv, table };
        for query in self.queries() {
            let (seen, _) = self.seen(query, q, k);
            let row = query.row * d;
            let dout = &dout[row..row + d];
            // The derivative of the output by each weight, and their mean under the softmax.
            let of_weight = |key: usize| {
                let v = &v[(query.first_key + key) * d..][..d];
                let terms = || dout.iter().zip(v).map(|(dout, v)| dout * v);
                (terms().sum::<f64>(), terms().map(|term| term * term).sum::<f64>().sqrt())
            };
            let by_key: Vec<(f64, f64)> = seen.iter().map(|seen| of_weight(seen.key)).collect();
            let mean: f64 = seen.iter().zip(&by_key).map(|(seen, of)| seen.weight * of.0).sum();
            let mean_size = seen.iter().zip(&by_key).map(|(seen, of)| (seen.weight * of.1).powi(2)).sum::<f64>().sqrt();
            for (Seen { key, weight, weight_size, slope }, (value, size)) in seen.into_iter().zip(by_key) {
                let dscore = weight * (value - mean);
                let dscore_size = weight_size * (size + mean_size);
                if let Bias::Table { bucket, .. } = self.bias {
                    found.table.add_sized(bucket[query.position - key] * self.heads + query.head, dscore, dscore_size);
                }
                let at = (query.first_key + key) * d;
                for c in 0..d {
                    // The cap's slope is a difference near 0 where it bites: it makes no size smaller.
                    found.q.add_sized(row + c, dscore * slope * k[at + c], dscore_size * (self.scale * k[at + c]).abs());
                    found.k.add_sized(at + c, dscore * slope * q[row + c], dscore_size * (self.scale * q[row + c]).abs());
                    found.v.add_sized(at + c, weight * dout[c], weight_size * dout[c].abs());
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    const PLAIN: Attention = Attention {
        batch: 2,
        heads: 4,
        kv_heads: 2,
        queries: 5,
        keys: 5,
        head_dim: 3,
        scale: 0.7,
        soft_cap: None,
        window: None,
        starts: None,
        bias: Bias::None,
    };

    fn agrees(a: Attention) {
        let (heads, keys) = (a.batch * a.heads * a.queries * a.head_dim, a.batch * a.kv_heads * a.keys * a.head_dim);
        let (q, k, v, dout) = (numbers("q", heads), numbers("k", keys), numbers("v", keys), numbers("dout", heads));
        let found = a.backward(&q, &k, &v, &dout);
        gradient("dq", &found.q, &q, &dout, |q| a.forward(q, &k, &v).0.value);
        gradient("dk", &found.k, &k, &dout, |k| a.forward(&q, k, &v).0.value);
        gradient("dv", &found.v, &v, &dout, |v| a.forward(&q, &k, v).0.value);
        if let Bias::Table { table, bucket } = a.bias {
            let with = |table: &[f64]| Attention { bias: Bias::Table { table, bucket }, ..a }.forward(&q, &k, &v).0.value;
            gradient("dtable", &found.table, table, &dout, with);
        }
    }

    #[test]
    fn gradients_agree_with_differences_for_every_option() {
        agrees(PLAIN);
        agrees(Attention { queries: 2, kv_heads: 1, ..PLAIN });
        agrees(Attention { kv_heads: 4, window: Some(2), ..PLAIN });
        agrees(Attention { soft_cap: Some(0.4), ..PLAIN });
        agrees(Attention { starts: Some(&[0, 0, 2, 2, 4, 0, 1, 1, 1, 1]), ..PLAIN });
        agrees(Attention { bias: Bias::Slopes(&[0.5, 0.25, 0.125, 1.0]), queries: 3, ..PLAIN });
        let table = numbers("table", 3 * 4);
        let all = Attention { window: Some(4), soft_cap: Some(1.5), starts: Some(&[0, 0, 0, 3, 3, 0, 0, 2, 2, 2]), ..PLAIN };
        agrees(Attention { bias: Bias::Table { table: &table, bucket: &[0, 1, 2, 2, 2] }, ..all });
    }

    #[test]
    fn what_is_hidden_does_not_count() {
        let a = Attention { batch: 1, heads: 1, kv_heads: 1, ..PLAIN };
        let (q, k, v) = (numbers("q", 15), numbers("k", 15), numbers("v", 15));
        let (whole, log_sums) = a.forward(&q, &k, &v);
        assert_eq!(whole.value[..3], v[..3], "the first query sees itself alone");
        assert!((log_sums[0] - 0.7 * (0..3).map(|c| q[c] * k[c]).sum::<f64>()).abs() < 1e-12);
        let mut later = v.clone();
        later[12] = 1e9;
        assert_eq!(a.forward(&q, &k, &later).0.value[..12], whole.value[..12]);
        // A window of 1 and documents of one token give back the values.
        assert_eq!(Attention { window: Some(1), ..a }.forward(&q, &k, &v).0.value, v);
        assert_eq!(Attention { starts: Some(&[0, 1, 2, 3, 4]), ..a }.forward(&q, &k, &v).0.value, v);
    }
}
