//! No position information.

use burn::module::Module;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No position information has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoPositionConfig {}

/// Nothing: the causal mask alone tells positions apart.
#[derive(Module, Debug)]
pub struct NoPosition {}

impl NoPositionConfig {
    /// Nothing.
    pub fn build(&self) -> NoPosition {
        NoPosition {}
    }
}
