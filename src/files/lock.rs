//! A file that one process at a time holds. It is free as soon as that process is gone, however that ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(20);

/// Held while it lives. On a file system without locks there is nothing to hold, and nothing to wait for.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the file, and makes it if there is none. None if another process holds it for longer than `patience`: one that
    /// only looks is soon gone, as is one that is dying.
    pub fn hold(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
        let given_up = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if Instant::now() < given_up => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Ok(None),
            }
        }
    }

    /// Whether a process holds the file, as far as the file system knows locks.
    pub fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}
