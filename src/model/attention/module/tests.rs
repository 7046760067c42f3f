use super::*;
use crate::{
    model::{
        attention::{AttentionBias, AttentionConfig, BiasConfig, Span},
        init::InitConfig,
        norm::{DytConfig, LayerNormConfig, RmsNormConfig},
        position::{AlibiConfig, NoPositionConfig, T5Config},
    },
    ops::{
        check::{autodiff, close, noise, noisy, values, weighted_sum},
        count_flops,
    },
};
use burn::{
    module::Param,
    tensor::{Device, TensorData},
};

const WIDTH: usize = 12;
const SEQ: usize = 7;

fn scope(layer: usize) -> Scope {
    let device = autodiff(&Device::flex());
    Scope::new(3, &InitConfig::Normal { std: 0.4 }, 2, WIDTH, 1.0, &device).layer("layers", layer).child("attention")
}

fn none() -> Position {
    Position::None(NoPositionConfig {}.build())
}

/// A config with everything that changes shapes or products.
fn configs() -> Vec<AttentionConfig> {
    let base = AttentionConfig::default();
    let rms = NormConfig::Rms(RmsNormConfig::default());
    let window = |size| AttentionConfig { window: Some(size), pattern: vec![Span::Window, Span::Full], ..base.clone() };
    vec![
        base.clone(),
        AttentionConfig { kv_heads: Some(2), ..base.clone() },
        AttentionConfig { kv_heads: Some(1), head_dim: Some(6), ..base.clone() },
        AttentionConfig { heads: 2, head_dim: Some(8), scale: Some(0.1), soft_cap: Some(1.5), ..base.clone() },
        AttentionConfig { bias: BiasConfig::All(true), ..base.clone() },
        AttentionConfig { bias: BiasConfig::Each(AttentionBias { query: true, output: true, ..Default::default() }), ..base.clone() },
        AttentionConfig { qk_norm: QkNormConfig::PerHead { norm: rms.clone() }, kv_heads: Some(2), ..base.clone() },
        AttentionConfig { qk_norm: QkNormConfig::FullWidth { norm: rms }, kv_heads: Some(2), ..base.clone() },
        AttentionConfig { qk_norm: QkNormConfig::PerHead { norm: NormConfig::Layer(LayerNormConfig::default()) }, ..base.clone() },
        AttentionConfig { qk_norm: QkNormConfig::FullWidth { norm: NormConfig::Dyt(DytConfig::default()) }, ..base.clone() },
        window(1),
        window(3),
        window(SEQ),
    ]
}

/// Replaces every parameter by noise, so that gains and biases matter.
fn disturbed(mut attention: Attention) -> Attention {
    struct Disturb(usize);
    impl burn::module::ModuleMapper for Disturb {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            let (key, value) = (self.0, param.val());
            let shift = noise(&format!("disturb {key}"), value.shape().num_elements());
            let shift = Tensor::<D>::from_data(TensorData::new(shift, value.dims()), &value.device());
            Param::from_tensor((value + shift.mul_scalar(0.3)).detach())
        }
    }
    attention = attention.map(&mut Disturb(0));
    attention
}

struct Weights {
    matrix: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl Weights {
    fn of(linear: &Linear) -> Self {
        Self { matrix: values(linear.weight.val()), bias: linear.bias.as_ref().map(|b| values(b.val())) }
    }

    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let outputs = self.matrix.len() / x.len();
        (0..outputs)
            .map(|o| {
                let product: f64 = x.iter().enumerate().map(|(i, v)| v * self.matrix[i * outputs + o]).sum();
                product + self.bias.as_ref().map_or(0.0, |b| b[o])
            })
            .collect()
    }
}

