//! The element type of the operands of matrix products.

use burn::tensor::{DType, FloatDType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{cell::Cell, fmt};

/// The element type that matrix products read. Parameters, gradients, moments, the residual stream, norms, softmax and
/// losses are f32 whatever it is (Micikevicius et al. 2018, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 24 bits of significand.
    #[default]
    F32,
    /// 8 bits of significand, rounded to nearest, ties to even; sums in f32 (Kalamkar et al. 2019).
    Bf16,
}

impl Precision {
    /// Whether operands are read as they are.
    pub fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

thread_local! {
    static HERE: Cell<Precision> = const { Cell::new(Precision::F32) };
}

/// What the operators that this thread calls read.
pub(super) fn current() -> Precision {
    HERE.get()
}

/// What statistics, softmax and losses of tensors of this type are computed in: f64 for f64, f32 for all others.
pub fn wide(dtype: DType) -> FloatDType {
    if dtype == DType::F64 { FloatDType::F64 } else { FloatDType::F32 }
}

/// Runs `body` with matrix products, and later their gradients, of operands of this type; [`Precision::F32`] outside.
pub fn computing<T>(precision: Precision, body: impl FnOnce() -> T) -> T {
    struct Reset(Precision);
    impl Drop for Reset {
        fn drop(&mut self) {
            HERE.set(self.0);
        }
    }
    let _reset = Reset(HERE.replace(precision));
    body()
}
