//! Causal attention with grouped heads, soft cap, window and score bias.

use super::{
    Backend, Op,
    capability::serves_heads,
    count,
    fused::attention::{Added, Attention},
    operator, precision,
    product::{self, lowered, product, raised},
    relative_bucket::relative_bucket,
};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use std::ops::Range;

/// What is added to the scores before the softmax.
// One value per layer and pass: a box would cost more than the size of the largest variant.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, Default)]
pub enum ScoreBias {
    /// Nothing.
    #[default]
    None,
    /// -slope · distance, one positive slope per query head (Press et al. 2021, section 3).
    Alibi(Vec<f32>),
    /// A learned number per bucket of distance and query head (Raffel et al. 2020, section 2.1).
    Relative {
        /// `[buckets, heads]`.
        table: Tensor<2>,
        /// Distance from which all share the last bucket.
        max_distance: usize,
    },
}

impl ScoreBias {
    /// That of some of the query heads alone.
    pub fn of_heads(self, heads: Range<usize>) -> Self {
        match self {
            Self::None => Self::None,
            Self::Alibi(slopes) => Self::Alibi(slopes[heads].to_vec()),
            Self::Relative { table, max_distance } => Self::Relative { table: table.slice_dim(1, heads), max_distance },
        }
    }
}

/// How queries meet keys.
#[derive(Clone, Debug)]
pub struct AttentionOptions {
    /// Factor on the scores, before everything else.
    pub scale: f64,
    /// Scores s become c·tanh(s/c), before the bias.
    pub soft_cap: Option<f64>,
    /// Keys that a query sees, itself included; all earlier ones by default.
    pub window: Option<usize>,
    /// `[batch, key_seq]`: the position at which the document of each position starts, non-decreasing; a query sees no
    /// key before the start of its own document. One document per sequence by default.
    pub starts: Option<Tensor<2, Int>>,
    /// Added to the scores.
    pub bias: ScoreBias,
}

/// softmax(cap(scale·q·kᵀ) + bias)·v, causal: the queries stand at the last positions of the keys.
///
/// Scores are cast to f32 for cap, bias and softmax. The sum of the softmax divides the output, not the weights: the
/// same number, on head_dim instead of key_seq elements per query.
///
/// # Shapes
///
/// - `q`: `[batch, heads, query_seq, head_dim]`, query_seq <= key_seq
/// - `k`, `v`: `[batch, kv_heads, key_seq, head_dim]`, kv_heads divides heads; query head h reads kv head
///   h / (heads / kv_heads)
/// - output: `[batch, heads, query_seq, head_dim]`, of the input's type
///
/// # Panics
///
/// If the shapes disagree, the window is 0, a slope is not positive, or starts decrease.
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, options: &AttentionOptions) -> Tensor<4> {
    let [batch, heads, query_seq, head_dim] = q.dims();
    let [_, kv_heads, key_seq, _] = k.dims();
    assert!(heads.is_multiple_of(kv_heads), "attention: {kv_heads} kv heads do not divide {heads} heads");
    assert!(query_seq <= key_seq, "attention: {query_seq} queries, {key_seq} keys");
    assert_eq!(k.dims(), v.dims(), "attention: keys and values");
    let dtype = FloatDType::from(q.dtype());
    let rows = heads / kv_heads * query_seq;

    if product::fused(Op::Attention, &q) && serves_heads(Backend::of(&q.device()), head_dim) {
        count::report(|| (4 * head_dim * heads * batch * visible(query_seq, key_seq, options.window)) as u64);
        let (operator, table) = operator(options);
        let inputs = [q, k, v].map(|x| lowered(x).into_dispatch()).into_iter().chain(table.map(Tensor::into_dispatch));
        let y = raised(operator::call(operator, inputs.collect(), flat_starts(options)));
        return if FloatDType::from(y.dtype()) == dtype { y } else { y.cast(dtype) };
    }
    let mask = Mask::new(query_seq, key_seq, options.window);
    count::report(|| (4 * head_dim * heads * batch * mask.visible()) as u64);
    let scores = scores(q, k, options, &mask, |_| ());

    // Every query sees itself, so the maximum is finite. It is a constant for autodiff: the result does not depend on it.
    let max = scores.clone().detach().max_dim(3);
    let weights = (scores - max).exp();
    let sum = weights.clone().sum_dim(3);
    let weights = weights.cast(dtype).reshape([batch, kv_heads, rows, key_seq]);
    let mixed = product(weights, v).reshape([batch, heads, query_seq, head_dim]);
    (mixed.cast(precision::wide(sum.dtype())) / sum).cast(dtype)
}

