//! In what a case computes.

use crate::ops::{self, Backend, Capability, Implementation, Op, Path, Precision};
use burn::tensor::{DType, Device};

/// The type of the inputs and of what matrix products read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// f32 all through.
    F32,
    /// f32, and bf16 where matrix products read: `train.precision = "bf16"`.
    Bf16Products,
    /// Inputs of bf16.
    Bf16,
    /// Inputs of f16.
    F16,
}

impl Mode {
    /// All.
    pub const ALL: [Self; 4] = [Self::F32, Self::Bf16Products, Self::Bf16, Self::F16];

    /// In tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16Products => "bf16 products",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// Element type of the inputs.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 | Self::Bf16Products => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }

    /// Whether it can be asked of an operator on a device.
    pub fn applies(self, op: Op, device: &Device) -> bool {
        match self {
            Self::F32 => true,
            Self::Bf16Products => op.multiplies() && device.supports_dtype(DType::BF16),
            Self::Bf16 | Self::F16 => !op.only_f32() && device.supports_dtype(self.dtype()),
        }
    }

    /// Largest relative error of a result: its distance from the reference in the Euclidean norm, by the norm of the
    /// reference. Of f16, which has three bits more than bf16, about an eighth is expected.
    pub fn tolerance(self) -> f64 {
        match self {
            Self::F32 => 1e-5,
            Self::Bf16Products | Self::Bf16 => 2e-2,
            Self::F16 => 2e-3,
        }
    }

    /// The same of an operator's implementation on a backend. Burn's own products on CUDA read f32 as TF32, which has fewer bits;
    /// composed of Burn's operations, each rounds to 16 bits.
    pub fn tolerance_of(self, op: Op, path: Implementation, backend: Backend) -> f64 {
        let composed = path == Implementation::Composed;
        let of_burn = composed || ops::cublaslt().is_none();
        match self {
            Self::F32 if backend == Backend::Cuda && of_burn && (op.multiplies() || op == Op::Rotary) => Self::Bf16.tolerance(),
            Self::Bf16 | Self::F16 if composed => 2.0 * self.tolerance(),
            _ => self.tolerance(),
        }
    }

    /// Distance of 1 from the next number of what is read.
    pub fn rounding(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::EPSILON),
            Self::Bf16Products | Self::Bf16 => 2f64.powi(-8),
            Self::F16 => 2f64.powi(-11),
        }
    }

    /// Which implementation runs, and why.
    pub fn path(self, op: Op, backend: Backend, chosen: Path) -> Capability {
        match self {
            Self::Bf16Products => ops::capability::path_of_rounded(op, backend, chosen),
            _ => ops::path_of(op, backend, self.dtype(), chosen),
        }
    }

    /// Runs `body` in it.
    pub fn run<T>(self, body: impl FnOnce() -> T) -> T {
        ops::computing(if self == Self::Bf16Products { Precision::Bf16 } else { Precision::F32 }, body)
    }
}
