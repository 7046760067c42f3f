//! Ctrl-C: the first stops cleanly, the second at once.

use crate::settings::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Counts interrupts (Ctrl-C, termination) from here on, instead of dying from them; `tell` hears each, with its number.
///
/// # Errors
///
/// The process handles them already in another way.
pub fn install(tell: &'static (dyn Fn(usize) + Sync)) -> Result<()> {
    let handler = || tell(1 + ASKED.fetch_add(1, Ordering::SeqCst));
    ctrlc::set_handler(handler).map_err(|error| Error::input("interrupt handler", error.to_string(), "start the program again"))
}

/// How often the process was asked to stop.
pub(super) fn asked() -> usize {
    ASKED.load(Ordering::SeqCst)
}
