//! What is wrong with the content of a file, as against the file system.

use super::Read;
use crate::settings::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

/// A part of a file that gave no document, or a document less than it should: the recipe says whether it is skipped or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// What kind, for counting: `truncated`, `corrupt`, `bomb`, `too_long`, `not_utf8`, `binary`, `not_json`, `no_text`, `xml`, `tar`,
    /// `warc`, `length`, `http`, `orphan`, `duplicate`, `parquet`.
    pub rule: &'static str,
    /// The file and where in it: a byte of the unpacked content, a record, a row.
    pub place: String,
    /// What is wrong, and for limits the key that sets them.
    pub message: String,
}

/// [`Damage`] on its way through [`io::Error`], before it is known where it was met.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Broken {
    pub rule: &'static str,
    pub message: String,
}

impl Broken {
    pub fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }

    pub fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// What the error of a decoder means; the operating system's own errors are left as they are.
    pub fn from_decoder(error: io::Error, what: &str) -> io::Error {
        if is_system(&error) || error.get_ref().is_some_and(|inner| inner.is::<Self>()) {
            return error;
        }
        let broken = match is_end(&error) {
            true => Self::new("truncated", format!("the {what} data ends too early")),
            false => Self::new("corrupt", format!("the {what} data is broken: {error}")),
        };
        broken.into_io()
    }
}

/// Errors that tell nothing about the content: the disk, permissions.
fn is_system(error: &io::Error) -> bool {
    let mut cause = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error().is_some()) {
            return true;
        }
        cause = inner.source();
    }
    error.raw_os_error().is_some()
}

/// Whether the cause is that bytes are missing, at whatever depth the decoder has hidden it.
fn is_end(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(held) => Some(held),
            None => inner.source(),
        };
    }
    false
}

/// The id of a row: its own, and then `meta.file` says where it is unless the row says that too; else where it is.
pub(super) fn id_of_row(own: Option<String>, place: String, meta: &mut Map<String, Value>) -> String {
    match own {
        Some(own) => {
            meta.entry("file").or_insert(place.into());
            own
        }
        None => place,
    }
}

/// The file that documents come from: gives ids and places.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub path: PathBuf,
    pub name: String,
    /// Bytes of the file, as it lies there, that have been read.
    pub read: Arc<AtomicU64>,
}

impl Origin {
    pub fn new(path: &Path, name: &str) -> Self {
        Self { path: path.to_path_buf(), name: name.to_string(), read: Arc::default() }
    }

    /// `file name#number`.
    pub fn id(&self, number: u64) -> String {
        format!("{}#{number}", self.name)
    }

    /// Damage at `place`, or in the whole file if that is empty.
    pub fn damage(&self, rule: &'static str, place: &str, message: impl Into<String>) -> Damage {
        let file = self.path.display();
        let place = if place.is_empty() { file.to_string() } else { format!("{file}, {place}") };
        Damage { rule, place, message: message.into() }
    }

    /// The same, as what a reader yields.
    pub fn damaged(&self, rule: &'static str, place: &str, message: impl Into<String>) -> Result<Option<Read>> {
        Ok(Some(Read::Damage(self.damage(rule, place, message))))
    }

    /// What a failed read means.
    ///
    /// # Errors
    ///
    /// If it was the operating system that failed.
    pub fn fault(&self, error: io::Error, place: &str) -> Result<Damage> {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Broken>()) {
            Some(broken) => Ok(self.damage(broken.rule, place, broken.message.clone())),
            None => Err(Error::io("read", &self.path)(error)),
        }
    }

    /// The same, as what a reader yields.
    pub fn faulty(&self, error: io::Error, place: &str) -> Result<Option<Read>> {
        Ok(Some(Read::Damage(self.fault(error, place)?)))
    }
}

/// A number of bytes for people.
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{number} bytes"),
        10_000..10_000_000 => format!("{} KiB", number >> 10),
        _ => format!("{} MiB", number >> 20),
    }
}
