//! Who writes to the folder of a run: the process that holds its lock. It is gone with the process, however that ends.

use crate::{
    files::Lock,
    settings::{Error, Result},
};
use std::{path::Path, time::Duration};

/// Held by the process that trains in a run's folder.
#[derive(Debug)]
pub struct RunLock {
    _lock: Lock,
}

const FILE: &str = ".lock";
const PATIENCE: Duration = Duration::from_secs(2);

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
        let path = folder.join(FILE);
        let lock = Lock::hold(&path, PATIENCE).map_err(Error::io("write", &path))?;
        let trained =
            || Error::input(folder.display(), "another process trains this run", "wait for it to end: `ablate status` shows what is alive");
        Ok(Self { _lock: lock.ok_or_else(trained)? })
    }

    /// Whether a process trains in the folder, as far as the file system knows locks.
    pub fn is_held(folder: &Path) -> bool {
        Lock::is_held(&folder.join(FILE))
    }
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
