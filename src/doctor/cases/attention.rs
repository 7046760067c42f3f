//! Attention: head sizes, groups, lengths and every option.

use super::{Case, Place};
use crate::ops::{self, AttentionOptions, Op, ScoreBias, reference::attention as reference, relative_bucket};

/// What is added to the scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bias {
    None,
    Alibi,
    /// By bucket: how many, and the distance from which all share the last.
    Relative(usize, usize),
}

/// Numbers at the edge.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scores {
    Usual,
    /// All the same: the queries are 0.
    Equal,
    /// All keys are one: what comes back to the queries cancels.
    OneKey,
    /// In the hundreds: the largest takes all.
    Large,
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    /// Batch, heads, kv heads, queries, keys, channels.
    sizes: [usize; 6],
    scale: Option<f64>,
    soft_cap: Option<f64>,
    window: Option<usize>,
    /// Tokens of each document of the first sequence; those of sequence b have b more.
    document: Option<usize>,
    bias: Bias,
    scores: Scores,
}

const PLAIN: Setting =
    Setting { sizes: [1; 6], scale: None, soft_cap: None, window: None, document: None, bias: Bias::None, scores: Scores::Usual };

fn settings() -> Vec<Setting> {
    let mut all = vec![];
    // Head sizes from 16 to 256 and some that are no multiple of a vector; multi-head, grouped and multi-query; lengths of
    // one, prime, one beyond a tile; the last queries of a longer sequence.
    for sizes in [
        [1, 1, 1, 1, 1, 16],
        [2, 4, 4, 17, 17, 16],
        [1, 4, 2, 67, 67, 32],
        [2, 6, 1, 33, 33, 64],
        [1, 2, 2, 131, 131, 80],
        [1, 2, 1, 65, 65, 128],
        [1, 1, 1, 37, 37, 256],
        [1, 3, 3, 13, 13, 5],
        [1, 2, 2, 19, 19, 24],
        [1, 4, 2, 5, 131, 64],
        [2, 2, 1, 1, 129, 64],
    ] {
        all.push(Setting { sizes, ..PLAIN });
    }
    let sizes = [2, 4, 2, 67, 67, 32];
    all.push(Setting { sizes, scale: Some(1.0), ..PLAIN });
    for window in [1, 7, 64, 100] {
        all.push(Setting { sizes, window: Some(window), ..PLAIN });
    }
    for soft_cap in [0.5, 50.0] {
        all.push(Setting { sizes, soft_cap: Some(soft_cap), ..PLAIN });
    }
    let biases = [Bias::Alibi, Bias::Relative(8, 20), Bias::Relative(32, 128)];
    for bias in biases {
        all.push(Setting { sizes, bias, ..PLAIN });
        // All options at once, also with the last queries alone, and over so many tiles that the window hides whole ones.
        for sizes in [[1, 4, 2, 67, 67, 64], [1, 4, 1, 9, 131, 16], [1, 2, 1, 300, 300, 64]] {
            all.push(Setting { sizes, soft_cap: Some(2.0), window: Some(50), bias, ..PLAIN });
        }
    }
    for document in [1, 5, 40, 67] {
        all.push(Setting { sizes, document: Some(document), ..PLAIN });
    }
    for bias in biases {
        let all_options = Setting { document: Some(60), soft_cap: Some(2.0), window: Some(50), bias, ..PLAIN };
        all.extend([[2, 4, 1, 131, 131, 64], [2, 4, 2, 9, 131, 16]].map(|sizes| Setting { sizes, ..all_options }));
    }
    for scores in [Scores::Equal, Scores::OneKey, Scores::Large] {
        all.push(Setting { sizes, scores, ..PLAIN });
        all.push(Setting { sizes, scores, soft_cap: Some(30.0), window: Some(20), bias: Bias::Relative(8, 20), ..PLAIN });
    }
    all
}

impl Setting {
    fn name(&self) -> String {
        let [batch, heads, kv_heads, queries, keys, head_dim] = self.sizes;
        let mut name = format!("batch {batch}, heads {heads}/{kv_heads}, {queries} of {keys} tokens, head size {head_dim}");
        if let Some(scale) = self.scale {
            name += &format!(", scale {scale}");
        }
        if let Some(cap) = self.soft_cap {
            name += &format!(", soft cap {cap}");
        }
        if let Some(window) = self.window {
            name += &format!(", window {window}");
        }
        if let Some(document) = self.document {
            name += &format!(", documents of {document}");
        }
        name += &words(self.bias);
        match self.scores {
            Scores::Usual => {}
            Scores::Equal => name += ", equal scores",
            Scores::OneKey => name += ", equal keys",
            Scores::Large => name += ", large scores",
        }
        name
    }

