//! What every topology needs while it is built.

use super::{BranchScale, ResidualConfig, scale::Scale};
use crate::model::{
    dropout::Dropout,
    init::Scope,
    norm::{Norm, NormConfig},
};

/// A block's residual connections while they are built: configuration and place.
pub(super) struct Site<'a> {
    pub config: &'a ResidualConfig,
    pub norm: &'a NormConfig,
    pub scope: &'a Scope,
    pub width: usize,
    pub layers: usize,
}

impl Site<'_> {
    /// The norm in field `name`.
    pub fn norm(&self, name: &str) -> Norm {
        self.norm.build(&self.scope.child(name), self.width)
    }

    /// The branch factor in field `name`.
    pub fn scale(&self, name: &str) -> Scale {
        Scale::build(&self.config.scale, self.scope, name, self.layers)
    }

    /// The dropout in field `name`.
    pub fn dropout(&self, name: &str) -> Dropout {
        Dropout::build(&self.scope.child(name), self.config.dropout)
    }

    /// DeepNorm's α, the factor on the stream: (2·layers)^¼ (Wang et al. 2022, table 2, decoder-only); 1 elsewhere.
    pub fn stream_scale(&self) -> f64 {
        match self.config.scale {
            BranchScale::Deepnorm {} => (2.0 * self.layers as f64).powf(0.25),
            _ => 1.0,
        }
    }
}
