//! The process's pulse: whoever does something that takes long beats at every piece of it, so that a watchdog can tell slow
//! from dead.

use std::sync::atomic::{AtomicU64, Ordering};

static BEATS: AtomicU64 = AtomicU64::new(0);

/// Work goes on.
pub fn beat() {
    BEATS.fetch_add(1, Ordering::Relaxed);
}

/// How often work went on so far.
pub fn beats() -> u64 {
    BEATS.load(Ordering::Relaxed)
}
