//! Metrics of burn-train's kind, and the file they are written to.

use super::step::Measurement;
use crate::{
    eval::Scores,
    files::{self, if_there},
    settings::{Error, Result},
};
use burn::{
    tensor::TensorReadError,
    train::{
        logger::MetricLogger,
        metric::{
            Adaptor, Metric, MetricAttributes, MetricDefinition, MetricId, MetricMetadata, MetricName, Numeric, NumericAttributes,
            NumericEntry, SerializedEntry,
            store::{EpochSummary, MetricsUpdate, Split},
        },
    },
};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};

/// The file's name in a run's folder.
pub const FILE: &str = "metrics.jsonl";

/// Takes a number out of what was measured.
type Pick<T, V> = dyn Fn(&T) -> V + Send + Sync;

/// Numbers of a training step, by the name they have in `metrics.jsonl`.
pub(super) const TRAINING: [(&str, &Pick<Measurement, f64>); 6] = [
    ("step", &|m| m.step as f64),
    ("loss", &|m| m.loss),
    ("gradient_norm", &|m| m.gradient_norm),
    ("learning_rate", &|m| m.learning_rate),
    ("tokens_per_second", &|m| m.tokens_per_second),
    ("step_ms", &|m| m.milliseconds),
];

impl Adaptor<Measurement> for Measurement {
    fn adapt(&self) -> Self {
        *self
    }
}

impl Adaptor<Scores> for Scores {
    fn adapt(&self) -> Self {
        self.clone()
    }
}

/// Writes the loss of each step that a run's folder knows to a file of its own, as lines of JSON.
///
/// # Errors
///
/// No such run, an unwritable file.
pub fn write_losses(run: &Path, path: &Path) -> Result<()> {
    let metrics = run.join(FILE);
    let text = std::fs::read_to_string(&metrics).map_err(Error::io("read", &metrics))?;
    let mut lines = String::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        if let (Some(step), Some(loss)) = (value["step"].as_u64(), value["loss"].as_f64()) {
            lines += &format!("{}\n", serde_json::json!({ "step": step, "loss": loss }));
        }
    }
    files::write(path, lines.as_bytes())
}

/// A number that a training step or an evaluation reports; absent where it is undefined.
pub(super) struct Reported<T> {
    name: MetricName,
    pick: Arc<Pick<T, Option<f64>>>,
    current: Option<f64>,
    sum: f64,
    count: usize,
}

impl<T> Clone for Reported<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), pick: self.pick.clone(), ..*self }
    }
}

impl<T> Reported<T> {
    pub(super) fn new(name: &str, pick: impl Fn(&T) -> Option<f64> + Send + Sync + 'static) -> Self {
        Self { name: Arc::new(name.to_owned()), pick: Arc::new(pick), current: None, sum: 0.0, count: 0 }
    }

    fn entry(&self, value: Option<NumericEntry>) -> SerializedEntry {
        match value {
            Some(value) => SerializedEntry::new(value.current().to_string(), value.serialize()),
            None => SerializedEntry::not_available(None),
        }
    }
}

impl<T> Metric for Reported<T> {
    type Input = T;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: false }.into()
    }

    fn update(&mut self, item: &T, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        self.current = (self.pick)(item);
        if let Some(value) = self.current {
            self.sum += value;
            self.count += 1;
        }
        Ok(self.entry(self.value()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(Some(self.final_value())))
    }

    fn clear(&mut self) {
        (self.current, self.sum, self.count) = (None, 0.0, 0);
    }
}

impl<T> Numeric for Reported<T> {
    fn value(&self) -> Option<NumericEntry> {
        self.current.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        (self.count > 0).then(|| NumericEntry::Value(self.sum / self.count as f64))
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.sum / self.count as f64)
    }
}

/// Writes `metrics.jsonl`: one line per logged step, with the scores where the step was evaluated.
///
/// An evaluation is reported before the step it belongs to, so that both become one line.
pub(super) struct Lines {
    file: File,
    names: HashMap<MetricId, String>,
    every: usize,
    steps: usize,
    scores: Map<String, Value>,
    failure: Arc<Mutex<Option<std::io::Error>>>,
}

impl Lines {
    /// Opens the file in `out` for appending; `failure` receives the first error of writing.
    pub(super) fn open(out: &Path, every: usize, steps: usize, failure: Arc<Mutex<Option<std::io::Error>>>) -> Result<Self> {
        let path = out.join(FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io("write", &path))?;
        Ok(Self { file, names: HashMap::new(), every, steps, scores: Map::new(), failure })
    }
}

impl MetricLogger for Lines {
    fn log(&mut self, update: MetricsUpdate, _epoch: usize, split: &Split) {
        let mut numbers = Map::new();
        for numeric in &update.entries_numeric {
            // Burn-train repeats the mean of the whole run at its end; that is no step.
            let Some(NumericEntry::Value(value)) = numeric.numeric_entry else { continue };
            let Some(name) = self.names.get(&numeric.entry.metric_id) else { continue };
            let value = if name == "step" { Value::from(value as u64) } else { Value::from(value) };
            numbers.insert(name.clone(), value);
        }
        let Some(step) = numbers.get("step").and_then(Value::as_u64) else {
            if *split == Split::Valid {
                self.scores.extend(numbers);
            }
            return;
        };
        let step = step as usize;
        if step == 1 || step.is_multiple_of(self.every) || step == self.steps || !self.scores.is_empty() {
            numbers.append(&mut self.scores);
            if let Err(error) = self.file.write_all(format!("{}\n", Value::Object(numbers)).as_bytes()) {
                self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(error);
            }
        }
    }

    fn read_numeric(&mut self, _name: &str, _epoch: usize, _split: &Split) -> Result<Vec<NumericEntry>, String> {
        Ok(vec![])
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}

/// Waits until the disk has what was written.
pub(super) fn sync(out: &Path) -> Result<()> {
    let path = out.join(FILE);
    let synced = OpenOptions::new().append(true).open(&path).and_then(|file| file.sync_data());
    synced.map_err(Error::io("write", &path))
}

/// Removes the lines of steps after `step`, and a line that was cut off while it was written.
pub(super) fn truncate(path: &Path, step: usize) -> Result<()> {
    let Some(text) = if_there(std::fs::read_to_string(path)).map_err(Error::io("read", path))? else { return Ok(()) };
    let kept: String = text
        .split_inclusive('\n')
        .take_while(|line| {
            let number = serde_json::from_str::<Value>(line).ok().and_then(|line| line.get("step")?.as_u64());
            line.ends_with('\n') && number.is_some_and(|number| number <= step as u64)
        })
        .collect();
    if kept.len() < text.len() { files::write(path, kept.as_bytes()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_keeps_whole_lines_up_to_the_step() {
        let folder = tempfile::tempdir().unwrap();
        let lines = |steps: &[u64]| steps.iter().map(|step| format!("{{\"step\":{step},\"loss\":1.5}}\n")).collect::<String>();
        let path = folder.path().join(FILE);
        truncate(&path, 3).unwrap();
        std::fs::write(&path, lines(&[1, 2, 3, 4, 5])).unwrap();
        truncate(&path, 3).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines(&[1, 2, 3]));
        std::fs::write(&path, lines(&[1, 2]) + "{\"step\":3,\"lo").unwrap();
        truncate(&path, 3).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines(&[1, 2]));
        truncate(&path, 0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }
}
