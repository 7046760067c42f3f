//! From settings to Burn's optimizers, with parameter groups.

use super::{
    adamw::AdamW,
    spec::{DecayRule, OptimizerConfig},
};
use crate::model::{Transformer, parameters};
use burn::{
    module::ParamGroup,
    optim::{self, AdjustLrFn, LearningRate, ModuleOptimizer, Optimizer, decay::WeightDecayConfig, momentum::MomentumConfig},
    tensor::{Device, Tensor},
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

/// The optimizer of a model: one group without decay, one with; as many again for Muon's matrices, or for those whose rates
/// µP scales, in a model of `multiple` times its base width (1 without µP).
///
/// Groups hold parameter identities, so the optimizer fits this instance of the model and those loaded from its record.
pub fn build(config: &OptimizerConfig, multiple: f64, model: &Transformer) -> ModuleOptimizer {
    let (decay, rule) = config.decay();
    let all = parameters(model);
    let group = |wanted: &dyn Fn(&str, &[usize]) -> bool| {
        ParamGroup::from_ids(all.iter().filter(|(path, _, shape)| wanted(path, shape)).map(|(_, id, _)| *id).collect())
    };
    let decayed = group(&|path, shape| decays(rule, path, shape));
    let groups = Groups {
        decay,
        decayed,
        hidden: group(&is_hidden_matrix),
        hidden_decayed: group(&|path, shape| is_hidden_matrix(path, shape) && decays(rule, path, shape)),
        factors: mup_factors(config, multiple),
    };
    match config {
        OptimizerConfig::Adamw(c) => {
            let part = |decay: f64| adamw(c.beta1, c.beta2, c.eps, decay);
            groups.split(part)
        }
        OptimizerConfig::Adam(c) => {
            let part = |decay: f64| {
                let config = optim::AdamConfig::new().with_beta_1(c.beta1 as f32).with_beta_2(c.beta2 as f32);
                config.with_epsilon(c.eps as f32).with_weight_decay(coupled(decay)).build()
            };
            groups.split(part)
        }
        OptimizerConfig::Sgd(c) => {
            let momentum = (c.momentum > 0.0).then(|| momentum(c.momentum, c.nesterov));
            let part = |decay: f64| optim::SgdConfig::new().with_momentum(momentum.clone()).with_weight_decay(coupled(decay)).build();
            groups.split(part)
        }
        OptimizerConfig::Lion(c) => {
            let part = |decay: f64| {
                let config = optim::LionConfig::new().with_beta_1(c.beta1 as f32).with_beta_2(c.beta2 as f32);
                config.with_weight_decay(decay as f32).build()
            };
            groups.split(part)
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
            groups.split(part)
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
            let others = groups.split(|decay| adamw(c.beta1, c.beta2, c.eps, decay));
            others.with_group(groups.hidden.clone(), part(0.0), None).with_group(groups.hidden_decayed.clone(), part(decay), None)
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

/// Which parameters are updated alike.
struct Groups {
    decay: f64,
    decayed: ParamGroup,
    hidden: ParamGroup,
    hidden_decayed: ParamGroup,
    /// On the learning rates of vectors and of the blocks' matrices.
    factors: Option<[f64; 2]>,
}

impl Groups {
    /// Everything without decay, then the decayed group with it; the last group that matches a parameter wins.
    fn split<O: Optimizer>(&self, part: impl Fn(f64) -> O) -> ModuleOptimizer {
        let Some([vectors, matrices]) = self.factors else {
            return ModuleOptimizer::from(part(0.0)).with_group(self.decayed.clone(), part(self.decay), None);
        };
        // The rate times the decay is what a step takes away, and stays what it is.
        let scaled = |factor: f64, decay: f64| Scaled { inner: part(decay / factor), factor };
        ModuleOptimizer::from(scaled(vectors, 0.0))
            .with_group(self.decayed.clone(), scaled(vectors, self.decay), None)
            .with_group(self.hidden.clone(), scaled(matrices, 0.0), None)
            .with_group(self.hidden_decayed.clone(), scaled(matrices, self.decay), None)
    }
}

/// µP's factors on the learning rates of vectors and of the blocks' matrices (Yang et al. 2022, table 8); none where they are 1.
fn mup_factors(config: &OptimizerConfig, multiple: f64) -> Option<[f64; 2]> {
    let factors = match config {
        OptimizerConfig::Sgd(_) => [multiple, 1.0],
        _ => [1.0, 1.0 / multiple],
    };
    (multiple != 1.0).then_some(factors)
}

/// An optimizer with a factor on its learning rate.
#[derive(Clone)]
struct Scaled<O> {
    inner: O,
    factor: f64,
}

impl<O: Optimizer> Optimizer for Scaled<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<O::State<D>>,
    ) -> (Tensor<D>, Option<O::State<D>>) {
        self.inner.step(lr * self.factor, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: O::State<D>, device: &Device) -> O::State<D> {
        O::to_device(state, device)
    }
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
