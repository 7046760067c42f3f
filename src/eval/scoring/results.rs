//! What a model answered to each question, on disk and in sum.

use crate::{
    files,
    settings::{Error, Result},
    stats,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The task that was asked, and who was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub task: String,
    /// The layout it was read by.
    pub layout: String,
    /// The metric that its source reports.
    pub metric: String,
    /// What guessing scores by that metric.
    pub chance: f64,
    /// Examples in every prompt.
    pub shots: usize,
    /// The checkpoint and how it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Value>,
}

/// What was answered to one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The question's name.
    pub id: String,
    /// The part of the benchmark that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Tells questions apart: equal where prompts, alternatives and right answers are.
    pub question: String,
    /// Values of this question by metric; for those with a size, sums.
    pub metrics: BTreeMap<String, f64>,
    /// Sizes by metric where they are not 1: bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sizes: BTreeMap<String, f64>,
    /// Likelihoods of alternatives, generated texts.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// All answers to a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// The task.
    pub header: Header,
    /// An entry for each question.
    pub records: Vec<Record>,
}

/// A metric over items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Σ values / Σ sizes.
    pub value: f64,
    /// Its standard error over items: s/√n where sizes are 1 (as lm-evaluation-harness), else by bootstrap; none where there are
    /// too few.
    pub error: Option<f64>,
}

/// A task in sum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The task.
    #[serde(flatten)]
    pub header: Header,
    /// How many questions.
    pub items: usize,
    /// The headline metric between guessing (0) and no mistakes (1): (value − chance)/(1 − chance). None where less is better.
    pub centered: Option<f64>,
    /// Every metric.
    pub metrics: BTreeMap<String, Estimate>,
    /// The mean of groups, each counting the same, by metric; empty for tasks without groups.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mean_of_groups: BTreeMap<String, f64>,
    /// Every metric by group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, BTreeMap<String, Estimate>>,
}

impl Record {
    /// Value and size by a metric.
    pub(super) fn measure(&self, metric: &str) -> Option<(f64, f64)> {
        Some((*self.metrics.get(metric)?, self.sizes.get(metric).copied().unwrap_or(1.0)))
    }
}

/// The metric over some records; none where one of them lacks it.
pub(super) fn estimate(records: &[&Record], metric: &str) -> Option<Estimate> {
    let measures: Vec<(f64, f64)> = records.iter().map(|record| record.measure(metric)).collect::<Option<_>>()?;
    let (values, sizes): (Vec<f64>, Vec<f64>) = measures.into_iter().unzip();
    let total: f64 = sizes.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let error = if sizes.iter().all(|size| *size == 1.0) {
        // One item has no spread.
        stats::mean(&values).filter(|_| values.len() > 1).map(|mean| mean.deviation / (values.len() as f64).sqrt())
    } else {
        stats::bootstrap(&values, &sizes).map(|items| items.error)
    };
    Some(Estimate { value: values.iter().sum::<f64>() / total, error })
}

/// Every metric that all of the records have; perplexity where they have nats.
fn estimates(records: &[&Record]) -> BTreeMap<String, Estimate> {
    let names = records.first().into_iter().flat_map(|record| record.metrics.keys());
    let mut all: BTreeMap<String, Estimate> = names.filter_map(|name| Some((name.clone(), estimate(records, name)?))).collect();
    if let Some(nats) = all.remove("nats") {
        let value = nats.value.exp();
        all.insert("perplexity".into(), Estimate { value, error: nats.error.map(|error| error * value) });
    }
    all
}

impl Results {
    /// All metrics, by group too.
    pub fn summary(&self) -> Summary {
        let all: Vec<&Record> = self.records.iter().collect();
        let metrics = estimates(&all);
        let mut members: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        for record in &self.records {
            if let Some(group) = &record.group {
                members.entry(group.clone()).or_default().push(record);
            }
        }
        let groups: BTreeMap<String, BTreeMap<String, Estimate>> =
            members.into_iter().map(|(name, records)| (name, estimates(&records))).collect();
        let mean = |name: &String| {
            let values: Vec<f64> =
                groups.values().map(|metrics| metrics.get(name).map(|estimate| estimate.value)).collect::<Option<_>>()?;
            (!values.is_empty()).then(|| (name.clone(), values.iter().sum::<f64>() / values.len() as f64))
        };
        let mean_of_groups = metrics.keys().filter_map(mean).collect();
        let Header { metric, chance, .. } = &self.header;
        let centered = metrics.get(metric).filter(|_| !less_is_better(metric)).map(|found| (found.value - chance) / (1.0 - chance));
        Summary { header: self.header.clone(), items: self.records.len(), centered, metrics, mean_of_groups, groups }
    }

    /// Where the results of a task are kept in a folder of results.
    pub fn path(folder: &Path, task: &str) -> PathBuf {
        folder.join(format!("{task}.jsonl"))
    }

    /// Keeps the results in a folder, in one step: a line for the task, then a line for each question.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = Self::path(folder, &self.header.task);
        std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let mut text = serde_json::to_string(&self.header).expect("plain data") + "\n";
        for record in &self.records {
            text += &serde_json::to_string(record).expect("plain data");
            text.push('\n');
        }
        files::write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Reads results that were kept.
    ///
    /// # Errors
    ///
    /// No such file, or one that is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let damaged = |line: usize, error: serde_json::Error| {
            Error::input(format!("{}:{line}", path.display()), format!("not what was kept: {error}"), "evaluate again")
        };
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line);
        let header = serde_json::from_str(header).map_err(|error| damaged(1, error))?;
        let records = lines.map(|(number, line)| serde_json::from_str(line).map_err(|error| damaged(number + 1, error)));
        Ok(Self { header, records: records.collect::<Result<_>>()? })
    }

    /// The tasks that a folder holds results of, sorted.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read.
    pub fn kept(folder: &Path) -> Result<Vec<String>> {
        let Some(entries) = files::if_there(std::fs::read_dir(folder)).map_err(Error::io("read the folder", folder))? else {
            return Ok(vec![]);
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().to_string_lossy().into_owned();
                name.strip_suffix(".jsonl").filter(|name| !name.starts_with('.')).map(str::to_string)
            })
            .collect();
        names.sort();
        Ok(names)
    }
}

/// Whether a smaller value of a metric is the better one.
pub(super) fn less_is_better(metric: &str) -> bool {
    metric.contains("bits_per_byte") || metric.starts_with("valid/loss") || ["nats", "perplexity"].contains(&metric)
}