/// The norms in float64, over `row`.
fn normed(norm: &Norm, row: &[f64]) -> Vec<f64> {
    let n = row.len() as f64;
    match norm {
        Norm::None(_) => row.to_vec(),
        Norm::Rms(norm) => {
            let gain = values(norm.gain.as_ref().unwrap().val());
            let r = 1.0 / (row.iter().map(|v| v * v).sum::<f64>() / n + 1e-5).sqrt();
            row.iter().zip(gain).map(|(v, g)| v * r * g).collect()
        }
        Norm::Layer(norm) => {
            let [gain, bias] = [&norm.gain, &norm.bias].map(|p| values(p.as_ref().unwrap().val()));
            let mean = row.iter().sum::<f64>() / n;
            let r = 1.0 / (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n + 1e-5).sqrt();
            row.iter().zip(gain).zip(bias).map(|((v, g), b)| (v - mean) * r * g + b).collect()
        }
        Norm::Dyt(norm) => {
            let [gain, bias] = [&norm.gain, &norm.bias].map(|p| values(p.val()));
            let alpha = values(norm.alpha.val())[0];
            row.iter().zip(gain).zip(bias).map(|((v, g), b)| (alpha * v).tanh() * g + b).collect()
        }
    }
}

/// The whole module by loops, without positions, for one sequence of rows.
fn reference(attention: &Attention, x: &[f64]) -> Vec<f64> {
    let spec = &attention.spec;
    let d = spec.head_dim;
    let (_, whole) = qk_norm(&spec.qk_norm);
    let project = |linear: &Linear, norm: &Norm| -> Vec<Vec<f64>> {
        let weights = Weights::of(linear);
        x.chunks(WIDTH)
            .map(|row| {
                let row = weights.apply(row);
                if whole { normed(norm, &row) } else { row.chunks(d).flat_map(|head| normed(norm, head)).collect() }
            })
            .collect()
    };
    let q = project(&attention.query, &attention.query_norm);
    let k = project(&attention.key, &attention.key_norm);
    let value = Weights::of(&attention.value);
    let v: Vec<Vec<f64>> = x.chunks(WIDTH).map(|row| value.apply(row)).collect();
    let output = Weights::of(&attention.output);
    let window = spec.window_at(attention.layer).unwrap_or(usize::MAX);
    (0..q.len())
        .flat_map(|i| {
            let mut mixed = vec![0.0; spec.heads * d];
            for h in 0..spec.heads {
                let g = h * spec.kv_heads / spec.heads;
                let first = (i + 1).saturating_sub(window);
                let weights: Vec<f64> = (first..=i)
                    .map(|j| {
                        let s = spec.scale * (0..d).map(|c| q[i][h * d + c] * k[j][g * d + c]).sum::<f64>();
                        spec.soft_cap.map_or(s, |cap| cap * (s / cap).tanh()).exp()
                    })
                    .collect();
                let sum: f64 = weights.iter().sum();
                for (j, w) in (first..=i).zip(weights) {
                    for c in 0..d {
                        mixed[h * d + c] += w / sum * v[j][g * d + c];
                    }
                }
            }
            output.apply(&mixed)
        })
        .collect()
}

#[test]
fn every_form_agrees_with_loops() {
    for config in configs() {
        for layer in 0..2 {
            let attention = disturbed(config.resolve(WIDTH, 2, None).unwrap().build(&scope(layer), WIDTH));
            let x = noisy("x", [2, SEQ, WIDTH]);
            let x64 = values(x.clone());
            let y = values(attention.forward(x, &none(), &Pass::default()));
            let expected: Vec<f64> = x64.chunks(SEQ * WIDTH).flat_map(|sequence| reference(&attention, sequence)).collect();
            close(&format!("{config:?} layer {layer}"), &y, &expected, 2e-6);
        }
    }
}

#[test]
fn the_gradient_of_the_input_is_the_slope_of_the_reference() {
    for config in configs() {
        let attention = disturbed(config.resolve(WIDTH, 2, None).unwrap().build(&scope(0), WIDTH));
        let x = noisy("x", [1, 4, WIDTH]);
        let gradient = values(x.grad(&weighted_sum(attention.forward(x.clone(), &none(), &Pass::default())).backward()).unwrap());
        let slope = crate::ops::check::differences(&values(x), |x| crate::ops::check::weighted(&reference(&attention, x)));
        close(&format!("{config:?}"), &gradient, &slope, 1e-5);
    }
}

