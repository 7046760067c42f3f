//! Records to terminal tables, self-contained HTML, CSV and JSON.
//!
//! Everything here is made from an [`experiment::Summary`](crate::experiment::Summary) and from what the runs left in the
//! experiment's folder (`records.jsonl`, each run's `metrics.jsonl`), so a report can be made again, elsewhere, from the
//! files alone.

mod curves;
mod export;
mod number;
mod page;
mod provenance;
mod svg;
mod terminal;
pub mod track;
mod words;

pub use terminal::{terminal, terminal_coloured};

use crate::{experiment::Summary, files, settings::Result};
use std::path::Path;

/// Writes `summary.json`, `summary.csv` and `report.html` into the folder of an experiment, each in one step: a reader
/// finds the old file or the whole new one.
///
/// Runs whose `metrics.jsonl` is missing or unreadable are left out of the curves, and the report says so.
///
/// # Errors
///
/// The folder cannot be written to.
pub fn write(folder: &Path, summary: &Summary) -> Result<()> {
    let page = page::render(folder, summary);
    files::write(&folder.join("summary.json"), export::json(summary).as_bytes())?;
    files::write(&folder.join("summary.csv"), &export::csv(summary))?;
    files::write(&folder.join("report.html"), page.as_bytes())
}
