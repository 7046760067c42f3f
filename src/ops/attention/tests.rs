use super::*;
use crate::ops::{
    check::{close, differences, leaf, noisy, values, weighted, weighted_sum},
    count_flops,
};

fn plain(scale: f64) -> AttentionOptions {
    AttentionOptions { scale, soft_cap: None, window: None, starts: None, bias: ScoreBias::None }
}

/// Sizes: batch, heads, kv heads, queries, keys, channels.
type Sizes = (usize, usize, usize, usize, usize, usize);

/// Attention by loops. `bias(head, distance)` is added to the scores.
fn reference(sizes: Sizes, q: &[f64], k: &[f64], v: &[f64], o: &AttentionOptions, bias: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let (batch, heads, kv_heads, queries, keys, channels) = sizes;
    let starts: Option<Vec<i64>> = o.starts.clone().map(|starts| starts.into_data().iter::<i64>().collect());
    let start = |b: usize, position: usize| starts.as_ref().map_or(0, |starts| starts[b * keys + position] as usize);
    let mut out = vec![0.0; q.len()];
    for b in 0..batch {
        for h in 0..heads {
            let group = h / (heads / kv_heads);
            for i in 0..queries {
                let at = ((b * heads + h) * queries + i) * channels;
                let row = |j: usize| ((b * kv_heads + group) * keys + j) * channels;
                let position = keys - queries + i;
                let first = o.window.map_or(0, |w| (position + 1).saturating_sub(w)).max(start(b, position));
                let weights: Vec<f64> = (first..=position)
                    .map(|j| {
                        let s = o.scale * (0..channels).map(|c| q[at + c] * k[row(j) + c]).sum::<f64>();
                        (o.soft_cap.map_or(s, |cap| cap * (s / cap).tanh()) + bias(h, position - j)).exp()
                    })
                    .collect();
                let sum: f64 = weights.iter().sum();
                for (j, w) in (first..=position).zip(weights) {
                    for c in 0..channels {
                        out[at + c] += w / sum * v[row(j) + c];
                    }
                }
            }
        }
    }
    out
}

fn inputs((batch, heads, kv_heads, queries, keys, channels): Sizes) -> [Tensor<4>; 3] {
    [
        noisy("q", [batch, heads, queries, channels]),
        noisy("k", [batch, kv_heads, keys, channels]),
        noisy("v", [batch, kv_heads, keys, channels]),
    ]
}

/// Values and gradients of q, k, v against loops and central differences.
fn compare(what: &str, sizes: Sizes, options: &AttentionOptions, bias: impl Fn(usize, usize) -> f64) {
    let [q, k, v] = inputs(sizes);
    let y = attention(q.clone(), k.clone(), v.clone(), options);
    let [q64, k64, v64] = [&q, &k, &v].map(|t| values(t.clone()));
    close(what, &values(y.clone()), &reference(sizes, &q64, &k64, &v64, options, &bias), 1e-6);
    let gradients = weighted_sum(y).backward();
    let loss = |q: &[f64], k: &[f64], v: &[f64]| weighted(&reference(sizes, q, k, v, options, &bias));
    close("dq", &values(q.grad(&gradients).unwrap()), &differences(&q64, |x| loss(x, &k64, &v64)), 3e-6);
    close("dk", &values(k.grad(&gradients).unwrap()), &differences(&k64, |x| loss(&q64, x, &v64)), 3e-6);
    close("dv", &values(v.grad(&gradients).unwrap()), &differences(&v64, |x| loss(&q64, &k64, x)), 3e-6);
}

#[test]
fn agrees_with_loops_for_every_grouping() {
    for kv_heads in [4, 2, 1] {
        compare("square", (2, 4, kv_heads, 5, 5, 3), &plain(0.7), |_, _| 0.0);
        compare("late queries", (1, 4, kv_heads, 2, 6, 3), &plain(1.3), |_, _| 0.0);
        compare("one query", (1, 4, kv_heads, 1, 4, 3), &plain(1.0), |_, _| 0.0);
    }
}