/// The scores that [`attention`] takes the softmax of, in f32 or f64, twice: as scaled products of queries and keys, before soft cap
/// and bias, and as the softmax reads them. Composed on every device; what a query does not see is -∞ in both.
///
/// # Shapes
///
/// - `q`: `[batch, heads, query_seq, head_dim]`, `k`: `[batch, kv_heads, key_seq, head_dim]`
/// - outputs: `[batch, heads, query_seq, key_seq]`
///
/// # Panics
///
/// As [`attention`].
pub fn attention_scores(q: Tensor<4>, k: Tensor<4>, options: &AttentionOptions) -> (Tensor<4>, Tensor<4>) {
    let (query_seq, key_seq) = (q.dims()[2], k.dims()[2]);
    let mask = Mask::new(query_seq, key_seq, options.window);
    let mut scaled = None;
    let read = scores(q, k, options, &mask, |products| scaled = Some(products.clone()));
    let scaled = scaled.expect("the products are looked at").mul_scalar(options.soft_cap.unwrap_or(1.0));
    let hidden = read.clone().equal_elem(f32::NEG_INFINITY);
    (scaled.mask_fill(hidden, f32::NEG_INFINITY), read)
}

/// Scores with cap, bias and mask, composed. `look` sees the products, scaled, and divided by the cap if there is one.
fn scores(q: Tensor<4>, k: Tensor<4>, options: &AttentionOptions, mask: &Mask, look: impl FnOnce(&Tensor<4>)) -> Tensor<4> {
    let [batch, heads, query_seq, head_dim] = q.dims();
    let [_, kv_heads, key_seq, _] = k.dims();
    // Scaling q touches head_dim elements per query; scaling the scores would touch key_seq.
    let q = q.mul_scalar(options.scale / options.soft_cap.unwrap_or(1.0));
    // The query heads of a group become rows of one product with their keys.
    let q = if kv_heads == heads { q } else { q.reshape([batch, kv_heads, heads / kv_heads * query_seq, head_dim]) };
    let wide = precision::wide(q.dtype());
    let products = product(q, k.transpose()).reshape([batch, heads, query_seq, key_seq]).cast(wide);
    look(&products);
    let scores = match options.soft_cap {
        Some(cap) => products.tanh().mul_scalar(cap),
        None => products,
    };
    let scores = match mask.additive(&options.bias, &scores.device()) {
        Some(mask) => scores + mask.cast(wide),
        None => scores,
    };
    match &options.starts {
        Some(starts) => {
            let device = scores.device();
            let of_query = starts.clone().slice([0..batch, key_seq - query_seq..key_seq]).reshape([batch, 1, query_seq, 1]);
            let keys = Tensor::<1, Int>::arange(0..key_seq as i64, &device).reshape([1, 1, 1, key_seq]);
            let before = keys.expand([batch, 1, query_seq, key_seq]).lower(of_query.expand([batch, 1, query_seq, key_seq]));
            scores.mask_fill(before.expand([batch, heads, query_seq, key_seq]), f32::NEG_INFINITY)
        }
        None => scores,
    }
}

