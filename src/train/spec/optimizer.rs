//! Optimizers and their settings; the updates themselves are Burn's.

use super::require;
use crate::settings::{Problem, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which parameters decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecayRule {
    /// All (lingua).
    All,
    /// Those with two dimensions, embeddings included (nanoGPT).
    Matrices,
    /// All but token and position embeddings (OLMo 2).
    NoEmbeddings,
}

/// The optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// AdamW (Loshchilov & Hutter 2017) with LLaMA's settings.
    Adamw(AdamWConfig),
    /// Adam (Kingma & Ba 2014): weight decay, if any, is added to the gradient.
    Adam(AdamConfig),
    /// Stochastic gradient descent with momentum, as PyTorch defines it.
    Sgd(SgdConfig),
    /// Lion (Chen et al. 2023): the sign of an interpolated momentum.
    Lion(LionConfig),
    /// Adafactor (Shazeer & Stern 2018): factored second moments, no first moment.
    Adafactor(AdafactorConfig),
    /// Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for everything else.
    Muon(MuonConfig),
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adamw(AdamWConfig::default())
    }
}

options! {
    /// AdamW's settings.
    AdamWConfig {
        /// Peak learning rate.
        lr: f64 = 3e-4,
        /// Decay of the first moment.
        beta1: f64 = 0.9,
        /// Decay of the second moment.
        beta2: f64 = 0.95,
        /// Added to the root of the second moment. Unpublished for LLaMA.
        eps: f64 = 1e-8,
        /// Decoupled: each step takes lr · weight_decay of the parameter away.
        weight_decay: f64 = 0.1,
        /// Which parameters decay. Unpublished for LLaMA.
        decay: DecayRule = DecayRule::Matrices,
    }
}

options! {
    /// Adam's settings.
    AdamConfig {
        /// Peak learning rate.
        lr: f64 = 3e-4,
        /// Decay of the first moment.
        beta1: f64 = 0.9,
        /// Decay of the second moment.
        beta2: f64 = 0.95,
        /// Added to the root of the second moment.
        eps: f64 = 1e-8,
        /// Coupled: weight_decay · parameter is added to the gradient.
        weight_decay: f64 = 0.0,
        /// Which parameters decay.
        decay: DecayRule = DecayRule::Matrices,
    }
}

options! {
    /// Settings of stochastic gradient descent.
    SgdConfig {
        /// Peak learning rate.
        lr: f64 = 0.1,
        /// Velocity kept from step to step; 0 switches momentum off.
        momentum: f64 = 0.9,
        /// Look ahead along the velocity (Sutskever et al. 2013).
        nesterov: bool = false,
        /// Coupled: weight_decay · parameter is added to the gradient.
        weight_decay: f64 = 0.0,
        /// Which parameters decay.
        decay: DecayRule = DecayRule::Matrices,
    }
}

options! {
    /// Lion's settings. Its learning rate is 3 to 10 times smaller than AdamW's, its weight decay as much larger.
    LionConfig {
        /// Peak learning rate.
        lr: f64 = 1e-4,
        /// Share of the momentum in the update's direction.
        beta1: f64 = 0.9,
        /// Decay of the momentum.
        beta2: f64 = 0.99,
        /// Decoupled: each step takes lr · weight_decay of the parameter away.
        weight_decay: f64 = 0.3,
        /// Which parameters decay.
        decay: DecayRule = DecayRule::Matrices,
    }
}

options! {
    /// Adafactor's settings. The schedule alone sets the rate: the paper's own relative step size is off.
    AdafactorConfig {
        /// Peak learning rate; relative to the parameter's root mean square if `scale_parameter`.
        lr: f64 = 1e-2,
        /// Exponent of the second moment's decay 1 - t^(-exponent) (section 7.2).
        exponent: f64 = 0.8,
        /// Largest root mean square of an update before the rate is applied (section 6).
        clip_threshold: f64 = 1.0,
        /// Multiply steps by the parameter's root mean square, at least 0.001 (section 8).
        scale_parameter: bool = true,
        /// Decoupled: each step takes lr · weight_decay of the parameter away.
        weight_decay: f64 = 0.0,
        /// Which parameters decay.
        decay: DecayRule = DecayRule::Matrices,
    }
}

options! {
    /// Muon's settings; `beta1`, `beta2` and `eps` are AdamW's. Updates are scaled by 0.2·√max(rows, columns) (Liu et al.
    /// 2025, section 2.2), so that both parts share one learning rate and one weight decay.
    MuonConfig {
        /// Peak learning rate of both parts.
        lr: f64 = 3e-4,
        /// Momentum of the matrices.
        momentum: f64 = 0.95,
        /// Look ahead along the momentum.
        nesterov: bool = true,
        /// Newton-Schulz iterations.
        iterations: usize = 5,
        /// Decay of AdamW's first moment.
        beta1: f64 = 0.9,
        /// Decay of AdamW's second moment.
        beta2: f64 = 0.95,
        /// Added to the root of AdamW's second moment.
        eps: f64 = 1e-8,
        /// Decoupled: each step takes lr · weight_decay of the parameter away.
        weight_decay: f64 = 0.1,
        /// Which parameters decay.
        decay: DecayRule = DecayRule::Matrices,
    }
}

