//! No normalisation.

use crate::model::Account;
use burn::{module::Module, tensor::Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No normalisation has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoNormConfig {}

/// The identity.
#[derive(Module, Debug)]
pub struct NoNorm {}

impl NoNormConfig {
    /// The identity.
    pub fn build(&self) -> NoNorm {
        NoNorm {}
    }

    /// Nothing.
    pub fn account(&self) -> Account {
        Account::default()
    }
}

impl NoNorm {
    /// # Shapes
    ///
    /// - `x`, output: `[..., width]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x
    }
}
