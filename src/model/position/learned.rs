//! Learned absolute positions.

use super::Places;
use crate::model::init::{Role, Scope};
use burn::{
    module::{Module, Param},
    tensor::{FloatDType, Int, Tensor, TensorData},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Learned positions have no options: there is one vector per position of the training context.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnedConfig {}

/// One learned vector per position of the training context.
#[derive(Module, Debug)]
pub struct LearnedPosition {
    /// `[context, width]`.
    pub weight: Param<Tensor<2>>,
}

impl LearnedConfig {
    /// Draws the table.
    pub fn build(&self, scope: &Scope, context: usize, width: usize) -> LearnedPosition {
        LearnedPosition { weight: scope.matrix("weight", context, width, Role::Position) }
    }
}

impl LearnedPosition {
    /// x + table.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    ///
    /// # Panics
    ///
    /// If seq is beyond the training context.
    pub fn embed(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, seq, _] = x.dims();
        let table = self.weight.val();
        let [context, _] = table.dims();
        assert!(seq <= context, "learned positions: {seq} tokens, trained on {context}");
        let table = if seq == context { table } else { table.slice(0..seq) };
        let dtype = FloatDType::from(x.dtype());
        x + table.cast(dtype).unsqueeze()
    }

    /// x + the rows of the table at `places`.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[rows, count, width]`
    ///
    /// # Panics
    ///
    /// Beyond the training context.
    pub fn embed_at(&self, x: Tensor<3>, places: &Places) -> Tensor<3> {
        let [rows, count, width] = x.dims();
        let table = self.weight.val();
        let [context, _] = table.dims();
        assert!(places.end() <= context, "learned positions: {} tokens, trained on {context}", places.end());
        let ids: Vec<i32> = places.positions().map(|position| position as i32).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows * count]), &x.device());
        let dtype = FloatDType::from(x.dtype());
        x + table.select(0, ids).cast(dtype).reshape([rows, count, width])
    }
}
