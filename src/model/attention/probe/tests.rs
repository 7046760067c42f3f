use super::*;
use crate::{
    model::{
        attention::{AttentionConfig, QkNormConfig, Span},
        init::{InitConfig, Scope},
        norm::{NormConfig, RmsNormConfig},
        position::{AlibiConfig, NoPositionConfig, RopeConfig, T5Config},
    },
    ops::{
        self,
        check::{noise, values},
        relative_bucket,
    },
};
use burn::tensor::{Device, TensorData};

const WIDTH: usize = 16;
const SEQ: usize = 9;
const BATCH: usize = 2;

fn configs() -> Vec<AttentionConfig> {
    let base = AttentionConfig { scale: Some(0.7), ..AttentionConfig::default() };
    let rms = || NormConfig::Rms(RmsNormConfig::default());
    vec![
        base.clone(),
        AttentionConfig { kv_heads: Some(2), soft_cap: Some(0.8), ..base.clone() },
        AttentionConfig { kv_heads: Some(1), head_dim: Some(6), document_mask: true, ..base.clone() },
        AttentionConfig { window: Some(3), pattern: vec![Span::Window, Span::Full], ..base.clone() },
        AttentionConfig { qk_norm: QkNormConfig::PerHead { norm: rms() }, kv_heads: Some(2), ..base.clone() },
        AttentionConfig { qk_norm: QkNormConfig::FullWidth { norm: rms() }, document_mask: true, ..base },
    ]
}

fn positions(scope: &Scope, head_dim: usize) -> Vec<Position> {
    vec![
        Position::Rope(RopeConfig::default().build(head_dim, SEQ)),
        Position::Alibi(AlibiConfig::default().build(4)),
        Position::T5(T5Config::default().build(scope, 4)),
        Position::None(NoPositionConfig {}.build()),
    ]
}

/// Entropy per head and largest logit, in float64, a query at a time.
fn reference(q: &Tensor<4>, k: &Tensor<4>, options: &AttentionOptions) -> Spread {
    let ([_, heads, _, head_dim], kv_heads) = (q.dims(), k.dims()[1]);
    let (q, k) = (values(q.clone()), values(k.clone()));
    let starts: Option<Vec<i64>> = options.starts.as_ref().map(|starts| starts.clone().into_data().iter::<i64>().collect());
    let row =
        |list: &[f64], heads: usize, b: usize, h: usize, s: usize| list[((b * heads + h) * SEQ + s) * head_dim..][..head_dim].to_vec();
    let (mut entropy, mut max_logit) = (vec![0.0; heads], f64::NEG_INFINITY);
    for b in 0..BATCH {
        for h in 0..heads {
            for i in 0..SEQ {
                let first = (i + 1).saturating_sub(options.window.unwrap_or(SEQ));
                let first = first.max(starts.as_ref().map_or(0, |starts| starts[b * SEQ + i] as usize));
                let query = row(&q, heads, b, h, i);
                let scores: Vec<f64> = (first..=i)
                    .map(|j| {
                        let key = row(&k, kv_heads, b, h / (heads / kv_heads), j);
                        let logit = options.scale * query.iter().zip(&key).map(|(q, k)| q * k).sum::<f64>();
                        max_logit = max_logit.max(logit);
                        let capped = options.soft_cap.map_or(logit, |cap| cap * (logit / cap).tanh());
                        capped
                            + match &options.bias {
                                ScoreBias::None => 0.0,
                                ScoreBias::Alibi(slopes) => -f64::from(slopes[h]) * (i - j) as f64,
                                ScoreBias::Relative { table, max_distance } => {
                                    let [buckets, columns] = table.dims();
                                    values(table.clone())[relative_bucket(i - j, buckets, *max_distance) * columns + h]
                                }
                            }
                    })
                    .collect();
                let total: f64 = scores.iter().map(|score| score.exp()).sum();
                entropy[h] -= scores.iter().map(|score| score.exp() / total).map(|p| p * p.ln()).sum::<f64>();
            }
        }
    }
    let means: Vec<f64> = entropy.iter().map(|sum| sum / (BATCH * SEQ) as f64).collect();
    let least = means.iter().copied().fold(f64::INFINITY, f64::min);
    Spread { entropy: means.iter().sum::<f64>() / heads as f64, entropy_min: least, max_logit }
}

#[test]
fn spread_is_that_of_the_weights_that_attention_uses() {
    let device = Device::flex();
    let scope = Scope::new(3, &InitConfig::Normal { std: 0.4 }, 2, WIDTH, 1.0, &device);
    let starts = Tensor::from_data(TensorData::new([[0, 0, 0, 3, 3, 3, 3, 7, 7], [0; SEQ]].concat(), [BATCH, SEQ]), &device);
    let pass = Pass { starts: Some(starts), ..Pass::default() };
    for (number, config) in configs().into_iter().enumerate() {
        let spec = config.resolve(WIDTH, 2, None).unwrap();
        for layer in 0..2 {
            let attention = spec.build(&scope.layer("layers", layer).child("attention"), WIDTH);
            for position in positions(&scope.child("position"), spec.head_dim) {
                let x: Tensor<3> = Tensor::from_data(TensorData::new(noise("x", BATCH * SEQ * WIDTH), [BATCH, SEQ, WIDTH]), &device);
                let (q, k) = attention.queries_and_keys(x.clone(), &position);
                let options = attention.options(&position, &pass);

                // These are the queries and keys that the branch itself uses.
                let v = attention.value.forward(x.clone()).reshape([BATCH, SEQ, spec.kv_heads, spec.head_dim]).swap_dims(1, 2);
                let output = attention.output.forward(ops::join_heads(ops::attention(q.clone(), k.clone(), v, &options)));
                let expected = values(attention.forward(x.clone(), &position, &pass));
                for (got, expected) in values(output).iter().zip(&expected) {
                    assert!((got - expected).abs() < 1e-5, "{number}: {got} {expected}");
                }

                let (got, expected) = (attention.spread(x, &position, &pass), reference(&q, &k, &options));
                for (got, expected) in
                    [(got.entropy, expected.entropy), (got.entropy_min, expected.entropy_min), (got.max_logit, expected.max_logit)]
                {
                    assert!((got - expected).abs() < 1e-5 * expected.abs().max(1.0), "{number} {position:?}: {got} {expected}");
                }
            }
        }
    }
}

#[test]
fn even_weights_have_the_logarithm_of_their_number_and_one_alone_has_none() {
    let device = Device::flex();
    let scores = |rows: Vec<f32>| Tensor::<4>::from_data(TensorData::new(rows, [1, 1, 3, 4]), &device);
    let inf = f32::NEG_INFINITY;
    let entropy = values(entropies(scores(vec![7.0, inf, inf, inf, 3.0, 3.0, 3.0, inf, 500.0, -500.0, 0.0, 0.0])));
    for (got, expected) in entropy.iter().zip([0.0, 3f64.ln(), 0.0]) {
        assert!((got - expected).abs() < 1e-6, "{entropy:?}");
    }
}
