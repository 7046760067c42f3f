//! The metrics of runs in the formats of experiment trackers and of tables. None of them is needed; all of them are made
//! from what the runs left in their folders, as often as asked, also while runs go on.
//!
//! ```text
//! plan.json, spec.toml, metrics.jsonl, probes.jsonl ─ source ─► runs ─► tensorboard | mlflow | table, parquet
//! ```

mod event;
mod framing;
mod grow;
mod mlflow;
mod parameters;
#[cfg(feature = "parquet")]
mod parquet;
mod run;
mod source;
mod table;
mod tensorboard;

use crate::settings::{Error, Result};
use std::path::{Path, PathBuf};

/// What metrics are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Event files of TensorBoard's.
    TensorBoard,
    /// One table: a line per run, step and metric.
    Csv,
    /// The same, an object per line.
    JsonLines,
    /// The same as a Parquet file; with the feature `parquet`.
    Parquet,
    /// MLflow's store of files.
    Mlflow,
}

impl Format {
    /// Every format with its name.
    pub const NAMES: [(&str, Format); 5] = [
        ("tensorboard", Format::TensorBoard),
        ("csv", Format::Csv),
        ("jsonl", Format::JsonLines),
        ("parquet", Format::Parquet),
        ("mlflow", Format::Mlflow),
    ];

    /// What is written inside the folder for all trackers.
    fn file(self) -> &'static str {
        match self {
            Self::TensorBoard => "tensorboard",
            Self::Csv => "metrics.csv",
            Self::JsonLines => "metrics.jsonl",
            Self::Parquet => "metrics.parquet",
            Self::Mlflow => "mlruns",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name).join(", ");
            let more = if name == "wandb" { "; docs/trackers.md says how to log to Weights & Biases" } else { "" };
            format!("expected one of {names}{more}")
        })
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The file, or the folder that the tracker is pointed at.
    pub path: PathBuf,
    /// Runs in it.
    pub runs: usize,
    /// Whether some of them go on, so that there will be more.
    pub goes_on: bool,
}

/// The folder inside that of an experiment or of a run that takes what is made for trackers. No arm can have its name.
pub const FOLDER: &str = "_tracked";

/// Writes the metrics of a run, or of all runs that an experiment asks for, in a format, into `out`, or [`FOLDER`] inside
/// `folder`.
///
/// Doing it again brings what is there up to date: what a tracker may be reading grows where it only has to grow. Nothing
/// is removed; older event files of the same run are emptied.
///
/// # Errors
///
/// A folder without runs, damaged files, a folder that cannot be written to, a format that this build does not have.
pub fn track(folder: &Path, format: Format, out: Option<&Path>) -> Result<Tracked> {
    if format == Format::Parquet && cfg!(not(feature = "parquet")) {
        let help = "build it with `cargo build --release --features parquet`, or take csv or jsonl";
        return Err(Error::input("parquet", "this build of ablate does not write it", help));
    }
    let source = source::Source::open(folder)?;
    let out = out.map_or_else(|| folder.join(FOLDER), Path::to_path_buf);
    let path = out.join(format.file());
    let runs = source.runs.len();
    std::fs::create_dir_all(&out).map_err(Error::io("create the folder", &out))?;
    match format {
        Format::TensorBoard => source.each(|run| tensorboard::write(&path, run))?,
        Format::Mlflow => mlflow::write(&path, &source)?,
        Format::Csv => table::csv(&path, &source)?,
        Format::JsonLines => table::json_lines(&path, &source)?,
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::write(&path, &source)?,
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => unreachable!("refused above"),
    }
    Ok(Tracked { path, runs, goes_on: source.goes_on })
}
