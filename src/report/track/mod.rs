//! What runs have logged, in the formats of other programs. None of them is needed for anything here.
//!
//! A run's folder or an experiment's is read as it is, also while runs go on; doing it again brings the files up to date.
//! `docs/trackers.md` describes each file.

mod format;
mod lines;
mod source;
mod table;
mod tensorboard;

pub use format::Format;

use crate::settings::Result;
use source::Source;
use std::path::{Path, PathBuf};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// File or folder, as to be handed to the program that reads the format.
    pub path: PathBuf,
    /// Runs in it.
    pub runs: usize,
    /// Whether there is more to come: runs that have not ended.
    pub goes_on: bool,
}

/// Converts what is logged in the folder of a run or of an experiment; into the same folder, unless `out` names another.
///
/// Doing it again replaces the files in one step each. Event files of TensorBoard are continued, so that a TensorBoard that
/// has them open follows.
///
/// # Errors
///
/// A folder of neither kind, damaged files, a folder that cannot be written to.
pub fn track(folder: &Path, format: Format, out: Option<&Path>) -> Result<Tracked> {
    let source = Source::open(folder)?;
    let out = out.unwrap_or(folder);
    let path = match format {
        Format::TensorBoard => tensorboard::write(&source, out)?,
        Format::Csv => table::csv(&source, out)?,
        Format::JsonLines => table::jsonl(&source, out)?,
    };
    Ok(Tracked { path, runs: source.runs.len(), goes_on: source.goes_on })
}
