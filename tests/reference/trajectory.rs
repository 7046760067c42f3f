//! Twenty steps of training LLaMA's block against PyTorch's AdamW, clipping and schedule: `trajectory.py`.

use super::{
    cases::{cases, file},
    device, weights,
};
use ablate::{
    model::Pass,
    train::{AdamWConfig, DecayRule, OptimizerConfig, ScheduleConfig, clip, optimizer},
};
use burn::optim::GradientsParams;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Largest difference of a loss, in nats.
const LOSS: f64 = 5e-5;
/// Largest relative difference of a gradient norm.
const NORM: f64 = 5e-4;

#[derive(Deserialize)]
struct Expected {
    recipe: Recipe,
    rules: BTreeMap<String, Path>,
}

#[derive(Deserialize)]
struct Recipe {
    steps: usize,
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    clip: f64,
    warmup: usize,
    floor: f64,
}

#[derive(Deserialize)]
struct Path {
    losses: Vec<f64>,
    gradient_norms: Vec<f64>,
}

fn expected() -> Expected {
    serde_json::from_str(&std::fs::read_to_string(file("trajectory.json")).unwrap()).unwrap()
}

/// The losses and gradient norms of the library under a rule.
fn trained(recipe: &Recipe, decay: DecayRule) -> Path {
    let &Recipe { steps, lr, beta1, beta2, eps, weight_decay, floor, warmup, .. } = recipe;
    let config = OptimizerConfig::Adamw(AdamWConfig { lr, beta1, beta2, eps, weight_decay, decay });
    let schedule = ScheduleConfig::Cosine { warmup, floor };
    let case = cases().into_iter().find(|case| case.name == "trajectory").unwrap();
    let device = device();
    let mut model = weights::overwrite(case.spec.build(0, &device));
    let mut updates = optimizer::build(&config, 1.0, &model);
    let mut path = Path { losses: vec![], gradient_norms: vec![] };
    for step in 0..steps {
        let (inputs, targets) = weights::tokens(&format!("step {step}"), case.batch, case.sequence, case.spec.vocab, &device);
        let loss = model.loss(inputs, targets, &Pass::default());
        path.losses.push(loss.objective.clone().into_scalar::<f32>().into());
        let mut gradients = GradientsParams::from_grads(loss.objective.backward(), &model);
        path.gradient_norms.push(clip(&model, &mut gradients, recipe.clip));
        model = updates.step(schedule.rate(lr, step, steps), model, gradients);
    }
    path
}

#[test]
fn training_agrees_with_pytorch_under_each_decay_rule() {
    let Expected { recipe, rules } = expected();
    for (name, rule) in [("all", DecayRule::All), ("matrices", DecayRule::Matrices), ("no_embeddings", DecayRule::NoEmbeddings)] {
        let (found, truth) = (trained(&recipe, rule), &rules[name]);
        assert_eq!(truth.losses.len(), recipe.steps);
        let mut worst = (0.0, 0.0);
        for step in 0..recipe.steps {
            let apart = (found.losses[step] - truth.losses[step]).abs();
            assert!(apart <= LOSS, "{name}, step {step}: loss {} instead of {}", found.losses[step], truth.losses[step]);
            let (norm, true_norm) = (found.gradient_norms[step], truth.gradient_norms[step]);
            let relative = (norm / true_norm - 1.0).abs();
            assert!(relative <= NORM, "{name}, step {step}: gradient norm {norm} instead of {true_norm}");
            worst = (f64::max(worst.0, apart), f64::max(worst.1, relative));
        }
        eprintln!("{name}: losses within {:.1e}, gradient norms within {:.1e}", worst.0, worst.1);
    }
}

/// The rules differ by more than the tolerance can hide, and gradients are clipped in some steps and not in others.
#[test]
fn the_trajectory_tells_the_rules_apart() {
    let Expected { recipe, rules } = expected();
    let last = |rule: &str| rules[rule].losses[recipe.steps - 1];
    for (a, b) in [("all", "matrices"), ("all", "no_embeddings"), ("matrices", "no_embeddings")] {
        assert!((last(a) - last(b)).abs() > 4.0 * LOSS, "{a} and {b} end {:.1e} apart", (last(a) - last(b)).abs());
    }
    for path in rules.values() {
        assert!(path.gradient_norms.iter().any(|&norm| norm > 1.05 * recipe.clip), "never clipped");
        assert!(path.gradient_norms.iter().any(|&norm| norm < 0.95 * recipe.clip), "always clipped");
    }
}
