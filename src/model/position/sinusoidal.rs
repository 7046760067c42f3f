//! Fixed sines and cosines.

use super::Places;
use crate::settings::Problem;
use burn::{
    module::Module,
    tensor::{FloatDType, Tensor, TensorData},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Options of sinusoidal positions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SinusoidalConfig {
    /// Base of the wavelengths.
    pub theta: f64,
}

impl Default for SinusoidalConfig {
    fn default() -> Self {
        Self { theta: 10_000.0 }
    }
}

/// A fixed table, added to embedded tokens. Kept on the host: it is no parameter, and each forward pass uploads the
/// rows that it needs to whatever device its input is on.
#[derive(Module, Debug)]
pub struct Sinusoidal {
    /// Row-major `[context, width]`.
    #[module(skip)]
    table: Arc<Vec<f32>>,
    #[module(skip)]
    theta: f64,
}

impl SinusoidalConfig {
    /// The table of a training context; longer sequences extend it when they come.
    pub fn build(&self, context: usize, width: usize) -> Sinusoidal {
        Sinusoidal { table: Arc::new(table(0..context, width, self.theta)), theta: self.theta }
    }

    /// Broken rules.
    pub fn problems(&self) -> Vec<Problem> {
        super::rope::theta_problem(self.theta).into_iter().collect()
    }
}

/// Channel 2i of position p is sin(p/theta^(2i/width)), channel 2i + 1 its cosine (Vaswani et al. 2017, section 3.5).
fn table(positions: impl Iterator<Item = usize>, width: usize, theta: f64) -> Vec<f32> {
    let angle = |p: usize, c: usize| p as f64 / theta.powf((c - c % 2) as f64 / width as f64);
    let value = |p, c| if c % 2 == 0 { angle(p, c).sin() } else { angle(p, c).cos() };
    positions.flat_map(|p| (0..width).map(move |c| value(p, c) as f32)).collect()
}

impl Sinusoidal {
    /// x + table.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn embed(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, seq, width] = x.dims();
        let rows = match self.table.get(..seq * width) {
            Some(rows) => rows.to_vec(),
            None => table(0..seq, width, self.theta),
        };
        let rows = Tensor::<3>::from_data(TensorData::new(rows, [1, seq, width]), &x.device());
        let dtype = FloatDType::from(x.dtype());
        x + rows.cast(dtype)
    }

    /// x + the rows of the table at `places`.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[rows, count, width]`
    pub fn embed_at(&self, x: Tensor<3>, places: &Places) -> Tensor<3> {
        let [rows, count, width] = x.dims();
        let found = places.positions().flat_map(|p| match self.table.get(p * width..(p + 1) * width) {
            Some(row) => row.to_vec(),
            None => table(std::iter::once(p), width, self.theta),
        });
        let found = Tensor::<3>::from_data(TensorData::new(found.collect::<Vec<f32>>(), [rows, count, width]), &x.device());
        let dtype = FloatDType::from(x.dtype());
        x + found.cast(dtype)
    }
}