impl OptimizerConfig {
    /// What of it needs matrices as a whole, so that it cannot update parts of them, if it does.
    pub fn undivided(&self) -> Option<&'static str> {
        match self {
            Self::Adamw(_) | Self::Adam(_) | Self::Sgd(_) | Self::Lion(_) => None,
            Self::Muon(_) => Some("a matrix that the optimizer muon updates as a whole"),
            Self::Adafactor(_) => Some("a matrix that the optimizer adafactor updates as a whole"),
        }
    }

    /// Numbers of state that it keeps for each parameter, at most.
    pub fn state_per_parameter(&self) -> u64 {
        match self {
            Self::Adamw(_) | Self::Adam(_) | Self::Muon(_) => 2,
            Self::Sgd(sgd) => (sgd.momentum != 0.0).into(),
            Self::Lion(_) => 1,
            // Rows and columns of each matrix.
            Self::Adafactor(_) => 0,
        }
    }

    /// Peak learning rate.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Adamw(c) => c.lr,
            Self::Adam(c) => c.lr,
            Self::Sgd(c) => c.lr,
            Self::Lion(c) => c.lr,
            Self::Adafactor(c) => c.lr,
            Self::Muon(c) => c.lr,
        }
    }

    /// Weight decay, and which parameters it is for.
    pub fn decay(&self) -> (f64, DecayRule) {
        match self {
            Self::Adamw(c) => (c.weight_decay, c.decay),
            Self::Adam(c) => (c.weight_decay, c.decay),
            Self::Sgd(c) => (c.weight_decay, c.decay),
            Self::Lion(c) => (c.weight_decay, c.decay),
            Self::Adafactor(c) => (c.weight_decay, c.decay),
            Self::Muon(c) => (c.weight_decay, c.decay),
        }
    }

    /// The broken rules of this section.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        let list = &mut problems;
        let lr = self.lr();
        require(list, lr > 0.0 && lr <= 1.0, "optimizer.lr", || "must be more than 0 and at most 1".into());
        let (decay, _) = self.decay();
        require(list, decay >= 0.0 && decay.is_finite(), "optimizer.weight_decay", || "must not be negative".into());
        let mut share = |key: &str, value: f64| {
            require(list, (0.0..1.0).contains(&value), key, || "must be at least 0 and less than 1".into());
        };
        match self {
            Self::Adamw(AdamWConfig { beta1, beta2, .. })
            | Self::Adam(AdamConfig { beta1, beta2, .. })
            | Self::Lion(LionConfig { beta1, beta2, .. })
            | Self::Muon(MuonConfig { beta1, beta2, .. }) => {
                share("optimizer.beta1", *beta1);
                share("optimizer.beta2", *beta2);
            }
            Self::Sgd(_) | Self::Adafactor(_) => {}
        }
        match self {
            Self::Sgd(SgdConfig { momentum, .. }) | Self::Muon(MuonConfig { momentum, .. }) => share("optimizer.momentum", *momentum),
            _ => {}
        }
        match self {
            Self::Adamw(AdamWConfig { eps, .. }) | Self::Adam(AdamConfig { eps, .. }) | Self::Muon(MuonConfig { eps, .. }) => {
                require(list, *eps > 0.0 && eps.is_finite(), "optimizer.eps", || "must be more than 0".into());
            }
            Self::Adafactor(c) => {
                require(list, c.exponent > 0.0 && c.exponent < 1.0, "optimizer.exponent", || "must lie between 0 and 1".into());
                require(list, c.clip_threshold > 0.0 && c.clip_threshold.is_finite(), "optimizer.clip_threshold", || {
                    "must be more than 0".into()
                });
            }
            Self::Sgd(c) => require(list, !c.nesterov || c.momentum > 0.0, "optimizer.nesterov", || "needs optimizer.momentum".into()),
            Self::Lion(_) => {}
        }
        if let Self::Muon(c) = self {
            require(list, c.iterations > 0, "optimizer.iterations", || "must be at least 1".into());
        }
        problems
    }
}

impl OptimizerConfig {
    /// What is wrong with this kind under µP: Yang et al. 2022 derive learning rates for Adam and for SGD only.
    pub(super) fn mup_problem(&self) -> Option<Problem> {
        let kind = match self {
            Self::Adamw(_) | Self::Adam(_) | Self::Sgd(_) => return None,
            Self::Lion(_) => "lion",
            Self::Adafactor(_) => "adafactor",
            Self::Muon(_) => "muon",
        };
        let message = format!("model.mup has no rule for the learning rates of {kind}");
        Some(Problem::new("optimizer.kind", message).help("use adamw, adam or sgd, or leave model.mup out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_name_and_refuse_foreign_keys() {
        for (kind, foreign) in [
            ("adamw", "momentum"),
            ("adam", "nesterov"),
            ("sgd", "beta1"),
            ("lion", "eps"),
            ("adafactor", "beta2"),
            ("muon", "clip_threshold"),
        ] {
            let config: OptimizerConfig = toml::from_str(&format!("kind = \"{kind}\"\nlr = 0.5")).unwrap();
            assert_eq!(config.lr(), 0.5);
            assert!(config.problems().is_empty());
            assert!(toml::from_str::<OptimizerConfig>(&format!("kind = \"{kind}\"\n{foreign} = 0.5")).is_err(), "{kind} {foreign}");
        }
    }

    #[test]
    fn rules() {
        let sgd = OptimizerConfig::Sgd(SgdConfig { momentum: 0.0, nesterov: true, lr: 1.5, ..SgdConfig::default() });
        let keys: Vec<_> = sgd.problems().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["optimizer.lr", "optimizer.nesterov"]);
        let muon = OptimizerConfig::Muon(MuonConfig { iterations: 0, beta1: 1.0, ..MuonConfig::default() });
        let keys: Vec<_> = muon.problems().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["optimizer.beta1", "optimizer.iterations"]);
        assert_eq!(OptimizerConfig::Lion(LionConfig { weight_decay: f64::NAN, ..LionConfig::default() }).problems().len(), 1);
    }
}
