//! Attention in float64 by loops over pairs, and the cases that kernels are held against it with.

use super::{Bias, Problem, View};
use crate::ops::check::noise;

/// Everything a case needs, owned.
#[derive(Clone)]
pub struct Case {
    pub batch: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub queries: usize,
    pub keys: usize,
    pub head_dim: usize,
    pub scale: f32,
    pub soft_cap: Option<f32>,
    pub window: Option<usize>,
    pub starts: Option<Vec<u32>>,
    pub bias: Kind,
    /// The arrays are [batch, seq, heads, head_dim] with gaps, or [batch, heads, seq, head_dim].
    pub interleaved: bool,
    pub equal: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    None,
    Alibi,
    Relative,
}

pub const BASE: Case = Case {
    batch: 2,
    heads: 2,
    kv_heads: 2,
    queries: 65,
    keys: 65,
    head_dim: 16,
    scale: 0.25,
    soft_cap: None,
    window: None,
    starts: None,
    bias: Kind::None,
    interleaved: false,
    equal: false,
};

pub const BUCKETS: usize = 9;

pub struct Inputs {
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    pub dout: Vec<f32>,
    pub slopes: Vec<f32>,
    pub table: Vec<f32>,
    pub of_distance: Vec<u32>,
}

impl Case {
    /// Elements from one position to the next of an array of so many heads.
    pub fn seq_stride(&self, heads: usize) -> usize {
        if self.interleaved { heads * self.head_dim + 3 } else { self.head_dim }
    }

    pub fn array(&self, heads: usize, seq: usize, seed: u32) -> Vec<f32> {
        let len = if self.interleaved { self.seq_stride(heads) * seq } else { heads * seq * self.head_dim };
        if self.equal { vec![0.5; self.batch * len] } else { noise(&seed.to_string(), self.batch * len) }
    }

    pub fn view<'a>(&self, data: &'a [f32], heads: usize, seq: usize) -> View<'a> {
        let stride = self.seq_stride(heads);
        if self.interleaved {
            View { data, batch: stride * seq, head: self.head_dim, seq: stride }
        } else {
            View { data, batch: heads * seq * stride, head: seq * stride, seq: stride }
        }
    }

    pub fn inputs(&self) -> Inputs {
        let (h, kv) = (self.heads, self.kv_heads);
        Inputs {
            q: self.array(h, self.queries, 1),
            k: self.array(kv, self.keys, 2),
            v: self.array(kv, self.keys, 3),
            dout: self.array(h, self.queries, 4),
            slopes: (0..h).map(|h| 0.5 / (h + 1) as f32).collect(),
            table: noise("5", BUCKETS * h),
            of_distance: (0..self.keys as u32).map(|d| if d < 5 { d } else { (5 + d / 16).min(BUCKETS as u32 - 1) }).collect(),
        }
    }

    pub fn problem<'a>(&'a self, inputs: &'a Inputs) -> Problem<'a> {
        let bias = match self.bias {
            Kind::None => Bias::None,
            Kind::Alibi => Bias::Alibi(&inputs.slopes),
            Kind::Relative => Bias::Relative { table: &inputs.table, buckets: BUCKETS, of_distance: &inputs.of_distance },
        };
        Problem {
            batch: self.batch,
            heads: self.heads,
            kv_heads: self.kv_heads,
            queries: self.queries,
            keys: self.keys,
            head_dim: self.head_dim,
            scale: self.scale,
            soft_cap: self.soft_cap,
            window: self.window,
            starts: self.starts.as_deref(),
            bias,
        }
    }
}

/// A view in f64.
pub struct Wide {
    data: Vec<f64>,
    strides: [usize; 3],
}

impl Wide {
    pub fn new(view: View) -> Wide {
        Wide { data: view.data.iter().map(|&x| f64::from(x)).collect(), strides: [view.batch, view.head, view.seq] }
    }

    pub fn at(&self, b: usize, h: usize, i: usize, c: usize) -> f64 {
        self.data[b * self.strides[0] + h * self.strides[1] + i * self.strides[2] + c]
    }
}

/// All results, in the layouts of the kernels.
pub struct Results<T> {
    pub out: Vec<T>,
    pub log_sum: Vec<T>,
    pub dq: Vec<T>,
    pub dk: Vec<T>,
    pub dv: Vec<T>,
    pub table: Vec<T>,
}

/// The scores of a query, `None` where it does not see the key, with their derivatives by q·k.
fn reference_scores(p: &Problem, q: &Wide, k: &Wide, b: usize, h: usize, i: usize) -> Vec<Option<(f64, f64)>> {
    let position = p.keys - p.queries + i;
    let kv = h / (p.heads / p.kv_heads);
    let start = p.starts.map_or(0, |s| s[b * p.keys + position] as usize);
    let scores = (0..p.keys).map(|j| {
        if j > position || j < start || p.window.is_some_and(|w| j + w <= position) {
            return None;
        }
        let product: f64 = (0..p.head_dim).map(|c| q.at(b, h, i, c) * k.at(b, kv, j, c)).sum();
        let (mut score, mut slope) = (product * f64::from(p.scale), f64::from(p.scale));
        if let Some(c) = p.soft_cap {
            let t = (score / f64::from(c)).tanh();
            (score, slope) = (f64::from(c) * t, slope * (1.0 - t * t));
        }
        score += match p.bias {
            Bias::None => 0.0,
            Bias::Alibi(slopes) => -f64::from(slopes[h]) * (position - j) as f64,
            Bias::Relative { table, of_distance, .. } => f64::from(table[of_distance[position - j] as usize * p.heads + h]),
        };
        Some((score, slope))
    });
    scores.collect()
}