#[test]
fn accounts_equal_parameters_and_counted_products() {
    for config in configs() {
        let spec = config.resolve(WIDTH, 2, None).unwrap();
        for layer in 0..2 {
            let attention = spec.build(&scope(layer), WIDTH);
            let account = spec.account(WIDTH, layer, SEQ);
            assert_eq!(account.parameters, attention.num_params() as u64, "{config:?}");
            // Position information runs no counted products.
            let position = Position::Alibi(AlibiConfig::default().build(spec.heads));
            let (_, counted) = count_flops(|| attention.forward(noisy("x", [2, SEQ, WIDTH]), &position, &Pass::default()));
            let expected = account.flops_per_token / 3.0 * (2 * SEQ) as f64;
            assert!((counted as f64 - expected).abs() < 1e-9 * expected, "{config:?}: counted {counted}, accounted {expected}");
        }
    }
}

#[test]
fn saved_bytes_of_a_plain_layer() {
    // Input, q, k, v, mixed: 5·width; one statistic per head.
    let spec = AttentionConfig::default().resolve(WIDTH, 1, None).unwrap();
    assert_eq!(spec.account(WIDTH, 0, SEQ).saved_bytes_per_token, 4.0 * (5 * WIDTH + 4) as f64);
}

#[test]
fn pairs_by_loops() {
    for context in 1..20 {
        for window in (1..25).map(Some).chain([None]) {
            let expected: usize = (1..=context).map(|i| window.map_or(i, |w: usize| w.min(i))).sum();
            assert_eq!(visible_pairs(context, window), expected, "{context} {window:?}");
        }
    }
}

#[test]
fn paths_equal_module_paths() {
    #[derive(Default)]
    struct Paths(Vec<(String, bool)>, Vec<String>);
    impl burn::module::ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.push((name.to_string(), crate::model::transformer::is_variant(container)));
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            let path: Vec<&str> = self.0.iter().filter(|(_, variant)| !variant).map(|(name, _)| name.as_str()).collect();
            self.1.push(path.join("."));
        }
    }
    for config in configs() {
        let sketch = Scope::sketch(1, WIDTH);
        let mut paths = Paths::default();
        config.resolve(WIDTH, 1, None).unwrap().build(&sketch, WIDTH).visit(&mut paths);
        assert_eq!(paths.1, sketch.sketched().into_iter().map(|known| known.path).collect::<Vec<_>>(), "{config:?}");
    }
}

#[test]
fn weights_do_not_depend_on_heads_or_norms() {
    // Same widths, other heads and norms: the same four matrices, so that such arms are paired.
    let matrices = |config: AttentionConfig| {
        let a = config.resolve(WIDTH, 1, None).unwrap().build(&scope(0), WIDTH);
        [a.query, a.key, a.value, a.output].map(|l| values(l.weight.val()))
    };
    let norm = NormConfig::Rms(RmsNormConfig::default());
    let other = AttentionConfig { heads: 2, qk_norm: QkNormConfig::PerHead { norm }, soft_cap: Some(5.0), ..Default::default() };
    assert_eq!(matrices(AttentionConfig::default()), matrices(other));
}

#[test]
fn t5_bias_learns_through_attention() {
    let position = Position::T5(T5Config { buckets: 4, max_distance: 6, ..Default::default() }.build(&scope(0).child("position"), 4));
    let attention = AttentionConfig::default().resolve(WIDTH, 1, None).unwrap().build(&scope(0), WIDTH);
    let gradients = weighted_sum(attention.forward(noisy("x", [1, SEQ, WIDTH]), &position, &Pass::default())).backward();
    let Position::T5(bias) = position else { unreachable!() };
    let gradient = values(bias.table.val().grad(&gradients).unwrap());
    assert!(gradient.iter().all(|g| g.is_finite() && *g != 0.0), "{gradient:?}");
}
