//! Stopping all runs of the process after their current step.

use std::sync::{Arc, LazyLock, atomic::AtomicBool};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The switch that stops every run started by [`super::run`] after its current step, with a checkpoint. Set by a handler
/// of Ctrl-C.
pub fn interrupter() -> Arc<AtomicBool> {
    STOP.clone()
}
