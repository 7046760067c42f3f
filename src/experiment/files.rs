//! How a file of an experiment is written.

use super::ledger::DISK;
use crate::{
    files,
    settings::{Error, Result},
};
use std::path::Path;

/// Writes a file in one step: readers find the old content or the new.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    files::replace(path, content).map_err(|error| Error::input(path.display(), format!("cannot be written: {error}"), DISK))
}
