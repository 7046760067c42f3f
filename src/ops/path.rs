//! Which implementation of the operators runs.

use burn::{
    backend::DispatchDevice,
    tensor::{DType, Tensor},
};
use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
};

/// An implementation of the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// One kernel per operator with a backward written by hand, where the device has it.
    Fused,
    /// Composed of Burn's operations, with gradients by Burn's autodiff.
    Composed,
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fused => "fused",
            Self::Composed => "composed",
        })
    }
}

impl std::str::FromStr for Path {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "fused" => Ok(Self::Fused),
            "composed" => Ok(Self::Composed),
            _ => Err("expected fused or composed".into()),
        }
    }
}

static COMPOSED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static HERE: Cell<Option<Path>> = const { Cell::new(None) };
}

/// Chooses for the whole process; [`Path::Fused`] unless chosen otherwise.
pub fn choose(path: Path) {
    COMPOSED.store(path == Path::Composed, Ordering::Relaxed);
}

/// What is chosen.
pub fn chosen() -> Path {
    let all = if COMPOSED.load(Ordering::Relaxed) { Path::Composed } else { Path::Fused };
    HERE.get().unwrap_or(all)
}

/// Runs `body` with another choice for the operators that this thread calls.
pub fn with<T>(path: Path, body: impl FnOnce() -> T) -> T {
    let before = HERE.replace(Some(path));
    let value = body();
    HERE.set(before);
    value
}

/// Whether a fused operator takes this tensor: chosen, on a device with kernels, in f32.
pub(super) fn fused<const D: usize>(x: &Tensor<D>) -> bool {
    chosen() == Path::Fused && x.dtype() == DType::F32 && has_kernels(x.device().without_autodiff().as_dispatch())
}

fn has_kernels(device: &DispatchDevice) -> bool {
    match device {
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "cube")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)]
        _ => false,
    }
}