    fn run(&self, place: &mut Place) {
        let [batch, heads, kv_heads, queries, keys, head_dim] = self.sizes;
        let [of_q, of_k] = [[batch, heads, queries, head_dim], [batch, kv_heads, keys, head_dim]];
        let size: fn([usize; 4]) -> usize = |shape| shape.iter().product();
        let of = |name, shape, scale| place.leaf(place.noise(name, size(shape), scale), shape);
        let (q, k) = match self.scores {
            Scores::Usual => (of("q", of_q, 1.0), of("k", of_k, 1.0)),
            Scores::Equal => (place.leaf(vec![0.0; size(of_q)], of_q), of("k", of_k, 1.0)),
            Scores::OneKey => (of("q", of_q, 1.0), place.leaf(vec![0.5; size(of_k)], of_k)),
            Scores::Large => (of("q", of_q, 20.0), of("k", of_k, 20.0)),
        };
        let v = of("v", of_k, 1.0);
        let scale = self.scale.unwrap_or(1.0 / (head_dim as f64).sqrt());

        let slopes = slopes(heads);
        let wide_slopes: Vec<f64> = slopes.iter().map(|slope| f64::from(*slope)).collect();
        let table = if let Bias::Relative(buckets, _) = self.bias { Some(place.noisy("table", [buckets, heads])) } else { None };
        let bucket = buckets(self.bias, keys);
        let bias = match (self.bias, &table) {
            (Bias::Alibi, _) => reference::Bias::Slopes(&wide_slopes),
            (_, Some(table)) => reference::Bias::Table { table: &table.wide, bucket: &bucket },
            _ => reference::Bias::None,
        };
        let &Self { soft_cap, window, .. } = self;
        let starts = self.document.map(|document| starts(document, batch, keys));
        let indices = starts.as_ref().map(|starts| place.indices(starts, [batch, keys]));
        let starts = starts.as_deref();
        let want = reference::Attention { batch, heads, kv_heads, queries, keys, head_dim, scale, soft_cap, window, starts, bias };
        let options = AttentionOptions {
            scale,
            soft_cap,
            window,
            starts: indices,
            bias: score_bias(self.bias, slopes.clone(), table.as_ref().map(|t| t.tensor.clone())),
        };

        let y = ops::attention(q.tensor.clone(), k.tensor.clone(), v.tensor.clone(), &options);
        place.compare("output", y.clone(), &want.forward(&q.wide, &k.wide, &v.wide).0);
        let (gradients, dy) = place.backward(y);
        let found = want.backward(&q.wide, &k.wide, &v.wide, &dy);
        place.compare_gradient("gradient of q", &q, &gradients, &found.q);
        place.compare_gradient("gradient of k", &k, &gradients, &found.k);
        place.compare_gradient("gradient of v", &v, &gradients, &found.v);
        if let Some(table) = &table {
            place.compare_gradient("gradient of the table", table, &gradients, &found.table);
        }
    }
}

/// Where the document of each position starts, `[batch, keys]`: of `document` tokens in the first sequence, of one more in each
/// that follows.
pub(super) fn starts(document: usize, batch: usize, keys: usize) -> Vec<usize> {
    (0..batch).flat_map(|b| (0..keys).map(move |position| position / (document + b) * (document + b))).collect()
}

/// The bias as part of a case's name.
pub(super) fn words(bias: Bias) -> String {
    match bias {
        Bias::None => String::new(),
        Bias::Alibi => ", ALiBi".into(),
        Bias::Relative(buckets, max_distance) => format!(", T5 bias {buckets}/{max_distance}"),
    }
}

/// A slope per head, exact in every element type.
pub(super) fn slopes(heads: usize) -> Vec<f32> {
    (0..heads).map(|head| 0.5f32.powi(head as i32 + 1)).collect()
}

/// The bucket of each distance below `keys`; none without a table.
pub(super) fn buckets(bias: Bias, keys: usize) -> Vec<usize> {
    match bias {
        Bias::Relative(buckets, max_distance) => (0..keys).map(|distance| relative_bucket(distance, buckets, max_distance)).collect(),
        _ => vec![],
    }
}

/// The bias as the operators take it.
pub(super) fn score_bias(bias: Bias, slopes: Vec<f32>, table: Option<burn::tensor::Tensor<2>>) -> ScoreBias {
    match (bias, table) {
        (Bias::Alibi, _) => ScoreBias::Alibi(slopes),
        (Bias::Relative(_, max_distance), Some(table)) => ScoreBias::Relative { table, max_distance },
        _ => ScoreBias::None,
    }
}

pub(super) fn cases() -> Vec<Case> {
    settings().into_iter().map(|setting| Case::new(Op::Attention, setting.name(), move |place| setting.run(place))).collect()
}
