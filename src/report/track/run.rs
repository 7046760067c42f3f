//! What one run logged so far.

use super::{parameters::Parameters, source::Begun};
use crate::{
    experiment::Stage,
    files::if_there,
    settings::{Error, Result},
    train::Outcome,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// A run and its metrics.
#[derive(Debug)]
pub struct Run {
    /// Arm; of a run on its own, its name.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// What it is for: `compare`, `tune` or `time`.
    pub stage: &'static str,
    /// Its folder inside the experiment's; empty for a run on its own.
    pub name: String,
    /// The same where the file system has it.
    pub folder: PathBuf,
    /// When it was begun, or continued last: seconds since 1970 by its machine's clock.
    pub start: f64,
    /// Its settings.
    pub parameters: Vec<(String, Value)>,
    /// What it logged, by step.
    pub lines: Vec<Line>,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
}

/// What was logged of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The step.
    pub step: u64,
    /// Seconds since 1970: the start of the run and the time of its steps, as far as they were logged.
    pub time: f64,
    /// Metrics by name; NaN for what was no finite number.
    pub values: Vec<(String, f64)>,
}

impl Run {
    /// Reads what a run left so far.
    ///
    /// # Errors
    ///
    /// Unreadable files.
    pub fn read(begun: &Begun, parameters: &Parameters) -> Result<Self> {
        let Begun { job, folder, outcome } = begun;
        let spec = folder.join("spec.toml");
        let begun = fs::metadata(&spec).and_then(|file| file.modified()).map_err(Error::io("read", &spec))?;
        let start = begun.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let stage = match job.stage {
            Stage::Compare => "compare",
            Stage::Tune { .. } => "tune",
            Stage::Time => "time",
        };
        let lines = timed(lines(folder)?, start);
        Ok(Self {
            arm: job.arm.clone(),
            seed: job.seed,
            stage,
            name: job.folder.clone(),
            folder: folder.clone(),
            start,
            parameters: parameters.read(folder)?,
            lines,
            outcome: *outcome,
        })
    }

    /// The name that people see: `rms/seed-0`, or that of the folder.
    pub fn title(&self) -> &str {
        if self.name.is_empty() { &self.arm } else { &self.name }
    }

    /// When its last logged step was done.
    pub fn end(&self) -> f64 {
        self.lines.last().map_or(self.start, |line| line.time)
    }
}

/// The lines of `metrics.jsonl` and of `probes.jsonl` by step, probes first, since a probe looks at what a step left and is
/// written at once.
fn lines(folder: &Path) -> Result<Vec<Line>> {
    let mut lines = read(&folder.join("probes.jsonl"), "probe/")?;
    lines.extend(read(&folder.join("metrics.jsonl"), "")?);
    lines.sort_by_key(|line| line.step);
    Ok(lines)
}

/// The whole lines of a file. One that is being written, or that a crash cut off, is passed over.
fn read(path: &Path, prefix: &str) -> Result<Vec<Line>> {
    let text = if_there(fs::read(path)).map_err(Error::io("read", path))?.unwrap_or_default();
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let line = |line: &[u8]| {
        let Ok(Value::Object(mut line)) = serde_json::from_slice::<Value>(line) else { return None };
        let step = line.shift_remove("step")?.as_u64()?;
        let mut values = Vec::new();
        numbers(prefix, "", &Value::Object(line), &mut values);
        Some(Line { step, time: 0.0, values })
    };
    Ok(text[..whole].split(|byte| *byte == b'\n').filter_map(line).collect())
}

/// Numbers by path; what was no finite number stands as null in the files.
fn numbers(prefix: &str, name: &str, value: &Value, into: &mut Vec<(String, f64)>) {
    let below = |part: &str| if name.is_empty() { part.to_string() } else { format!("{name}/{part}") };
    match value {
        Value::Object(table) => table.iter().for_each(|(part, value)| numbers(prefix, &below(part), value, into)),
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| numbers(prefix, &below(&at.to_string()), value, into)),
        Value::Number(_) | Value::Null => into.push((format!("{prefix}{name}"), value.as_f64().unwrap_or(f64::NAN))),
        Value::Bool(_) | Value::String(_) => {}
    }
}

/// Gives every line its time: steps that were not logged took as long as the next one that was.
fn timed(mut lines: Vec<Line>, start: f64) -> Vec<Line> {
    let (mut time, mut step) = (start, 0);
    for line in &mut lines {
        let took = line.values.iter().find(|(name, _)| name == "step_ms").map(|(_, took)| *took).filter(|took| took.is_finite());
        if let Some(took) = took {
            time += line.step.saturating_sub(step) as f64 * took / 1e3;
            step = line.step;
        }
        line.time = time;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_of_both_files_by_step() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lines(folder.path()).unwrap(), []);
        let metrics = "{\"step\":1,\"loss\":2.0,\"step_ms\":10}\nnoise\n{\"step\":3,\"loss\":null,\"step_ms\":20}\n{\"step\":4,\"lo";
        fs::write(folder.path().join("metrics.jsonl"), metrics).unwrap();
        fs::write(folder.path().join("probes.jsonl"), "{\"step\":0,\"rms\":1}\n{\"step\":3,\"layers\":[{\"rms\":5,\"kind\":\"x\"}]}\n")
            .unwrap();
        let lines = timed(lines(folder.path()).unwrap(), 100.0);
        let names = |at: usize| -> Vec<&str> { lines[at].values.iter().map(|(name, _)| name.as_str()).collect() };
        let times: Vec<(u64, f64)> = lines.iter().map(|line| (line.step, (line.time * 1e3).round())).collect();
        assert_eq!(times, [(0, 100_000.0), (1, 100_010.0), (3, 100_010.0), (3, 100_050.0)]);
        assert_eq!((names(0), names(1), names(2)), (vec!["probe/rms"], vec!["loss", "step_ms"], vec!["probe/layers/0/rms"]));
        assert_eq!(lines[2].values[0].1, 5.0);
        assert!(lines[3].values[0].1.is_nan(), "a loss that is no number stays a point");
    }
}
