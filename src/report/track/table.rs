//! One table of everything: a row per run, step and metric.

use super::{run::Run, source::Source};
use crate::{
    files::replace_with,
    settings::{Error, Result},
};
use serde_json::json;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// The columns: name of the experiment, arm, seed, what the run is for (`compare`, `tune`, `time`), its folder, step, name of
/// the metric, value.
pub const COLUMNS: [&str; 8] = ["experiment", "arm", "seed", "stage", "run", "step", "metric", "value"];

/// A row.
pub struct Row<'a> {
    /// The step.
    pub step: u64,
    /// The metric.
    pub metric: &'a str,
    /// Its value; NaN for what was no finite number.
    pub value: f64,
}

/// The rows of a run.
pub fn rows(run: &Run) -> impl Iterator<Item = Row<'_>> {
    run.lines.iter().flat_map(move |line| {
        line.values.iter().map(move |(metric, value)| Row { step: line.step, metric: metric.as_str(), value: *value })
    })
}

/// Writes the table as CSV; what was no finite number is an empty cell.
///
/// # Errors
///
/// Files that cannot be read or written.
pub fn csv(path: &Path, source: &Source) -> Result<()> {
    replace(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        let wrong = |error: csv::Error| Error::io("write", path)(error.into());
        writer.write_record(COLUMNS).map_err(wrong)?;
        source.each(|run| {
            let seed = run.seed.to_string();
            rows(run).try_for_each(|Row { step, metric, value }| {
                let value = if value.is_finite() { value.to_string() } else { String::new() };
                let row = [&source.name, &run.arm, &seed, run.stage, run.title(), &step.to_string(), metric, &value];
                writer.write_record(row).map_err(wrong)
            })
        })?;
        writer.flush().map_err(Error::io("write", path))
    })
}

/// Writes the table as JSON lines; what was no finite number is null.
///
/// # Errors
///
/// Files that cannot be read or written.
pub fn json_lines(path: &Path, source: &Source) -> Result<()> {
    replace(path, |file| {
        source.each(|run| {
            rows(run).try_for_each(|Row { step, metric, value }| {
                let row = json!({
                    "experiment": source.name, "arm": run.arm, "seed": run.seed, "stage": run.stage,
                    "run": run.title(), "step": step, "metric": metric, "value": value,
                });
                writeln!(file, "{row}").map_err(Error::io("write", path))
            })
        })
    })
}

/// Writes a file beside `path` and renames it into place: readers find the old table or the whole new one.
///
/// # Errors
///
/// Files that cannot be written, and what `fill` says.
pub fn replace(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    replace_with(path, |error| Error::io("write", path)(error), fill)
}
