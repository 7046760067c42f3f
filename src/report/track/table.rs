//! One long table: a row for each number that was logged.

use super::{
    super::files,
    source::{Run, Source},
};
use crate::settings::{Error, Result};
use serde::Serialize;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A row; its fields are the columns.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Row<'a> {
    /// Name of the experiment; empty for a run of its own.
    pub experiment: &'a str,
    /// Arm.
    pub arm: &'a str,
    /// Seed.
    pub seed: u64,
    /// What the run is for: `compare`, `tune` or `time`.
    pub stage: &'a str,
    /// Name of the run: its folder in the experiment's.
    pub run: &'a str,
    /// Optimizer step.
    pub step: u64,
    /// Metric.
    pub metric: &'a str,
    /// Value; NaN for what was not finite, which JSON calls `null`.
    pub value: f64,
}

/// Hands every row of a run to `write`: by step, and in a step as logged.
pub fn rows<E>(run: &Run, mut write: impl FnMut(Row) -> Result<(), E>) -> Result<Result<(), E>> {
    let Run { experiment, arm, seed, stage, name, .. } = run;
    for line in run.logged()?.lines {
        for (metric, value) in &line.values {
            let row = Row { experiment, arm, seed: *seed, stage, run: name, step: line.step, metric, value: *value };
            if let Err(error) = write(row) {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(()))
}

/// Writes `logged.csv`.
pub fn csv(source: &Source, out: &Path) -> Result<PathBuf> {
    into(out, "logged.csv", |file| {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        writer.write_record(["experiment", "arm", "seed", "stage", "run", "step", "metric", "value"]).map_err(io::Error::other)?;
        for run in &source.runs {
            rows(run, |row| writer.serialize(row)).map_err(io::Error::other)?.map_err(io::Error::other)?;
        }
        writer.flush()
    })
}

/// Writes `logged.jsonl`.
pub fn jsonl(source: &Source, out: &Path) -> Result<PathBuf> {
    into(out, "logged.jsonl", |file| {
        for run in &source.runs {
            let line = |row: Row| serde_json::to_writer(&mut *file, &row).map_err(io::Error::from).and_then(|()| file.write_all(b"\n"));
            rows(run, line).map_err(io::Error::other)??;
        }
        Ok(())
    })
}

/// Writes a file of the folder `out` in one step; answers with its path.
pub fn into(out: &Path, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<PathBuf> {
    fs::create_dir_all(out).map_err(Error::io("create the folder", out))?;
    let path = out.join(name);
    files::replace_with(&path, write)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests::run, *};

    #[test]
    fn both_files_hold_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = run(folder.path(), 3, "{\"step\":1,\"loss\":0.1}\n{\"step\":2,\"loss\":null,\"valid/bits_per_byte\":1e-7}\n");
        let source = Source::open(&path).unwrap();
        let text = fs::read_to_string(csv(&source, folder.path()).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], "experiment,arm,seed,stage,run,step,metric,value");
        assert_eq!(lines[1], ",my run,3,compare,my run,1,loss,0.1");
        assert_eq!(lines[2], ",my run,3,compare,my run,2,loss,NaN");
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let values: Vec<f64> = reader.records().map(|row| row.unwrap()[7].parse().unwrap()).collect();
        let text = fs::read_to_string(jsonl(&source, folder.path()).unwrap()).unwrap();
        let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let columns: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
        assert_eq!(columns, ["experiment", "arm", "seed", "stage", "run", "step", "metric", "value"]);
        let same = |(row, value): (&serde_json::Value, &f64)| row["value"].as_f64().map_or(value.is_nan(), |other| other == *value);
        assert!(rows.len() == values.len() && rows.iter().zip(&values).all(same));
        assert_eq!((values[2], rows[2]["metric"].as_str()), (1e-7, Some("valid/bits_per_byte")));
    }
}