/// The fused operator of these options, and its table.
pub(super) fn operator(options: &AttentionOptions) -> (Attention, Option<Tensor<2>>) {
    assert_ne!(options.window, Some(0), "attention: a window of 0");
    let (added, table) = match &options.bias {
        ScoreBias::None => (Added::Nothing, None),
        ScoreBias::Alibi(slopes) => {
            assert!(slopes.iter().all(|s| *s > 0.0), "attention: slopes must be positive");
            (Added::Slopes(slopes.clone()), None)
        }
        ScoreBias::Relative { table, max_distance } => (Added::Table { max_distance: *max_distance }, Some(table.clone())),
    };
    let (scale, soft_cap) = (options.scale as f32, options.soft_cap.map(|cap| cap as f32));
    (Attention { scale, soft_cap, window: options.window, added, reads: precision::current() }, table)
}

/// The starts of documents as one list, as the fused operator takes them.
pub(super) fn flat_starts(options: &AttentionOptions) -> Option<Tensor<1, Int>> {
    options.starts.as_ref().map(|starts| starts.clone().reshape([starts.shape().num_elements()]))
}

/// Pairs that see each other in one head, documents aside: what attention has to compute.
pub fn visible(query_seq: usize, key_seq: usize, window: Option<usize>) -> usize {
    (key_seq - query_seq..key_seq).map(|position| (position + 1).min(window.unwrap_or(usize::MAX))).sum()
}

/// Which pairs see each other, as distances: `Some(query - key)` where visible.
struct Mask {
    query_seq: usize,
    key_seq: usize,
    /// Row-major `[query_seq, key_seq]`.
    distance: Vec<Option<u32>>,
}

impl Mask {
    fn new(query_seq: usize, key_seq: usize, window: Option<usize>) -> Self {
        let window = window.unwrap_or(usize::MAX);
        assert!(window > 0, "attention: a window of 0");
        let mut distance = vec![None; query_seq * key_seq];
        for (row, distances) in distance.chunks_mut(key_seq).enumerate() {
            let position = key_seq - query_seq + row;
            let first = (position + 1).saturating_sub(window);
            for (key, entry) in distances.iter_mut().enumerate().take(position + 1).skip(first) {
                *entry = Some((position - key) as u32);
            }
        }
        Self { query_seq, key_seq, distance }
    }

    /// Visible pairs of one head.
    fn visible(&self) -> usize {
        self.distance.iter().flatten().count()
    }

    /// Visible pairs hold `value(distance)`, the others -∞. `[1, 1, query_seq, key_seq]`.
    fn tensor(&self, value: impl Fn(u32) -> f32, device: &Device) -> Tensor<4> {
        let data: Vec<f32> = self.distance.iter().map(|d| d.map_or(f32::NEG_INFINITY, &value)).collect();
        Tensor::from_data(TensorData::new(data, [1, 1, self.query_seq, self.key_seq]), device)
    }

    /// What is added to the scores, `[1, 1 or heads, query_seq, key_seq]`; none if that is 0 everywhere.
    fn additive(&self, bias: &ScoreBias, device: &Device) -> Option<Tensor<4>> {
        match bias {
            ScoreBias::None => self.distance.contains(&None).then(|| self.tensor(|_| 0.0, device)),
            ScoreBias::Alibi(slopes) => {
                assert!(slopes.iter().all(|s| *s > 0.0), "attention: slopes must be positive");
                let slopes = Tensor::<4>::from_data(TensorData::new(slopes.clone(), [1, slopes.len(), 1, 1]), device);
                Some(self.tensor(|d| -(d as f32), device) * slopes)
            }
            ScoreBias::Relative { table, max_distance } => {
                let [buckets, heads] = table.dims();
                let by_distance: Vec<i32> = (0..self.key_seq).map(|d| relative_bucket(d, buckets, *max_distance) as i32).collect();
                // Invisible pairs take any bucket: the mask removes them, and their gradient is 0.
                let ids: Vec<i32> = self.distance.iter().map(|d| by_distance[d.unwrap_or(0) as usize]).collect();
                let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [self.query_seq * self.key_seq]), device);
                let wide = precision::wide(table.dtype());
                let bias = table.clone().cast(wide).transpose().select(1, ids);
                let bias = bias.reshape([1, heads, self.query_seq, self.key_seq]);
                Some(bias + self.tensor(|_| 0.0, device).cast(wide))
            }
        }
    }
}

#[cfg(test)]
mod tests;
