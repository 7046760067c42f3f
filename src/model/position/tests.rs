use super::*;
use crate::{
    model::{ModelConfig, attention::AttentionSpec, init::InitConfig},
    ops::check::{autodiff, close, noisy, values, weighted_sum},
};
use burn::tensor::Device;

fn scope() -> Scope {
    Scope::new(1, &InitConfig::default(), 4, 8, 1.0, &autodiff(&Device::flex()))
}

fn spec(position: PositionConfig) -> ModelSpec {
    let config = ModelConfig::default();
    let attention = config.attention.resolve(8, 4, None).unwrap();
    ModelSpec {
        layers: 4,
        width: 8,
        context: 16,
        vocab: 32,
        norm: config.norm,
        final_norm: true,
        residual: config.residual,
        attention: AttentionSpec { heads: 2, kv_heads: 1, head_dim: 4, ..attention },
        position,
        feed_forward: crate::model::feed_forward::FeedForwardSpec {
            kind: crate::model::feed_forward::FeedForwardKind::Relu,
            hidden: 8,
            bias: false,
        },
        embedding: config.embedding,
        head: config.head,
        readout: config.readout,
        init: config.init,
        mup: None,
    }
}

fn kinds() -> Vec<PositionConfig> {
    vec![
        PositionConfig::default(),
        PositionConfig::Learned(LearnedConfig {}),
        PositionConfig::Sinusoidal(SinusoidalConfig::default()),
        PositionConfig::Alibi(AlibiConfig::default()),
        PositionConfig::T5(T5Config::default()),
        PositionConfig::None(NoPositionConfig {}),
    ]
}

/// q·k of query position i and key position j for every pair, after rotation of the same q and k at every position.
fn scores(rope: &Rope, seq: usize) -> Vec<Vec<f64>> {
    let repeat = |x: Tensor<1>| x.reshape([1, 1, 1, 8]).expand([1, 1, seq, 8]);
    let (q, k) = rope.rotate(repeat(noisy("q", [8])), repeat(noisy("k", [8])), 0);
    let all = values(q.matmul(k.transpose()));
    all.chunks(seq).map(<[f64]>::to_vec).collect()
}

#[test]
fn accounts_equal_the_built_module_and_paths() {
    for config in kinds() {
        let spec = spec(config.clone());
        let position = config.build(&scope().child("position"), &spec);
        assert_eq!(config.account(&spec).parameters, position.num_params() as u64, "{config:?}");
        let sketch = Scope::sketch(4, 8);
        let _ = config.build(&sketch.child("position"), &spec);
        let paths: Vec<String> = sketch.sketched().into_iter().map(|known| known.path).collect();
        match config {
            PositionConfig::Learned(_) => assert_eq!(paths, ["position.weight"]),
            PositionConfig::T5(_) => assert_eq!(paths, ["position.table"]),
            _ => assert!(paths.is_empty()),
        }
        assert_eq!(config.context_limit(16), matches!(config, PositionConfig::Learned(_)).then_some(16));
        assert!(config.problems(4).is_empty(), "{config:?}");
    }
}

#[test]
fn every_kind_survives_clone_and_validation_copy() {
    for config in kinds() {
        let spec = spec(config.clone());
        let trained = config.build(&scope(), &spec);
        let plain = trained.clone().valid();
        let x = noisy("x", [1, 5, 8]);
        let q = noisy("q", [1, 2, 5, 4]);
        let [a, b] = [(trained, x.clone(), q.clone()), (plain, x.inner(), q.inner())].map(|(position, x, q)| {
            let (rotated, _) = position.rotate(q.clone(), q, 0);
            [values(position.embed(x)), values(rotated)].concat()
        });
        assert_eq!(a, b, "{config:?}");
    }
}

#[test]
fn rotary_scores_depend_on_distance_only() {
    for pairing in [Pairing::Interleaved, Pairing::Half] {
        for fraction in [1.0, 0.5] {
            // 40 positions with tables for 16: beyond the training context as well.
            let scores = scores(&RopeConfig { pairing, fraction, ..Default::default() }.build(8, 16), 40);
            let mut by_distance = std::collections::BTreeMap::new();
            for (i, row) in scores.iter().enumerate() {
                for (j, score) in row.iter().enumerate().take(i + 1) {
                    let first: &mut f64 = by_distance.entry(i - j).or_insert(*score);
                    assert!((*first - score).abs() < 2e-6, "{pairing:?} {fraction}: {i} {j}");
                }
            }
            assert!((by_distance[&0] - by_distance[&1]).abs() > 1e-3);
        }
    }
}

#[test]
fn interleaved_is_half_after_a_permutation() {
    let build = |pairing| RopeConfig { pairing, ..Default::default() }.build(8, 16);
    let x = noisy("x", [2, 3, 9, 8]);
    // Channel c of the half form is channel order[c] of the interleaved one.
    let order = [0, 2, 4, 6, 1, 3, 5, 7];
    let permuted = |x: Vec<f64>| x.chunks(8).flat_map(|row| order.map(|c| row[c])).collect::<Vec<_>>();
    let (interleaved, _) = build(Pairing::Interleaved).rotate(x.clone(), x.clone(), 0);
    let input: Vec<f32> = permuted(values(x)).into_iter().map(|v| v as f32).collect();
    let half = crate::ops::check::leaf(input, [2, 3, 9, 8]);
    let (half, _) = build(Pairing::Half).rotate(half.clone(), half, 0);
    close("pairing", &values(half), &permuted(values(interleaved)), 1e-6);
}