#[test]
fn agrees_with_loops_for_every_option() {
    compare("cap", (1, 2, 1, 5, 5, 3), &AttentionOptions { soft_cap: Some(0.8), ..plain(2.0) }, |_, _| 0.0);
    for window in [1, 2, 5, 9] {
        compare("window", (1, 2, 2, 6, 6, 3), &AttentionOptions { window: Some(window), ..plain(1.0) }, |_, _| 0.0);
    }
    let slopes = vec![0.5f32, 0.125];
    let alibi = AttentionOptions { bias: ScoreBias::Alibi(slopes.clone()), window: Some(4), soft_cap: Some(2.0), ..plain(1.0) };
    compare("alibi", (2, 2, 1, 4, 6, 3), &alibi, |h, d| -f64::from(slopes[h]) * d as f64);
}

#[test]
fn relative_bias_and_its_gradient() {
    let sizes = (2, 2, 1, 9, 9, 3);
    let [q, k, v] = inputs(sizes);
    let table = noisy("table", [4, 2]);
    let options = AttentionOptions { bias: ScoreBias::Relative { table: table.clone(), max_distance: 6 }, ..plain(1.0) };
    let y = attention(q.clone(), k.clone(), v.clone(), &options);
    let [q64, k64, v64] = [q, k, v].map(values);
    let t64 = values(table.clone());
    // Buckets 0 and 1 exact; then 2 + floor(2·ln(d/2)/ln 3): distances 2 and 3 are bucket 2, from 4 on bucket 3.
    let bucket = |d: usize| [0, 1, 2, 2, 3, 3, 3, 3, 3][d];
    let run = |t: &[f64]| reference(sizes, &q64, &k64, &v64, &options, |h, d| t[bucket(d) * 2 + h]);
    close("y", &values(y.clone()), &run(&t64), 1e-6);
    let gradient = values(table.grad(&weighted_sum(y).backward()).unwrap());
    close("dtable", &gradient, &differences(&t64, |t| weighted(&run(t))), 3e-6);
}

#[test]
fn buckets_of_t5() {
    // By the published formula, with 32 buckets and max_distance 128.
    for (distance, bucket) in
        [(0, 0), (15, 15), (16, 16), (18, 16), (19, 17), (23, 18), (31, 21), (64, 26), (112, 30), (113, 31), (128, 31), (5000, 31)]
    {
        assert_eq!(relative_bucket(distance, 32, 128), bucket, "distance {distance}");
    }
    // Exactly on edges: 16·16^(k/16) for k = 4, 8, 12.
    for (distance, bucket) in [(32, 20), (64, 24), (128, 28)] {
        assert_eq!(relative_bucket(distance, 32, 256), bucket);
        assert_eq!(relative_bucket(distance - 1, 32, 256), bucket - 1);
    }
}

#[test]
fn groups_equal_repeated_heads() {
    let (batch, heads, kv_heads, seq, channels) = (2, 6, 2, 7, 4);
    let [q, k, v] = inputs((batch, heads, kv_heads, seq, seq, channels));
    let repeated = |t: Tensor<4>| {
        t.unsqueeze_dim::<5>(2).expand([batch, kv_heads, heads / kv_heads, seq, channels]).reshape([batch, heads, seq, channels])
    };
    let grouped = attention(q.clone(), k.clone(), v.clone(), &plain(0.5));
    let multi = attention(q, repeated(k), repeated(v), &plain(0.5));
    close("groups", &values(grouped), &values(multi), 1e-6);
}

#[test]
fn a_window_as_long_as_the_context_changes_nothing() {
    let [q, k, v] = inputs((1, 2, 2, 6, 6, 4));
    let full = attention(q.clone(), k.clone(), v.clone(), &plain(1.0));
    let wide = attention(q, k, v, &AttentionOptions { window: Some(6), ..plain(1.0) });
    assert_eq!(values(full), values(wide));
}

