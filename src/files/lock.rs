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

    /// The same however long another process holds it, which is told once: for what one process makes and all others then find.
    pub fn wait(path: &Path, waiting: impl FnOnce()) -> io::Result<Self> {
        if let Some(lock) = Self::hold(path, Duration::ZERO)? {
            return Ok(lock);
        }
        waiting();
        loop {
            if let Some(lock) = Self::hold(path, Duration::from_secs(1))? {
                return Ok(lock);
            }
        }
    }

    /// Whether a process holds the file, as far as the file system knows locks.
    pub fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_gets_the_file_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let mut told = 0;
        let held = Lock::wait(&path, || told += 1).unwrap();
        assert!(told == 0 && Lock::hold(&path, Duration::ZERO).unwrap().is_none());
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let waits = scope.spawn(|| Lock::wait(&path, || sender.send(()).unwrap()).unwrap());
            receiver.recv().unwrap();
            assert!(!waits.is_finished());
            drop(held);
            let _held = waits.join().unwrap();
            assert!(Lock::is_held(&path));
        });
        assert!(!Lock::is_held(&path));
    }
}