#[test]
fn late_queries_rotate_as_in_the_whole_sequence() {
    let rope = RopeConfig::default().build(8, 16);
    let (q, k) = (noisy("q", [1, 2, 9, 8]), noisy("k", [1, 1, 9, 8]));
    let (whole, keys) = rope.rotate(q.clone(), k.clone(), 0);
    let (late, same) = rope.rotate(q.slice([0..1, 0..2, 6..9, 0..8]), k, 0);
    assert_eq!(values(late), values(whole.slice([0..1, 0..2, 6..9, 0..8])));
    assert_eq!(values(same), values(keys));
}

#[test]
fn yarn_multiplies_scores_by_the_square_of_its_magnitude() {
    let scaling =
        RopeScaling::Yarn { factor: 4.0, original_context: 16, beta_fast: 32.0, beta_slow: 1.0, attention_factor: None, truncate: true };
    let magnitude = scaling.magnitude();
    let plain = scores(&RopeConfig::default().build(8, 4), 4);
    let yarn = scores(&RopeConfig { scaling, ..Default::default() }.build(8, 4), 4);
    for i in 0..4 {
        assert!((yarn[i][i] - plain[i][i] * magnitude * magnitude).abs() < 1e-5);
    }
}

#[test]
fn patterns_repeat_over_layers() {
    let pattern = vec![Use::On, Use::Off];
    let rope = RopeConfig { pattern: pattern.clone(), ..Default::default() }.build(4, 8);
    let q = noisy("q", [1, 1, 3, 4]);
    for layer in 0..4 {
        let (rotated, _) = rope.rotate(q.clone(), q.clone(), layer);
        assert_eq!(values(rotated) == values(q.clone()), layer % 2 == 1);
    }
    let alibi = PositionConfig::Alibi(AlibiConfig { pattern: pattern.clone(), ..Default::default() });
    let t5 = PositionConfig::T5(T5Config { pattern, ..Default::default() });
    for config in [alibi, t5] {
        let position = config.build(&scope(), &spec(config.clone()));
        for layer in 0..4 {
            assert_eq!(matches!(position.bias(layer), ScoreBias::None), layer % 2 == 1);
        }
    }
}

#[test]
fn slopes_of_alibi() {
    let slopes = |heads| AlibiConfig::default().slopes(heads);
    close("8", &slopes(8), &[0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625], 1e-15);
    // The released rule for 6 heads: 4 slopes of ratio 1/4, then the first and third of 8 heads.
    close("6", &slopes(6), &[0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125], 1e-15);
    close("1", &slopes(1), &[1.0 / 256.0], 1e-15);
    close("max 4", &AlibiConfig { max_exponent: 4.0, ..Default::default() }.slopes(2), &[0.25, 0.0625], 1e-15);
    assert_eq!(slopes(12).len(), 12);
}

#[test]
fn sinusoids_follow_the_paper_beyond_the_context_too() {
    let position = SinusoidalConfig::default().build(3, 4);
    let zeros = Tensor::<3>::zeros([1, 6, 4], &Device::flex());
    let table = values(position.embed(zeros));
    for p in 0..6 {
        let angle = p as f64;
        let expected = [angle.sin(), angle.cos(), (angle / 100.0).sin(), (angle / 100.0).cos()];
        close("row", &table[p * 4..p * 4 + 4], &expected, 1e-7);
    }
}

#[test]
fn learned_positions_add_and_learn() {
    let position = LearnedConfig {}.build(&scope(), 6, 4);
    let x = noisy("x", [2, 5, 4]);
    let y = position.embed(x.clone());
    let (x64, table) = (values(x), values(position.weight.val()));
    let expected: Vec<f64> = x64.iter().enumerate().map(|(i, v)| v + table[i % 20]).collect();
    close("sum", &values(y.clone()), &expected, 1e-6);
    let gradient = values(position.weight.val().grad(&weighted_sum(y).backward()).unwrap());
    assert!(gradient[..20].iter().any(|g| *g != 0.0) && gradient[20..].iter().all(|g| *g == 0.0));
}

#[test]
fn broken_rules_are_named() {
    let keys = |config: PositionConfig, head_dim| config.problems(head_dim).into_iter().map(|p| p.key).collect::<Vec<_>>();
    let rope = |change: fn(&mut RopeConfig)| {
        let mut config = RopeConfig::default();
        change(&mut config);
        PositionConfig::Rope(config)
    };
    assert_eq!(keys(rope(|_| ()), 7), ["model.position.fraction"]);
    assert_eq!(keys(rope(|c| c.fraction = 0.25), 12), ["model.position.fraction"]);
    assert!(keys(rope(|c| c.fraction = 0.4), 80).is_empty());
    assert_eq!(keys(rope(|c| c.fraction = 1.5), 8), ["model.position.fraction"]);
    assert_eq!(keys(rope(|c| c.theta = 1.0), 8), ["model.position.theta"]);
    assert_eq!(keys(rope(|c| c.pattern.clear()), 8), ["model.position.pattern"]);
    assert_eq!(keys(rope(|c| c.scaling = RopeScaling::Linear { factor: 0.5 }), 8), ["model.position.scaling.factor"]);
    assert_eq!(keys(rope(|c| c.scaling = RopeScaling::Ntk { factor: 2.0 }), 2), ["model.position.scaling.kind"]);
    let t5 = |buckets, max_distance| PositionConfig::T5(T5Config { buckets, max_distance, ..Default::default() });
    assert_eq!(keys(t5(7, 128), 8), ["model.position.buckets"]);
    assert_eq!(keys(t5(32, 16), 8), ["model.position.max_distance"]);
    assert_eq!(
        keys(PositionConfig::Alibi(AlibiConfig { max_exponent: 0.0, pattern: vec![] }), 8),
        ["model.position.max_exponent", "model.position.pattern"]
    );
}
