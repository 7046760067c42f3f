//! What a forward pass keeps for its backward pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{cell::Cell, fmt};

/// What is kept of the forward pass; the rest is computed again in the backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activations {
    /// All that the operators read again: inputs of norms and matrices, outputs of projections, the output of attention.
    #[default]
    All,
    /// Outputs of matrices, of attention and of sums, and statistics of rows; norms, activations and gated products are
    /// computed again (LLaMA, Touvron et al. 2023, section 2.4). No matrix product runs twice.
    LinearOutputs,
    /// As `all`, but attention is computed again from queries, keys and values (Korthikanti et al. 2022, section 5).
    Selective,
    /// The inputs of the blocks; each block runs again in the backward pass (Chen et al. 2016).
    Recompute,
}

impl Activations {
    /// All policies.
    pub const EACH: [Self; 4] = [Self::All, Self::LinearOutputs, Self::Selective, Self::Recompute];

    /// Whether it is carried out by fused operators, so that a model composed of Burn's operations keeps what it always
    /// keeps.
    pub fn needs_fused_operators(self) -> bool {
        matches!(self, Self::LinearOutputs | Self::Selective)
    }
}

impl fmt::Display for Activations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::LinearOutputs => "linear-outputs",
            Self::Selective => "selective",
            Self::Recompute => "recompute",
        })
    }
}

thread_local! {
    static HERE: Cell<Activations> = const { Cell::new(Activations::All) };
}

/// What the operators that this thread calls keep.
pub(super) fn current() -> Activations {
    HERE.get()
}

/// Runs `body` with operators that keep what `activations` says; [`Activations::All`] outside.
///
/// Operators know nothing of blocks: [`Activations::Recompute`] is to them as [`Activations::All`].
pub fn keeping<T>(activations: Activations, body: impl FnOnce() -> T) -> T {
    struct Reset(Activations);
    impl Drop for Reset {
        fn drop(&mut self) {
            HERE.set(self.0);
        }
    }
    let _reset = Reset(HERE.replace(activations));
    body()
}
