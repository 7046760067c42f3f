//! Language-model head: logits and loss.

use super::{
    Account,
    init::{Role, Scope},
    linear::Linear,
};
use crate::{
    ops::{self, CrossEntropyOptions, MeanCrossEntropy, Neighbours},
    settings::Problem,
};
use burn::{
    module::{Module, Param},
    tensor::{Int, Tensor},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Language-model head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// A bias per vocabulary entry (GPT-J, Phi).
    pub bias: bool,
    /// Factor on the logits, bias aside, before the cap; 1 by default. PaLM: 1/√width; Command-R: 0.0625.
    // Left out where there is none, so that runs from before there was a choice keep their identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Logits z become c·tanh(z/c). Gemma 2: 30; nanochat: 15.
    pub soft_cap: Option<f64>,
    /// Weight of the squared log-partition in the training loss (PaLM: 1e-4). Not part of validation.
    pub z_loss: f64,
    /// Probability mass spread evenly over the vocabulary in the training loss (Vaswani et al. 2017: 0.1).
    pub label_smoothing: f64,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self { bias: false, scale: None, soft_cap: None, z_loss: 0.0, label_smoothing: 0.0 }
    }
}

/// Hidden states to logits, logits to losses.
#[derive(Module, Debug)]
pub struct Head {
    /// `[width, vocab]`; none when the embedding's matrix serves.
    pub weight: Option<Param<Tensor<2>>>,
    /// `[vocab]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    vocab: usize,
    #[module(skip)]
    config: HeadConfig,
    /// On what is read: the factor on the logits, and µP's.
    #[module(skip)]
    factor: f64,
}

impl HeadConfig {
    /// Rules that the section breaks.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        if let Some(cap) = self.soft_cap.filter(|cap| !(cap.is_finite() && *cap > 0.0)) {
            problems.push(
                Problem::new("model.head.soft_cap", format!("must be positive, not {cap}"))
                    .help("leave the key out for logits without a cap"),
            );
        }
        if let Some(scale) = self.scale.filter(|scale| !(scale.is_finite() && *scale > 0.0)) {
            problems.push(Problem::new("model.head.scale", format!("must be positive, not {scale}")).help("PaLM divides by √width"));
        }
        if !(self.z_loss.is_finite() && self.z_loss >= 0.0) {
            problems.push(Problem::new("model.head.z_loss", format!("must be at least 0, not {}", self.z_loss)));
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            problems
                .push(Problem::new("model.head.label_smoothing", format!("must be at least 0 and below 1, not {}", self.label_smoothing)));
        }
        problems
    }

    /// Builds the head over `vocab` tokens, in a model of `multiple` times µP's base width; without a matrix of its own when
    /// `tied`.
    pub fn build(&self, scope: &Scope, width: usize, vocab: usize, tied: bool, multiple: f64) -> Head {
        Head {
            weight: (!tied).then(|| scope.matrix("weight", width, vocab, Role::Head)),
            bias: self.bias.then(|| scope.bias("bias", vocab, Role::Head)),
            vocab,
            config: self.clone(),
            factor: self.scale.unwrap_or(1.0) / multiple,
        }
    }

    /// Cost of the head: the product costs the same when tied, the parameters are the embedding's when tied. The gradient of
    /// its input is made with the loss and kept; logits are not.
    pub fn account(&self, width: usize, vocab: usize, tied: bool) -> Account {
        let mut account = Linear::account(width, vocab, self.bias) + Account::kept(4 * width);
        if tied {
            account.parameters -= (width * vocab) as u64;
        }
        account
    }
}

impl Head {
    /// Logits, after the soft cap.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, seq, width]`, `embedding`: `[vocab, width]`, used when the head has no matrix of its own
    /// - output: `[batch, seq, vocab]`
    pub fn logits(&self, x: Tensor<3>, embedding: &Param<Tensor<2>>) -> Tensor<3> {
        let raw = ops::linear(self.scaled(x), self.matrix(embedding), self.bias.as_ref().map(Param::val));
        match self.config.soft_cap {
            Some(cap) => (raw / cap).tanh() * cap,
            None => raw,
        }
    }

    /// The mean loss of all tokens: what training minimises, and the cross-entropy in nats.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, seq, width]`, `embedding`: `[vocab, width]`, `targets`: `[batch, seq]`
    pub fn mean_loss(
        &self,
        x: Tensor<3>,
        targets: Tensor<2, Int>,
        embedding: &Param<Tensor<2>>,
        neighbours: Option<&Arc<dyn Neighbours>>,
    ) -> MeanCrossEntropy {
        let (x, weight, bias, options) = (self.scaled(x), self.matrix(embedding), self.bias.as_ref().map(Param::val), self.options());
        match neighbours {
            None => ops::linear_cross_entropy(x, weight, bias, targets, options),
            Some(neighbours) => ops::divided_cross_entropy(x, weight, bias, targets, options, self.vocab, &**neighbours),
        }
    }

    /// The cross-entropy of every token in nats.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, seq, width]`, `embedding`: `[vocab, width]`, `targets`, output: `[batch, seq]`
    pub fn token_losses(&self, x: Tensor<3>, targets: Tensor<2, Int>, embedding: &Param<Tensor<2>>) -> Tensor<2> {
        ops::token_cross_entropy(self.scaled(x), self.matrix(embedding), self.bias.as_ref().map(Param::val), targets, self.options())
    }

    /// The factor of the logits on the smaller side of the product.
    fn scaled(&self, x: Tensor<3>) -> Tensor<3> {
        if self.factor == 1.0 { x } else { x * self.factor }
    }

    fn options(&self) -> CrossEntropyOptions {
        let HeadConfig { soft_cap, z_loss, label_smoothing, .. } = self.config;
        CrossEntropyOptions { soft_cap, z_loss, label_smoothing }
    }

    /// `[width, vocab]`.
    fn matrix(&self, embedding: &Param<Tensor<2>>) -> Tensor<2> {
        match &self.weight {
            Some(weight) => weight.val(),
            None => embedding.val().transpose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_outside_their_range_are_problems() {
        let keys = |config: HeadConfig| config.problems().into_iter().map(|problem| problem.key).collect::<Vec<_>>();
        assert!(keys(HeadConfig { scale: Some(0.5), soft_cap: Some(30.0), z_loss: 1e-4, label_smoothing: 0.1, bias: true }).is_empty());
        assert_eq!(
            keys(HeadConfig { scale: Some(0.0), soft_cap: Some(0.0), z_loss: -1.0, label_smoothing: 1.0, bias: false }),
            ["model.head.soft_cap", "model.head.scale", "model.head.z_loss", "model.head.label_smoothing"]
        );
        assert_eq!(keys(HeadConfig { z_loss: f64::NAN, ..Default::default() }), ["model.head.z_loss"]);
    }

    #[test]
    fn a_tied_head_costs_the_same_work_without_the_matrix() {
        let config = HeadConfig { bias: true, ..Default::default() };
        let (tied, untied) = (config.account(4, 7, true), config.account(4, 7, false));
        assert_eq!(tied.flops_per_token, untied.flops_per_token);
        assert_eq!((tied.parameters, untied.parameters), (7, 35));
    }
}
