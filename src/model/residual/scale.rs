//! The factor on a branch before it joins the residual stream.

use super::BranchScale;
use crate::model::init::Scope;
use burn::{
    module::{Module, Param},
    tensor::Tensor,
};

/// The factor on one branch.
#[derive(Module, Debug)]
pub enum Scale {
    /// The same for ever.
    Fixed(Fixed),
    /// Learned, `[1]`. No struct around it: the parameter's path is the path of the factor.
    Learned(Param<Tensor<1>>),
}

/// A factor that is not learned.
#[derive(Module, Debug)]
pub struct Fixed {
    #[module(skip)]
    value: f64,
}

impl Scale {
    /// The factor `name` of a block at `scope`, in a model of `layers` blocks.
    pub(super) fn build(config: &BranchScale, scope: &Scope, name: &str, layers: usize) -> Self {
        match *config {
            // DeepNorm scales the stream instead of the branch.
            BranchScale::None {} | BranchScale::Deepnorm {} => Self::Fixed(Fixed { value: 1.0 }),
            BranchScale::Depth {} => Self::Fixed(Fixed { value: (2.0 * layers as f64).sqrt().recip() }),
            BranchScale::Learned { initial } => Self::Learned(scope.constant(name, [1], initial as f32)),
        }
    }

    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Fixed(Fixed { value: 1.0 }) => x,
            Self::Fixed(Fixed { value }) => x * *value,
            Self::Learned(factor) => x * factor.val().unsqueeze(),
        }
    }
}
