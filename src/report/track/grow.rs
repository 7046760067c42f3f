//! Files that somebody may be reading while they grow.

use crate::{
    files::if_there,
    settings::{Error, Result},
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It begins as what is wanted does, and was completed.
    Grown,
    /// It begins otherwise, and was left as it is.
    Another,
}

/// Completes a file that begins as `content` does; makes it if there is none.
///
/// # Errors
///
/// A file that cannot be read or written.
pub fn grow(path: &Path, content: &[u8]) -> Result<Growth> {
    let before = if_there(fs::read(path)).map_err(Error::io("read", path))?.unwrap_or_default();
    let Some(new) = content.strip_prefix(before.as_slice()) else { return Ok(Growth::Another) };
    let append = || OpenOptions::new().create(true).append(true).open(path)?.write_all(new);
    if !new.is_empty() {
        append().map_err(Error::io("write", path))?;
    }
    Ok(Growth::Grown)
}

/// Makes a file have this content: by completing it where that is enough.
///
/// # Errors
///
/// A file that cannot be read or written.
pub fn update(path: &Path, content: &[u8]) -> Result<()> {
    match grow(path, content)? {
        Growth::Grown => Ok(()),
        Growth::Another => fs::write(path, content).map_err(Error::io("write", path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_alike_grows_and_what_does_not_is_replaced_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let read = || fs::read_to_string(&path).unwrap();
        for content in ["one", "one", "one two"] {
            assert_eq!(grow(&path, content.as_bytes()).unwrap(), Growth::Grown);
            assert_eq!(read(), content);
        }
        assert_eq!((grow(&path, b"one").unwrap(), read().as_str()), (Growth::Another, "one two"));
        update(&path, b"other").unwrap();
        assert_eq!(read(), "other");
        assert!(grow(&folder.path().join("no/a"), b"x").unwrap_err().to_string().contains("no/a"));
    }
}
