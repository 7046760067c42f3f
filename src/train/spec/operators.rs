//! How the operators of a run are computed on a device: its rows of the capability matrix.

use super::{OptimizerConfig, RunSpec};
use crate::{
    device::DeviceName,
    ops::{Op, OperatorPath, capability},
};
use burn::tensor::DType;

impl RunSpec {
    /// Element type of the model's operators.
    fn dtype(&self) -> DType {
        DType::F32
    }

    /// Every operator of a training step, with the implementation that runs on `device` and why.
    pub fn operators(&self, device: &DeviceName) -> Vec<OperatorPath> {
        let mut found = self.model.operators();
        found.push((Op::SquareNorm, String::new()));
        let adamw = (Op::Adamw, String::new());
        let other = |name: &str| (Op::OtherUpdate, name.to_string());
        match &self.optimizer {
            OptimizerConfig::Adamw(_) => found.push(adamw),
            OptimizerConfig::Muon(_) => found.extend([other("muon"), adamw]),
            OptimizerConfig::Adam(_) => found.push(other("adam")),
            OptimizerConfig::Sgd(_) => found.push(other("sgd")),
            OptimizerConfig::Lion(_) => found.push(other("lion")),
            OptimizerConfig::Adafactor(_) => found.push(other("adafactor")),
        }
        found.into_iter().map(|(op, variant)| OperatorPath::new(op, variant, device.backend(), self.dtype())).collect()
    }

    /// The implementation of the device's operators in this run's precision, in one word: [`capability::summary`].
    pub fn path(&self, device: &DeviceName) -> String {
        capability::summary(device.backend(), self.dtype())
    }
}
