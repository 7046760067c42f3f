//! Block topology: how the branches are joined to the residual stream, and where the norms stand.

mod output;
mod parallel;
mod parallel_shared;
mod post;
mod pre;
mod sandwich;
mod scale;
mod site;

pub use output::Output;
pub use parallel::Parallel;
pub use parallel_shared::ParallelShared;
pub use post::Post;
pub use pre::Pre;
pub use sandwich::Sandwich;
pub use scale::{Fixed, Scale};

use super::{Account, Pass, init::Scope, norm::NormConfig};
use crate::settings::Problem;
use burn::{module::Module, tensor::Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Residual connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualConfig {
    /// Where the norms stand and whether the branches run one after the other.
    pub kind: ResidualKind,
    /// Factor on the branches.
    pub scale: BranchScale,
    /// Probability of dropping a channel of a branch's output (Vaswani et al. 2017, section 5.4).
    pub dropout: f64,
}

impl Default for ResidualConfig {
    fn default() -> Self {
        Self { kind: ResidualKind::Pre, scale: BranchScale::default(), dropout: 0.0 }
    }
}

/// Block topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResidualKind {
    /// x + f(norm(x)): GPT-2, LLaMA.
    Pre,
    /// norm(x + f(x)): Vaswani et al. 2017. No final norm.
    Post,
    /// x + norm(f(norm(x))): Gemma 2; Peri-LN (Kim et al. 2025); sandwich (CogView).
    Sandwich,
    /// x + norm(f(x)): OLMo 2.
    Output,
    /// x + attention(norm(x)) + feed_forward(norm(x)) with one shared norm: GPT-J, PaLM, Falcon 7B.
    ParallelShared,
    /// x + attention(norm₁(x)) + feed_forward(norm₂(x)): GPT-NeoX, Falcon 40B.
    Parallel,
}

/// Factor on the branches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BranchScale {
    /// 1.
    None {},
    /// 1/√(2·layers), fixed.
    Depth {},
    /// A learned scalar per branch; 0 at the start is ReZero (Bachlechner et al. 2020).
    Learned {
        /// Initial value.
        #[serde(default)]
        initial: f64,
    },
    /// DeepNorm (Wang et al. 2022): norm(α·x + f(x)), α = (2·layers)^¼, and the values, output and feed-forward
    /// weights start β = (8·layers)^-¼ times as large. Needs `kind = "post"`.
    Deepnorm {},
}

impl Default for BranchScale {
    fn default() -> Self {
        Self::None {}
    }
}

/// The residual connections of a block as built. Dropout and factor act last, on what is added to the stream.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are as many as layers")]
pub enum Residual {
    /// x + f(norm(x)).
    Pre(Pre),
    /// norm(x + f(x)).
    Post(Post),
    /// x + norm(f(norm(x))).
    Sandwich(Sandwich),
    /// x + norm(f(x)).
    Output(Output),
    /// Both branches from one norm.
    ParallelShared(ParallelShared),
    /// Both branches from the block's input, a norm each.
    Parallel(Parallel),
}

impl ResidualKind {
    /// Norms of a block.
    fn norms(self) -> usize {
        match self {
            Self::ParallelShared => 1,
            Self::Pre | Self::Post | Self::Output | Self::Parallel => 2,
            Self::Sandwich => 4,
        }
    }

    /// Whether the stream reaches the head without a norm, so that the model ends with one unless told otherwise.
    pub fn needs_final_norm(self) -> bool {
        self != Self::Post
    }
}

impl ResidualConfig {
    /// Rules that the section breaks.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        if !(0.0..1.0).contains(&self.dropout) {
            problems.push(Problem::new("model.residual.dropout", format!("must be at least 0 and below 1, not {}", self.dropout)));
        }
        match self.scale {
            BranchScale::Deepnorm {} if self.kind != ResidualKind::Post => problems.push(
                Problem::new("model.residual.scale", "\"deepnorm\" scales the stream that a norm follows: it needs the post topology")
                    .help("set model.residual.kind = \"post\", or another scale: none, depth, learned"),
            ),
            BranchScale::Learned { initial } if !initial.is_finite() => {
                problems.push(Problem::new("model.residual.scale.initial", format!("must be a finite number, not {initial}")));
            }
            _ => {}
        }
        problems
    }

    /// DeepNorm's β for a model of `layers` blocks: the factor on the initial values, output and feed-forward weights,
    /// (8·layers)^-¼ (Wang et al. 2022, table 2, decoder-only); 1 for other scales.
    pub fn weight_shrink(&self, layers: usize) -> f64 {
        match self.scale {
            BranchScale::Deepnorm {} => (8.0 * layers as f64).powf(-0.25),
            _ => 1.0,
        }
    }

    /// Builds the connections of the block at `scope`, one of `layers`.
    pub fn build(&self, scope: &Scope, norm: &NormConfig, width: usize, layers: usize) -> Residual {
        let site = site::Site { config: self, norm, scope, width, layers };
        match self.kind {
            ResidualKind::Pre => Residual::Pre(Pre::build(&site)),
            ResidualKind::Post => Residual::Post(Post::build(&site)),
            ResidualKind::Sandwich => Residual::Sandwich(Sandwich::build(&site)),
            ResidualKind::Output => Residual::Output(Output::build(&site)),
            ResidualKind::ParallelShared => Residual::ParallelShared(ParallelShared::build(&site)),
            ResidualKind::Parallel => Residual::Parallel(Parallel::build(&site)),
        }
    }

    /// Cost of a block's connections: norms, learned factors, dropout masks; and what these mean for the inputs of the two
    /// branches, which the branches count as kept, 4·width bytes each.
    pub fn account(&self, norm: &NormConfig, width: usize) -> Account {
        let scales = if matches!(self.scale, BranchScale::Learned { .. }) { 2 } else { 0 };
        let factors = Account { parameters: scales, ..Account::kept(4 * width * scales as usize) };
        let masks = if self.dropout > 0.0 { Account::kept(2 * 4 * width) } else { Account::default() };
        // Inputs that are the result of a norm of this block, and inputs that are the same numbers as another.
        let (normed, shared) = match self.kind {
            ResidualKind::Pre | ResidualKind::Sandwich => (2, 0),
            ResidualKind::Post => (1, 0),
            ResidualKind::Output => (0, 0),
            // One norm for both; two norms of one input.
            ResidualKind::ParallelShared => (1, 1),
            ResidualKind::Parallel => (2, 1),
        };
        let cheap = if norm.is_cheap(true) { normed * Account::cheap(4 * width) } else { Account::default() };
        self.kind.norms() * norm.account(width) + factors + masks + cheap + shared * Account::shared(4 * width)
    }
}

impl Residual {
    /// Joins the two branches to the stream.
    ///
    /// # Shapes
    ///
    /// - `x`, output, and of both branches: `[batch, seq, width]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        attention: impl FnOnce(Tensor<3>) -> Tensor<3>,
        feed_forward: impl FnOnce(Tensor<3>) -> Tensor<3>,
        pass: &Pass,
    ) -> Tensor<3> {
        match self {
            Self::Pre(residual) => residual.forward(x, attention, feed_forward, pass),
            Self::Post(residual) => residual.forward(x, attention, feed_forward, pass),
            Self::Sandwich(residual) => residual.forward(x, attention, feed_forward, pass),
            Self::Output(residual) => residual.forward(x, attention, feed_forward, pass),
            Self::ParallelShared(residual) => residual.forward(x, attention, feed_forward, pass),
            Self::Parallel(residual) => residual.forward(x, attention, feed_forward, pass),
        }
    }
}

#[cfg(test)]
mod tests;
