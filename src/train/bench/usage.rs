//! Processor time of this process.

use std::ops::Sub;

/// Seconds that all threads together ran.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// In the program.
    pub user: f64,
    /// In the system.
    pub system: f64,
}

impl Usage {
    /// Since the process began; only known on Unix.
    pub fn now() -> Option<Self> {
        #[cfg(unix)]
        {
            // SAFETY: all bits zero are a valid value.
            let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
            // SAFETY: the pointer is to a valid, writable structure.
            let code = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
            let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
            (code == 0).then(|| Self { user: seconds(usage.ru_utime), system: seconds(usage.ru_stime) })
        }
        #[cfg(not(unix))]
        None
    }
}

impl Sub for Usage {
    type Output = Self;
    fn sub(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}
