//! Two runs side by side: what differs in their specifications, their metrics, and the step at which their losses part.

use super::{Difference, tree};
use crate::{
    files::if_there,
    settings::{Error, Result},
    train::{RunResult, RunSpec},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunDiff {
    /// Whether they are the same run: equal in everything that can change a bit.
    pub same_id: bool,
    /// What differs in their resolved specifications; `base` is the first run's value, `arm` the second one's.
    pub spec: Vec<Difference>,
    /// Last metrics, by name, of each.
    pub metrics: BTreeMap<String, [Option<f64>; 2]>,
    /// Whether they consumed the same batches; none if one of them has no result.
    pub same_data: Option<bool>,
    /// Steps that both have logged.
    pub common_steps: usize,
    /// The first logged step whose training losses differ, if one does.
    pub parted: Option<Parting>,
}

/// The step at which two runs part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Parting {
    /// The step.
    pub step: u64,
    /// Training loss of each there, in nats.
    pub losses: [f64; 2],
}

/// Compares the runs in two folders.
///
/// # Errors
///
/// A folder without a run, damaged files.
pub fn compare(first: &Path, second: &Path) -> Result<RunDiff> {
    let (specs, results) = ([spec(first)?, spec(second)?], [result(first)?, result(second)?]);
    let losses = [losses(first)?, losses(second)?];
    let mut metrics: BTreeMap<String, [Option<f64>; 2]> = BTreeMap::new();
    for (side, result) in results.iter().enumerate() {
        for (name, value) in result.iter().flat_map(|result| &result.metrics) {
            metrics.entry(name.clone()).or_default()[side] = Some(*value);
        }
    }
    let common: BTreeSet<u64> = losses[0].keys().filter(|step| losses[1].contains_key(step)).copied().collect();
    let pair = |step: &u64| [losses[0][step], losses[1][step]];
    // By their bits: two losses that are no numbers are equal.
    let parted = common.iter().find(|step| pair(step)[0].to_bits() != pair(step)[1].to_bits());
    Ok(RunDiff {
        same_id: specs[0].id() == specs[1].id(),
        spec: tree::differences(&specs[0], &specs[1]),
        metrics,
        same_data: results[0].as_ref().zip(results[1].as_ref()).map(|(one, two)| one.data_hash == two.data_hash),
        common_steps: common.len(),
        parted: parted.map(|step| Parting { step: *step, losses: pair(step) }),
    })
}

fn spec(run: &Path) -> Result<RunSpec> {
    let path = run.join("spec.toml");
    let help = "name two folders of runs, e.g. runs/quickstart/base/seed-0";
    let text = fs::read_to_string(&path).map_err(|error| Error::input(run.display(), format!("is no folder of a run: {error}"), help))?;
    toml::from_str(&text).map_err(|error| Error::input(path.display(), format!("no resolved run: {error}"), help))
}

/// What the run left; none before its end.
fn result(run: &Path) -> Result<Option<RunResult>> {
    let path = run.join("result.json");
    let Ok(text) = fs::read(&path) else { return Ok(None) };
    super::launch::parse_result(&text)
        .map(Some)
        .ok_or_else(|| Error::input(path.display(), "is no result of a run", "remove it: the run's other files are enough"))
}

/// Training losses by step.
fn losses(run: &Path) -> Result<BTreeMap<u64, f64>> {
    let path = run.join("metrics.jsonl");
    let text = if_there(fs::read_to_string(&path)).map_err(Error::io("read", &path))?.unwrap_or_default();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        Some((line["step"].as_u64()?, line["loss"].as_f64().unwrap_or(f64::NAN)))
    };
    Ok(text.lines().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::RunConfig;

    #[test]
    fn where_two_runs_differ_and_part() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["one", "two"].map(|name| folder.path().join(name));
        let refused = compare(&first, &second).unwrap_err().to_string();
        assert!(refused.contains("one") && refused.contains("help"), "{refused}");
        let mut spec = RunConfig::default().resolve().unwrap();
        let write = |run: &Path, spec: &RunSpec, losses: &[f64]| {
            fs::create_dir_all(run).unwrap();
            fs::write(run.join("spec.toml"), toml::to_string(spec).unwrap()).unwrap();
            let line = |(step, loss): (usize, &f64)| format!("{{\"step\":{},\"loss\":{loss}}}\n", step + 1);
            fs::write(run.join("metrics.jsonl"), losses.iter().enumerate().map(line).collect::<String>()).unwrap();
        };
        write(&first, &spec, &[5.0, 4.0, 3.0]);
        write(&second, &spec, &[5.0, 4.0]);
        let same = compare(&first, &second).unwrap();
        assert_eq!((same.same_id, same.spec.len(), same.common_steps, same.parted), (true, 0, 2, None));
        spec.train.seed = 7;
        write(&second, &spec, &[5.0, 4.5, 3.0]);
        let other = compare(&first, &second).unwrap();
        assert_eq!((other.same_id, other.spec[0].key.as_str()), (false, "train.seed"));
        assert_eq!(other.parted, Some(Parting { step: 2, losses: [4.0, 4.5] }));
    }
}