#[test]
fn later_tokens_do_not_reach_earlier_ones() {
    let [q, k, v] = inputs((1, 2, 2, 6, 6, 4));
    let y = attention(q.clone(), k.clone(), v.clone(), &plain(1.0));
    let change = |t: Tensor<4>| Tensor::cat(vec![t.clone().slice([0..1, 0..2, 0..4, 0..4]), t.slice([0..1, 0..2, 4..6, 0..4]) + 3.0], 2);
    let z = attention(q, change(k), change(v), &plain(1.0));
    let head = |t: Tensor<4>| values(t.slice([0..1, 0..2, 0..4, 0..4]));
    assert_eq!(head(y), head(z));
}

#[test]
fn huge_scores_stay_finite() {
    let q = leaf(vec![1e4; 12], [1, 1, 3, 4]);
    let k = leaf((0..12).map(|i| if i < 4 { 1e4 } else { -1e4 }).collect(), [1, 1, 3, 4]);
    let v = noisy("v", [1, 1, 3, 4]);
    let y = attention(q.clone(), k, v.clone(), &plain(1.0));
    let first = values(v.clone().slice([0..1, 0..1, 0..1, 0..4]));
    close("winner takes all", &values(y.clone()), &first.repeat(3), 1e-6);
    assert!(values(q.grad(&weighted_sum(y).backward()).unwrap()).iter().all(|g| g.is_finite()));
}

#[test]
fn counts_visible_pairs() {
    let sizes = (3, 4, 2, 5, 8, 16);
    let count = |window| {
        let [q, k, v] = inputs(sizes);
        count_flops(|| attention(q, k, v, &AttentionOptions { window, ..plain(1.0) })).1
    };
    // Queries at positions 3 to 7 see 4 + 5 + 6 + 7 + 8 keys, or min(·, 5).
    assert_eq!(count(None), 3 * 4 * 30 * 2 * 2 * 16);
    assert_eq!(count(Some(5)), 3 * 4 * (4 + 5 * 4) * 2 * 2 * 16);
}

#[test]
fn softmax_is_in_f32_for_bf16() {
    // 4096 equal weights: a bf16 sum stops growing at 256.
    let keys = 4096;
    let zeros = |n: usize| leaf(vec![0.0; n], [1, 1, n, 1]).cast(FloatDType::BF16);
    let v = leaf(vec![1.0; keys], [1, 1, keys, 1]).cast(FloatDType::BF16);
    let y = attention(zeros(1), zeros(keys), v, &plain(1.0)).cast(FloatDType::F32);
    close("mean of ones", &values(y), &[1.0], 1.0 / 256.0);
}

#[test]
fn documents_do_not_see_each_other_on_either_path() {
    let device = crate::ops::check::autodiff(&burn::tensor::Device::flex());
    // Documents of 1, 3 and 2 tokens; of 4 and 2.
    let starts = Tensor::<2, Int>::from_data([[0, 1, 1, 1, 4, 4], [0, 0, 0, 0, 4, 4]], &device);
    for path in [crate::ops::Path::Fused, crate::ops::Path::Composed] {
        crate::ops::with(path, || {
            let options = AttentionOptions { starts: Some(starts.clone()), ..plain(0.9) };
            compare("documents", (2, 2, 1, 6, 6, 3), &options, |_, _| 0.0);
            compare("late queries", (2, 2, 2, 3, 6, 3), &options, |_, _| 0.0);
            compare("and a window", (2, 4, 2, 6, 6, 3), &AttentionOptions { window: Some(2), ..options.clone() }, |_, _| 0.0);
            let slopes = vec![0.5f32, 0.125];
            let alibi = AttentionOptions { bias: ScoreBias::Alibi(slopes.clone()), soft_cap: Some(2.0), ..options };
            compare("and a bias", (2, 2, 1, 6, 6, 3), &alibi, |h, d| -f64::from(slopes[h]) * d as f64);
        });
    }
}
