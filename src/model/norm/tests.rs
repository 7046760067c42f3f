use super::*;
use crate::{
    model::init::InitConfig,
    ops::check::{autodiff, close, differences, leaf, noise, noisy, values, weighted, weighted_sum},
};
use burn::{
    module::{ModuleVisitor, Param},
    tensor::Device,
};

fn scope() -> Scope {
    Scope::new(1, &InitConfig::default(), 8, 16, 1.0, &autodiff(&Device::flex()))
}

fn kinds() -> Vec<NormConfig> {
    let rms = RmsNormConfig::default();
    let layer = LayerNormConfig::default();
    vec![
        NormConfig::Rms(rms.clone()),
        NormConfig::Rms(RmsNormConfig { unit_offset: true, ..rms.clone() }),
        NormConfig::Rms(RmsNormConfig { gain: false, ..rms.clone() }),
        NormConfig::Rms(RmsNormConfig { gain: false, unit_offset: true, ..rms }),
        NormConfig::Layer(layer.clone()),
        NormConfig::Layer(LayerNormConfig { bias: false, ..layer.clone() }),
        NormConfig::Layer(LayerNormConfig { gain: false, ..layer.clone() }),
        NormConfig::Layer(LayerNormConfig { gain: false, bias: false, ..layer }),
        NormConfig::Dyt(DytConfig::default()),
        NormConfig::None(NoNormConfig {}),
    ]
}

fn rows(x: &[f64], width: usize) -> Vec<&[f64]> {
    x.chunks(width).collect()
}

#[test]
fn accounts_equal_the_built_module() {
    for config in kinds() {
        let norm = config.build(&scope(), 12);
        assert_eq!(config.account(12).parameters, norm.num_params() as u64, "{config:?}");
        assert_eq!(config.account(12).flops_per_token, 0.0);
    }
    assert_eq!(kinds()[0].account(12).saved_bytes_per_token, 4.0 * 14.0);
    assert_eq!(kinds()[4].account(12).saved_bytes_per_token, 4.0 * 14.0);
    assert_eq!(kinds()[9].account(12), Account::default());
}

#[test]
fn paths_name_gain_bias_alpha() {
    /// Paths of parameters without the segments of enum variants.
    #[derive(Default)]
    struct Names(Vec<String>, Vec<String>);
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_string());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            self.1.push(self.0.last().unwrap().clone());
        }
    }
    for config in kinds() {
        let mut names = Names::default();
        config.build(&scope(), 4).visit(&mut names);
        let sketch = Scope::sketch(1, 4);
        let _ = config.build(&sketch, 4);
        let asked: Vec<String> = sketch.sketched().into_iter().map(|known| known.path).collect();
        assert_eq!(names.1, asked, "{config:?}");
    }
}

#[test]
fn rms_is_one_and_scale_is_forgotten() {
    let x = noisy("x", [6, 16]);
    for config in &kinds()[..4] {
        let norm = config.build(&scope(), 16);
        let y = values(norm.forward(x.clone()));
        for row in rows(&y, 16) {
            let mean_square = row.iter().map(|v| v * v).sum::<f64>() / 16.0;
            assert!((mean_square - 1.0).abs() < 1e-4, "{config:?}: {mean_square}");
        }
        let scaled = values(norm.forward(x.clone().mul_scalar(64.0)));
        close("scale", &scaled, &y, 1e-4);
    }
}

#[test]
fn layer_norm_forgets_shift_and_scale() {
    let x = noisy("x", [6, 16]);
    for config in &kinds()[4..8] {
        let norm = config.build(&scope(), 16);
        let y = values(norm.forward(x.clone()));
        for row in rows(&y, 16) {
            assert!(row.iter().sum::<f64>().abs() / 16.0 < 1e-6);
            assert!((row.iter().map(|v| v * v).sum::<f64>() / 16.0 - 1.0).abs() < 1e-4);
        }
        close("shift", &values(norm.forward(x.clone().mul_scalar(64.0).add_scalar(5.0))), &y, 1e-4);
    }
}

#[test]
fn none_is_the_identity() {
    let x = noisy("x", [2, 3, 4]);
    assert_eq!(values(NoNormConfig {}.build().forward(x.clone())), values(x));
}

#[test]
fn dynamic_tanh_agrees_with_float64() {
    let x = noisy("x", [3, 5]);
    let mut norm = DytConfig { alpha: 0.7, depth_scale: false }.build(&scope(), 5);
    norm.gain = Param::from_tensor(noisy("g", [5]));
    norm.bias = Param::from_tensor(noisy("b", [5]));
    let (g, b) = (values(norm.gain.val()), values(norm.bias.val()));
    let alpha = values(norm.alpha.val())[0];
    let reference = |x: &[f64], alpha: f64| x.iter().enumerate().map(|(i, v)| (alpha * v).tanh() * g[i % 5] + b[i % 5]).collect::<Vec<_>>();
    let x64 = values(x.clone());
    let y = norm.forward(x.clone());
    close("y", &values(y.clone()), &reference(&x64, alpha), 1e-6);
    let gradients = weighted_sum(y).backward();
    close("dx", &values(x.grad(&gradients).unwrap()), &differences(&x64, |x| weighted(&reference(x, alpha))), 2e-6);
    let dalpha = differences(&[alpha], |a| weighted(&reference(&x64, a[0])));
    close("dalpha", &values(norm.alpha.val().grad(&gradients).unwrap()), &dalpha, 2e-6);
}

#[test]
fn the_gain_forms_start_equal_and_train_equal() {
    // 1 + w with w at 0 is w at 1: same output, same gradients.
    let x = leaf(noise("x", 24), [2, 12]);
    let run = |unit_offset| {
        let norm = RmsNormConfig { unit_offset, ..Default::default() }.build(&scope(), 12);
        let y = norm.forward(x.clone());
        let gradients = weighted_sum(y.clone()).backward();
        (values(y), values(norm.gain.unwrap().val().grad(&gradients).unwrap()))
    };
    let ((y0, g0), (y1, g1)) = (run(false), run(true));
    close("y", &y1, &y0, 1e-7);
    close("dw", &g1, &g0, 1e-6);
}

#[test]
fn depth_scale_divides_by_the_root_of_the_layer_number() {
    let x = noisy("x", [2, 8]);
    let configs = [
        NormConfig::Rms(RmsNormConfig { depth_scale: true, ..Default::default() }),
        NormConfig::Layer(LayerNormConfig { depth_scale: true, ..Default::default() }),
        NormConfig::Dyt(DytConfig { depth_scale: true, ..Default::default() }),
    ];
    for config in configs {
        let at = |scope: Scope| values(config.build(&scope, 8).forward(x.clone()));
        let outside = at(scope().child("final_norm"));
        for layer in [0, 3, 7] {
            let expected: Vec<f64> = outside.iter().map(|v| v / ((layer + 1) as f64).sqrt()).collect();
            close("depth", &at(scope().layer("layers", layer)), &expected, 1e-6);
        }
    }
}

#[test]
fn impossible_values_are_named() {
    assert!(kinds().iter().all(|k| k.problems("model.norm").is_empty()));
    let bad = NormConfig::Rms(RmsNormConfig { eps: 0.0, ..Default::default() });
    assert_eq!(bad.problems("model.norm")[0].key, "model.norm.eps");
}
