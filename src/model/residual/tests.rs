//! Topologies against their formulas, with branches that are simple functions and a norm that is easy to write down.

use super::*;
use crate::model::{
    Noise,
    init::InitConfig,
    norm::{NoNormConfig, RmsNormConfig},
};
use burn::tensor::{Device, Tolerance};

const LAYERS: usize = 3;

fn input() -> Tensor<3> {
    Tensor::from_floats([[[1.0, -2.0], [0.5, 3.0]]], &Device::flex())
}

fn attention(x: Tensor<3>) -> Tensor<3> {
    x * 2.0 + 1.0
}

fn feed_forward(x: Tensor<3>) -> Tensor<3> {
    x.powi_scalar(2) - 0.5
}

/// RMSNorm without gain, eps 0.
fn norm(x: Tensor<3>) -> Tensor<3> {
    x.clone() / x.powi_scalar(2).mean_dim(2).sqrt()
}

fn rms() -> NormConfig {
    NormConfig::Rms(RmsNormConfig { eps: 0.0, gain: false, ..Default::default() })
}

fn residual(kind: ResidualKind, scale: BranchScale, norm: &NormConfig) -> Residual {
    let scope = Scope::new(0, &InitConfig::default(), LAYERS, 2, 1.0, &Device::flex());
    ResidualConfig { kind, scale, dropout: 0.0 }.build(&scope.layer("layers", 1).child("residual"), norm, 2, LAYERS)
}

fn check(kind: ResidualKind, scale: BranchScale, expected: Tensor<3>) {
    let found = residual(kind, scale, &rms()).forward(input(), attention, feed_forward, &Pass::default());
    found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
}

#[test]
fn pre() {
    let x = input();
    let x = x.clone() + attention(norm(x));
    check(ResidualKind::Pre, BranchScale::None {}, x.clone() + feed_forward(norm(x)));
}

#[test]
fn post() {
    let x = input();
    let x = norm(x.clone() + attention(x));
    check(ResidualKind::Post, BranchScale::None {}, norm(x.clone() + feed_forward(x)));
}

#[test]
fn sandwich() {
    let x = input();
    let x = x.clone() + norm(attention(norm(x)));
    check(ResidualKind::Sandwich, BranchScale::None {}, x.clone() + norm(feed_forward(norm(x))));
}

#[test]
fn output() {
    let x = input();
    let x = x.clone() + norm(attention(x));
    check(ResidualKind::Output, BranchScale::None {}, x.clone() + norm(feed_forward(x)));
}

#[test]
fn parallel() {
    let x = input();
    let expected = x.clone() + attention(norm(x.clone())) + feed_forward(norm(x));
    check(ResidualKind::ParallelShared, BranchScale::None {}, expected.clone());
    check(ResidualKind::Parallel, BranchScale::None {}, expected);
}

#[test]
fn depth_scales_both_branches() {
    let factor = 1.0 / 6f64.sqrt();
    let x = input();
    let x = x.clone() + attention(norm(x)) * factor;
    check(ResidualKind::Pre, BranchScale::Depth {}, x.clone() + feed_forward(norm(x)) * factor);
}

#[test]
fn rezero_starts_as_the_identity() {
    check(ResidualKind::Pre, BranchScale::Learned { initial: 0.0 }, input());
    check(ResidualKind::Parallel, BranchScale::Learned { initial: 0.0 }, input());
}

#[test]
fn deepnorm_scales_the_stream_and_shrinks_the_weights() {
    let alpha = 6f64.powf(0.25);
    let x = input();
    let x = norm(x.clone() * alpha + attention(x));
    check(ResidualKind::Post, BranchScale::Deepnorm {}, norm(x.clone() * alpha + feed_forward(x)));
    let config = ResidualConfig { kind: ResidualKind::Post, scale: BranchScale::Deepnorm {}, dropout: 0.0 };
    // Published for 24 layers in the paper's code: (8 · 24)^-¼.
    assert!((config.weight_shrink(24) - 0.268_642_6).abs() < 1e-6);
    assert_eq!(ResidualConfig::default().weight_shrink(24), 1.0);
}

#[test]
fn deepnorm_needs_post() {
    for kind in [ResidualKind::Pre, ResidualKind::Sandwich, ResidualKind::Output, ResidualKind::Parallel] {
        let problems = ResidualConfig { kind, scale: BranchScale::Deepnorm {}, dropout: 0.0 }.problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].key, "model.residual.scale");
    }
    assert!(ResidualConfig { kind: ResidualKind::Post, scale: BranchScale::Deepnorm {}, dropout: 0.0 }.problems().is_empty());
}

#[test]
fn dropout_acts_on_the_branches_only_and_only_in_training() {
    let scope = Scope::new(0, &InitConfig::default(), LAYERS, 2, 1.0, &Device::flex());
    let config = ResidualConfig { dropout: 0.5, ..Default::default() };
    let none = NormConfig::None(NoNormConfig {});
    let residual = config.build(&scope, &none, 64, LAYERS);
    let x = Tensor::<3>::ones([2, 8, 64], &Device::flex());
    let zero = |x: Tensor<3>| x * 0.0;
    let run = |pass: &Pass| residual.forward(x.clone(), |x| x, zero, pass).into_data().try_to_vec::<f32>().unwrap();
    assert!(run(&Pass::default()).iter().all(|&y| y == 2.0));
    let train = |step| run(&Pass { noise: Some(Noise { seed: 1, step, micro: 0, row: 0 }), ..Pass::default() });
    let first = train(0);
    // The stream passes untouched; a branch's number is gone or doubled.
    assert!(first.iter().all(|&y| y == 1.0 || y == 3.0));
    let kept = first.iter().filter(|&&y| y == 3.0).count();
    // 1024 fair coins: six standard deviations are 96.
    assert!(kept.abs_diff(512) < 96, "{kept}");
    assert_eq!(first, train(0));
    assert_ne!(first, train(1));
}
