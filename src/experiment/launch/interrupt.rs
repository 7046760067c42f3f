//! Ctrl-C: the first stops cleanly, the second at once.

use crate::settings::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static ASKED: AtomicUsize = AtomicUsize::new(0);
static NOTICED: AtomicBool = AtomicBool::new(false);

/// Counts interrupts (Ctrl-C, termination) from here on, instead of dying from them; `tell` hears each, with its number.
///
/// # Errors
///
/// The process handles them already in another way.
pub fn install(tell: &'static (dyn Fn(usize) + Sync)) -> Result<()> {
    handle(|| tell(1 + ASKED.fetch_add(1, Ordering::SeqCst)))
}

/// The same under a scheduler, which announces the end by SIGUSR1 and may ask for it several times: each is the first.
///
/// # Errors
///
/// As [`install`].
pub(super) fn install_for_scheduler() -> Result<()> {
    #[cfg(unix)]
    {
        extern "C" fn once(_signal: libc::c_int) {
            NOTICED.store(true, Ordering::SeqCst);
            ASKED.store(1, Ordering::SeqCst);
        }
        let handler: extern "C" fn(libc::c_int) = once;
        // SAFETY: the handler does nothing but store into atomic values that live as long as the process.
        unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    }
    handle(|| ASKED.store(1, Ordering::SeqCst))
}

fn handle(handler: impl FnMut() + Send + 'static) -> Result<()> {
    ctrlc::set_handler(handler).map_err(|error| Error::input("interrupt handler", error.to_string(), "start the program again"))
}

/// Whether a scheduler announced the end, which is not the same as asking for it.
pub(super) fn noticed() -> bool {
    NOTICED.load(Ordering::SeqCst)
}

/// How often the process was asked to stop.
pub(in crate::experiment) fn asked() -> usize {
    ASKED.load(Ordering::SeqCst)
}
