//! How the operators of a run are computed on a device: its rows of the capability matrix.

use super::{OptimizerConfig, RunSpec};
use crate::{
    device::DeviceName,
    ops::{Implementation, Op, OperatorPath, Precision, capability},
};
use burn::tensor::DType;
use std::collections::BTreeSet;

impl RunSpec {
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
        let served = capability::serves_heads(device.backend(), self.model.attention.head_dim);
        let row = |(op, variant)| {
            let mut row = match self.train.precision {
                Precision::F32 => OperatorPath::new(op, variant, device.backend(), DType::F32),
                Precision::Bf16 => OperatorPath::rounded(op, variant, device.backend()),
            };
            if !served && matches!(op, Op::Attention | Op::SelfAttention) {
                row.path = Implementation::Composed.name().into();
                row.reason = "heads of so many channels have no kernel on GPUs".into();
            }
            row
        };
        found.into_iter().map(row).collect()
    }

    /// The implementation of the device's operators, in one word ([`capability::summary`]); where they read bf16, that of this
    /// run's operators.
    pub fn path(&self, device: &DeviceName) -> String {
        match self.train.precision {
            Precision::F32 => capability::summary(device.backend(), DType::F32),
            Precision::Bf16 => {
                let paths: BTreeSet<String> = self.operators(device).into_iter().map(|row| row.path).collect();
                paths.into_iter().rev().collect::<Vec<_>>().join("+")
            }
        }
    }
}
