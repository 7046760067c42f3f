//! Files that are either whole or not there.

use crate::settings::{Error, Result};
use std::{fs::File, io::Write, path::Path};

/// Writes to a temporary name in the same folder, flushes to disk, renames.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let result = write_durably(&new, bytes).and_then(|()| std::fs::rename(&new, path));
    if result.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    result.map_err(Error::io("write", path))
}

/// Writes a file and waits until the disk has it.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