pub fn reference(p: &Problem, q: &Wide, k: &Wide, v: &Wide, dout: &Wide) -> Results<f64> {
    let d = p.head_dim;
    let mut r = Results {
        out: vec![0.0; p.batch * p.queries * p.heads * d],
        log_sum: vec![0.0; p.batch * p.heads * p.queries],
        dq: vec![0.0; p.batch * p.queries * p.heads * d],
        dk: vec![0.0; p.batch * p.keys * p.kv_heads * d],
        dv: vec![0.0; p.batch * p.keys * p.kv_heads * d],
        table: vec![0.0; BUCKETS * p.heads],
    };
    for b in 0..p.batch {
        for h in 0..p.heads {
            let kv = h / (p.heads / p.kv_heads);
            for i in 0..p.queries {
                let scores = reference_scores(p, q, k, b, h, i);
                let max = scores.iter().flatten().fold(f64::MIN, |m, s| m.max(s.0));
                let sum: f64 = scores.iter().flatten().map(|s| (s.0 - max).exp()).sum();
                let log_sum = max + sum.ln();
                r.log_sum[(b * p.heads + h) * p.queries + i] = log_sum;
                let row = ((b * p.queries + i) * p.heads + h) * d;
                let seen = || scores.iter().enumerate().filter_map(|(j, s)| s.map(|(s, slope)| (j, (s - log_sum).exp(), slope)));
                for (j, weight, _) in seen() {
                    for c in 0..d {
                        r.out[row + c] += weight * v.at(b, kv, j, c);
                    }
                }
                let delta: f64 = (0..d).map(|c| dout.at(b, h, i, c) * r.out[row + c]).sum();
                for (j, weight, slope) in seen() {
                    let dweight: f64 = (0..d).map(|c| dout.at(b, h, i, c) * v.at(b, kv, j, c)).sum();
                    let dscore = weight * (dweight - delta);
                    if let Bias::Relative { of_distance, .. } = p.bias {
                        r.table[of_distance[p.keys - p.queries + i - j] as usize * p.heads + h] += dscore;
                    }
                    let to = ((b * p.keys + j) * p.kv_heads + kv) * d;
                    for c in 0..d {
                        r.dq[row + c] += dscore * slope * k.at(b, kv, j, c);
                        r.dk[to + c] += dscore * slope * q.at(b, h, i, c);
                        r.dv[to + c] += weight * dout.at(b, h, i, c);
                    }
                }
            }
        }
    }
    r
}

/// The norm of the difference relative to that of the truth, or to a floor for what is truly zero.
pub fn close(name: &str, what: &str, got: &[f32], want: &[f64], tolerance: f64, floor: f64) {
    assert_eq!(got.len(), want.len());
    let norm: f64 = want.iter().map(|x| x * x).sum::<f64>().sqrt();
    let error = got.iter().zip(want).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum::<f64>().sqrt();
    let bound = tolerance * norm.max(floor * (want.len() as f64).sqrt());
    assert!(error <= bound, "{name}: {what} is off by {error:e} against {norm:e}");
}

/// Holds results against the reference, norm-wise.
pub fn check(name: &str, case: &Case, inputs: &Inputs, got: &Results<f32>, tolerance: f64) {
    let p = case.problem(inputs);
    let wide = |data, heads, seq| Wide::new(case.view(data, heads, seq));
    let want = reference(
        &p,
        &wide(&inputs.q, p.heads, p.queries),
        &wide(&inputs.k, p.kv_heads, p.keys),
        &wide(&inputs.v, p.kv_heads, p.keys),
        &wide(&inputs.dout, p.heads, p.queries),
    );
    close(name, "out", &got.out, &want.out, tolerance, 1e-3);
    close(name, "log_sum", &got.log_sum, &want.log_sum, tolerance, 1e-3);
    // A softmax over one key or of equal values has no gradient but rounding.
    let floor = 0.1 * f64::from(p.scale).max(1.0);
    close(name, "dq", &got.dq, &want.dq, tolerance, floor);
    close(name, "dk", &got.dk, &want.dk, tolerance, floor);
    close(name, "dv", &got.dv, &want.dv, tolerance, 1e-3);
    if case.bias == Kind::Relative {
        // Equal scores cancel in the sum over all queries, to the rounding of so many terms.
        close(name, "table", &got.table, &want.table, tolerance, if case.equal { 10.0 } else { 0.1 });
    }
}

/// Documents of the given lengths over and over, in every sequence of the batch, one later in each.
pub fn documents(batch: usize, keys: usize, lens: &[usize]) -> Option<Vec<u32>> {
    let mut starts = Vec::new();
    for b in 0..batch {
        let (mut start, mut left, mut n) = (0, 0, b);
        for position in 0..keys {
            if left == 0 {
                (start, left, n) = (position, lens[n % lens.len()], n + 1);
            }
            left -= 1;
            starts.push(start as u32);
        }
    }
    Some(starts)
}
