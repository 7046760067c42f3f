//! From settings to Burn's optimizers, with parameter groups.

use super::{
    adamw::AdamW,
    spec::{DecayRule, OptimizerConfig},
};
use crate::model::{Transformer, parameters};
use burn::{
    module::ParamGroup,
    optim::{self, AdjustLrFn, DynOptimizer, ModuleOptimizer, decay::WeightDecayConfig, momentum::MomentumConfig},
};

/// Whether a parameter is a token or position embedding.
fn is_embedding(path: &str) -> bool {
    path.starts_with("embedding.") || path.starts_with("position.")
}

/// Whether `rule` lets a parameter decay.
pub fn decays(rule: DecayRule, path: &str, shape: &[usize]) -> bool {
    match rule {
        DecayRule::All => true,
        DecayRule::Matrices => shape.len() == 2,
        DecayRule::NoEmbeddings => !is_embedding(path),
    }
}

/// Whether Muon updates a parameter: the matrices of the blocks.
pub fn is_hidden_matrix(path: &str, shape: &[usize]) -> bool {
    path.starts_with("layers.") && shape.len() == 2
}

/// The optimizer of a model: one group without decay, one with, and for Muon two more.
///
/// Groups hold parameter identities, so the optimizer fits this instance of the model and those loaded from its record.
pub fn build(config: &OptimizerConfig, model: &Transformer) -> ModuleOptimizer {
    let (decay, rule) = config.decay();
    let all = parameters(model);
    let group = |wanted: &dyn Fn(&str, &[usize]) -> bool| {
        ParamGroup::from_ids(all.iter().filter(|(path, _, shape)| wanted(path, shape)).map(|(_, id, _)| *id).collect())
    };
    let decayed = group(&|path, shape| decays(rule, path, shape));
    match config {
        OptimizerConfig::Adamw(c) => {
            let part = |decay: f64| adamw(c.beta1, c.beta2, c.eps, decay);
            split(part, decay, decayed)
        }
        OptimizerConfig::Adam(c) => {
            let part = |decay: f64| {
                let config = optim::AdamConfig::new().with_beta_1(c.beta1 as f32).with_beta_2(c.beta2 as f32);
                config.with_epsilon(c.eps as f32).with_weight_decay(coupled(decay)).build()
            };
            split(part, decay, decayed)
        }
        OptimizerConfig::Sgd(c) => {
            let momentum = (c.momentum > 0.0).then(|| momentum(c.momentum, c.nesterov));
            let part = |decay: f64| optim::SgdConfig::new().with_momentum(momentum.clone()).with_weight_decay(coupled(decay)).build();
            split(part, decay, decayed)
        }
        OptimizerConfig::Lion(c) => {
            let part = |decay: f64| {
                let config = optim::LionConfig::new().with_beta_1(c.beta1 as f32).with_beta_2(c.beta2 as f32);
                config.with_weight_decay(decay as f32).build()
            };
            split(part, decay, decayed)
        }
        OptimizerConfig::Adafactor(c) => {
            let part = |decay: f64| {
                optim::AdafactorConfig::new()
                    .with_clip_threshold(c.clip_threshold as f32)
                    .with_decay_rate(-c.exponent)
                    .with_relative_step(false)
                    .with_scale_parameter(c.scale_parameter)
                    .with_weight_decay(decay as f32)
                    .build()
            };
            split(part, decay, decayed)
        }
        OptimizerConfig::Muon(c) => {
            // Burn's default factor assumes PyTorch's [outputs, inputs]; this one is symmetric, ours are [inputs, outputs].
            let part = |decay: f64| {
                optim::MuonConfig::new()
                    .with_momentum(momentum(c.momentum, c.nesterov))
                    .with_ns_steps(c.iterations)
                    .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
                    .with_weight_decay(coupled(decay))
                    .build()
            };
            split(|decay| adamw(c.beta1, c.beta2, c.eps, decay), decay, decayed)
                .with_group(group(&is_hidden_matrix), part(0.0), None)
                .with_group(group(&|path, shape| is_hidden_matrix(path, shape) && decays(rule, path, shape)), part(decay), None)
        }
    }
}

/// One thread for an update that is not repeatable on more.
///
/// Adafactor and Muon take means and norms of whole tensors by Burn's own reductions, which on Flex add up tensors of
/// 4,194,304 elements or more in the order in which threads finish. None where there is no such tensor.
pub fn serial(config: &OptimizerConfig, model: &Transformer) -> Option<rayon::ThreadPool> {
    let whole = matches!(config, OptimizerConfig::Adafactor(_) | OptimizerConfig::Muon(_));
    let large = || parameters(model).iter().any(|(_, _, shape)| shape.iter().product::<usize>() >= 4 << 20);
    (whole && large()).then(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started"))
}

/// Everything without decay, then the decayed group with it; the last group that matches a parameter wins.
fn split<O: optim::Optimizer + DynOptimizer>(part: impl Fn(f64) -> O, decay: f64, decayed: ParamGroup) -> ModuleOptimizer {
    ModuleOptimizer::from(part(0.0)).with_group(decayed, part(decay), None)
}

fn adamw(beta1: f64, beta2: f64, eps: f64, weight_decay: f64) -> AdamW {
    AdamW { beta1, beta2, eps, weight_decay }
}

/// PyTorch's momentum: no dampening.
fn momentum(momentum: f64, nesterov: bool) -> MomentumConfig {
    MomentumConfig { momentum, dampening: 0.0, nesterov }
}

fn coupled(decay: f64) -> Option<WeightDecayConfig> {
    (decay != 0.0).then(|| WeightDecayConfig::new(decay as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_by_path_and_shape() {
        let parameters: [(&str, &[usize]); 6] = [
            ("embedding.weight", &[512, 64]),
            ("position.weight", &[128, 64]),
            ("layers.0.attention.query.weight", &[64, 64]),
            ("layers.0.attention.query.bias", &[64]),
            ("layers.0.residual.attention_norm.gain", &[64]),
            ("head.weight", &[64, 512]),
        ];
        let chosen = |rule| parameters.map(|(path, shape)| u8::from(decays(rule, path, shape)));
        assert_eq!(chosen(DecayRule::All), [1, 1, 1, 1, 1, 1]);
        assert_eq!(chosen(DecayRule::Matrices), [1, 1, 1, 0, 0, 1]);
        assert_eq!(chosen(DecayRule::NoEmbeddings), [0, 0, 1, 1, 1, 1]);
        assert_eq!(parameters.map(|(path, shape)| u8::from(is_hidden_matrix(path, shape))), [0, 0, 1, 0, 0, 0]);
    }
}
