//! Which implementation of the operators runs.

use super::capability::{Backend, Implementation, Op, path_of};
use burn::tensor::Tensor;
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

/// Whether a fused operator takes this tensor, by [`path_of`].
pub(super) fn fused<const D: usize>(op: Op, x: &Tensor<D>) -> bool {
    path_of(op, Backend::of(&x.device()), x.dtype(), chosen()).path != Implementation::Composed
}
