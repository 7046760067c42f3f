//! Stopping all runs of the process after their current step.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicBool, Ordering},
};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Lets SIGUSR1, by which a scheduler announces that it will take the machine away, do what [`interrupter`] does. Where there
/// are no such signals, it does nothing.
pub fn stop_when_preempted() {
    #[cfg(unix)]
    {
        extern "C" fn stop(_signal: libc::c_int) {
            STOP.store(true, Ordering::Relaxed);
        }
        // The handler must find the switch made: making it takes a lock.
        LazyLock::force(&STOP);
        let handler: extern "C" fn(libc::c_int) = stop;
        // SAFETY: the handler does nothing but store into an atomic number that lives as long as the process.
        unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    }
}

/// The switch that stops every run started by [`super::run`] after its current step, with a checkpoint. Set by a handler
/// of Ctrl-C.
pub fn interrupter() -> Arc<AtomicBool> {
    STOP.clone()
}
