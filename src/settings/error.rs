//! The one error type of the library, written for the person who caused it.

use std::{
    any::Any,
    path::{Path, PathBuf},
};

/// The result of everything that a user's input can make fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a panic said, if that was text.
pub fn said(panic: &(dyn Any + Send)) -> Option<String> {
    panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned())
}

/// A rule that a configuration breaks, known by key only; [`crate::settings::Document::locate`] finds file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key, e.g. `model.attention.heads`.
    pub key: String,
    /// What is wrong, without the key, e.g. `heads (5) must divide width (64)`.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None }
    }

    /// The same problem with advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A [`Problem`] with the place where its value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or the command line option (`--set`), that holds the value.
    pub file: String,
    /// Line in that file, from 1; none for the command line and for values that nobody wrote (defaults).
    pub line: Option<usize>,
    /// Dotted key; empty when the mistake is not about a key (a file that is no TOML).
    pub key: String,
    /// The value as written, if one was.
    pub value: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Allowed values and the nearest spelling, or other advice.
    pub help: Option<String>,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// What went wrong, for the person who can mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something written in a configuration is wrong. Never empty.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<Mistake>),
    /// Some other input is wrong: a path, a device, a corpus, a checkpoint.
    #[error("{subject}: {message}\n  help: {help}")]
    Input {
        /// What is wrong: a path, an option, a device.
        subject: String,
        /// How it is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// The file system said no.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Io {
        /// What was tried: `read`, `create the folder`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The run was stopped by the user; what is done is kept.
    #[error("interrupted: {0}")]
    Interrupted(String),
}

impl Error {
    /// Wrong input that is not a key of a configuration.
    pub fn input(subject: impl ToString, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Input { subject: subject.to_string(), message: message.into(), help: help.into() }
    }

    /// For `map_err`: a failed file operation with the path it was about.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
