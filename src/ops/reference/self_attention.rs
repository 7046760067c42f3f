//! Three projections of one input, rotation and attention.

use super::{Sums, attention::Attention, gated_linear::sum, linear, rotary::Rotary};

/// [`Attention`] of three projections of x `[batch, seq, width]`, queries and keys rotated.
#[derive(Clone, Copy, Debug)]
pub struct SelfAttention<'a> {
    /// `[width, heads · head_dim]` for queries, `[width, kv_heads · head_dim]` for keys and values.
    pub weights: [&'a [f64]; 3],
    /// One per column.
    pub biases: [Option<&'a [f64]>; 3],
    /// The rotation of queries and keys.
    pub rotation: Option<Rotary<'a>>,
    /// What follows; as many keys as queries.
    pub attention: Attention<'a>,
}

/// The gradients of [`SelfAttention`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// As x.
    pub x: Sums,
    /// As the weights.
    pub weights: [Sums; 3],
    /// One per column, whether or not there is a bias.
    pub biases: [Sums; 3],
    /// As the table of a relative bias; empty without one.
    pub table: Sums,
}

impl SelfAttention<'_> {
    fn heads(&self, i: usize) -> usize {
        if i == 0 { self.attention.heads } else { self.attention.kv_heads }
    }

    /// `[batch, seq, heads, head_dim]` as `[batch, heads, seq, head_dim]`, or the other way with both exchanged.
    fn exchanged(&self, x: &[f64], outer: usize, inner: usize) -> Vec<f64> {
        let d = self.attention.head_dim;
        let at = |i: usize| {
            let (batch, rest) = (i / (outer * inner * d), i % (outer * inner * d));
            let (b, a, c) = (rest / (outer * d), rest / d % outer, rest % d);
            ((batch * outer + a) * inner + b) * d + c
        };
        (0..x.len()).map(|i| x[at(i)]).collect()
    }

    fn both(&self, x: &Sums, outer: usize, inner: usize) -> Sums {
        Sums { value: self.exchanged(&x.value, outer, inner), size: self.exchanged(&x.size, outer, inner) }
    }

    /// Queries, keys and values by head.
    fn projected(&self, x: &[f64]) -> [Vec<f64>; 3] {
        let Attention { queries: seq, head_dim, .. } = self.attention;
        [0, 1, 2].map(|i| {
            let y = linear::forward(x, self.weights[i], self.biases[i], self.heads(i) * head_dim).value;
            let y = self.exchanged(&y, seq, self.heads(i));
            self.rotation.filter(|_| i < 2).map_or_else(|| y.clone(), |rotation| rotation.forward(&y).value)
        })
    }

    /// `[batch, seq, heads · head_dim]`.
    pub fn forward(&self, x: &[f64]) -> Sums {
        let [q, k, v] = self.projected(x);
        let (out, _) = self.attention.forward(&q, &k, &v);
        self.both(&out, self.attention.heads, self.attention.queries)
    }

    /// The gradients from that of the result.
    pub fn backward(&self, x: &[f64], dy: &[f64]) -> Gradients {
        let Attention { queries: seq, head_dim, heads, .. } = self.attention;
        let [q, k, v] = self.projected(x);
        let found = self.attention.backward(&q, &k, &v, &self.exchanged(dy, seq, heads));
        let turned = |dy: Sums| self.rotation.map_or_else(|| dy.clone(), |rotation| rotation.backward(&dy));
        let by_head = [turned(found.q), turned(found.k), found.v];
        let parts = [0, 1, 2].map(|i| {
            let dy = self.both(&by_head[i], self.heads(i), seq);
            linear::backward(x, self.weights[i], &dy, self.heads(i) * head_dim)
        });
        let [[a, wq, bq], [b, wk, bk], [c, wv, bv]] = parts;
        Gradients { x: sum(&sum(&a, &b), &c), weights: [wq, wk, wv], biases: [bq, bk, bv], table: found.table }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{attention::Bias, check::*},
        *,
    };

    #[test]
    fn gradients_agree_with_differences() {
        let (batch, seq, width, heads, kv_heads, head_dim) = (2, 3, 4, 2, 1, 2);
        let x = numbers("x", batch * seq * width);
        let dy = numbers("dy", batch * seq * heads * head_dim);
        let columns = [heads, kv_heads, kv_heads].map(|heads| heads * head_dim);
        let weights = [0, 1, 2].map(|i| numbers(&format!("w{i}"), width * columns[i]));
        let biases = [0, 1, 2].map(|i| numbers(&format!("b{i}"), columns[i]));
        let (sin, cos): (Vec<f64>, Vec<f64>) = (0..seq).map(|i| (0.6 * i as f64).sin_cos()).unzip();
        let table = numbers("table", 2 * heads);
        let op = SelfAttention {
            weights: weights.each_ref().map(Vec::as_slice),
            biases: biases.each_ref().map(|b| Some(b.as_slice())),
            rotation: Some(Rotary { cos: &cos, sin: &sin, pairs: 1, interleaved: true, head_dim }),
            attention: Attention {
                batch,
                heads,
                kv_heads,
                queries: seq,
                keys: seq,
                head_dim,
                scale: 0.8,
                soft_cap: None,
                window: None,
                starts: None,
                bias: Bias::Table { table: &table, bucket: &[0, 1, 1] },
            },
        };
        let found = op.backward(&x, &dy);
        gradient("dx", &found.x, &x, &dy, |x| op.forward(x).value);
        for i in 0..3 {
            let with = |w: &[f64]| {
                let mut weights = op.weights;
                weights[i] = w;
                SelfAttention { weights, biases: op.biases, rotation: op.rotation, attention: op.attention }.forward(&x).value
            };
            gradient("dw", &found.weights[i], &weights[i], &dy, with);
            let with = |b: &[f64]| {
                let mut biases = op.biases;
                biases[i] = Some(b);
                SelfAttention { weights: op.weights, biases, rotation: op.rotation, attention: op.attention }.forward(&x).value
            };
            gradient("db", &found.biases[i], &biases[i], &dy, with);
        }
        let with = |table: &[f64]| {
            let attention = Attention { bias: Bias::Table { table, bucket: &[0, 1, 1] }, ..op.attention };
            SelfAttention { attention, ..op }.forward(&x).value
        };
        gradient("dtable", &found.table, &table, &dy, with);
    }
}
