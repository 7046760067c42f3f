//! Who writes to the folder of a run: the process that holds its lock. It is gone with the process, however that ends.

use crate::settings::{Error, Result};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Held by the process that trains in a run's folder.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

const FILE: &str = ".lock";
/// How long a look at the lock by another process may be in the way.
const LOOKS: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

impl RunLock {
    /// Takes the folder, and makes it if there is none.
    ///
    /// On a file system without locks there is nothing to hold, and nothing to wait for.
    ///
    /// # Errors
    ///
    /// Another process trains there; a folder that cannot be written to.
    pub fn hold(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let file = open(folder)?;
        let given_up = Instant::now() + LOOKS;
        loop {
            match file.try_lock() {
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < given_up => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::input(
                        folder.display(),
                        "another process trains this run",
                        "wait for it to end: `ablate status` shows what is alive",
                    ));
                }
            }
        }
    }

    /// Whether a process trains in the folder, as far as the file system knows locks.
    pub fn is_held(folder: &Path) -> bool {
        let Ok(file) = File::open(folder.join(FILE)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn open(folder: &Path) -> Result<File> {
    let path = folder.join(FILE);
    OpenOptions::new().create(true).write(true).truncate(false).open(&path).map_err(Error::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_while_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!RunLock::is_held(folder.path()));
        let lock = RunLock::hold(folder.path()).unwrap();
        assert!(RunLock::is_held(folder.path()));
        assert!(RunLock::hold(folder.path()).unwrap_err().to_string().contains("another process"));
        drop(lock);
        assert!(!RunLock::is_held(folder.path()));
        RunLock::hold(folder.path()).unwrap();
    }
}
