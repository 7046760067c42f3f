//! The runs in the folder of an experiment, or the one in the folder of a run.

use super::lines::{self, Logged};
use crate::{
    experiment::{Job, Record, Stage, Store},
    settings::{Error, Result},
    train::Outcome,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Runs with what is known of them.
#[derive(Debug)]
pub struct Source {
    /// Runs that have begun, in the order of the plan.
    pub runs: Vec<Run>,
    /// Whether a run has not ended, or not begun.
    pub goes_on: bool,
}

/// A run and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Name of the experiment; empty for a run of its own.
    pub experiment: String,
    /// Arm; the folder's name for a run of its own.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// What the run is for: `compare`, `tune` or `time`.
    pub stage: &'static str,
    /// Name that no other run of the experiment has: its folder in it, e.g. `rms/seed-0`.
    pub name: String,
    /// Folder.
    pub folder: PathBuf,
    /// Hash of its specification.
    pub id: String,
    /// Its resolved specification by dotted key; lists are leaves.
    pub settings: BTreeMap<String, Value>,
    /// Keys in which the arms of the experiment differ; all keys for a run of its own.
    pub compared: BTreeSet<String>,
    /// How it ended; none while it has not, or has failed and can be tried again.
    pub end: Option<Outcome>,
}

impl Run {
    /// What it has logged.
    pub fn logged(&self) -> Result<Logged> {
        lines::read(&self.folder)
    }
}

impl Source {
    /// Reads what is in a folder.
    ///
    /// # Errors
    ///
    /// A folder of neither an experiment nor a run, damaged files.
    pub fn open(folder: &Path) -> Result<Self> {
        if folder.join("plan.json").is_file() {
            return experiment(folder, None);
        }
        if !folder.join("spec.toml").is_file() {
            return Err(Error::input(
                folder.display(),
                "is the folder neither of an experiment (it has no plan.json) nor of a run (it has no spec.toml)",
                "name a folder that `ablate run` or `ablate train` wrote, e.g. runs/quickstart or runs/quickstart/base/seed-0",
            ));
        }
        let whole = fs::canonicalize(folder).map_err(Error::io("read", folder))?;
        for outer in whole.ancestors().skip(1).filter(|outer| outer.join("plan.json").is_file()) {
            let found = experiment(outer, Some(&whole))?;
            if !found.runs.is_empty() {
                return Ok(found);
            }
        }
        let run = alone(folder, &whole)?;
        Ok(Self { goes_on: run.end.is_none(), runs: vec![run] })
    }
}

/// The runs of an experiment, or the one of them that is in the folder `only`.
fn experiment(folder: &Path, only: Option<&Path>) -> Result<Source> {
    let store = Store::open(folder)?;
    let Some(file) = store.plan()? else { return Ok(Source { runs: vec![], goes_on: true }) };
    let records = store.records()?;
    let plan = file.current;
    let compared: BTreeSet<String> = plan.arms.iter().flat_map(|arm| &arm.differences).map(|change| change.key.clone()).collect();
    let (mut runs, mut goes_on) = (Vec::new(), false);
    for job in plan.jobs(&records) {
        let path = folder.join(&job.folder);
        if only.is_some_and(|only| *only != path) {
            continue;
        }
        let end = records.iter().rfind(|record: &&Record| record.of(&job)).and_then(|record| over(record.result.outcome));
        goes_on |= end.is_none();
        // What another specification has left there is no run of this plan.
        if path.join("metrics.jsonl").is_file() && fs::read_to_string(path.join("spec.id")).is_ok_and(|id| id == job.id) {
            runs.push(placed(&plan.name, job, path, compared.clone(), end)?);
        }
    }
    Ok(Source { runs, goes_on })
}

fn placed(experiment: &str, job: Job, folder: PathBuf, compared: BTreeSet<String>, end: Option<Outcome>) -> Result<Run> {
    let stage = match job.stage {
        Stage::Compare => "compare",
        Stage::Tune { .. } => "tune",
        Stage::Time => "time",
    };
    let settings = settings(&folder)?;
    let Job { arm, seed, id, folder: name, .. } = job;
    Ok(Run { experiment: experiment.into(), arm, seed, stage, name, folder, id, settings, compared, end })
}

/// A run that belongs to no experiment.
fn alone(folder: &Path, whole: &Path) -> Result<Run> {
    let settings = settings(folder)?;
    let name = whole.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    let result: Option<Value> = fs::read(folder.join("result.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let outcome = result.as_ref().and_then(|result| serde_json::from_value(result["outcome"].clone()).ok());
    let path = folder.join("spec.toml");
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let spec: crate::train::RunSpec = toml::from_str(&text).map_err(|error| no_spec(&path, &error))?;
    Ok(Run {
        experiment: String::new(),
        arm: name.clone(),
        seed: spec.train.seed,
        stage: "compare",
        name,
        folder: folder.into(),
        id: spec.id(),
        compared: settings.keys().cloned().collect(),
        settings,
        end: outcome.and_then(over),
    })
}

/// An outcome after which nothing is logged any more.
fn over(outcome: Outcome) -> Option<Outcome> {
    matches!(outcome, Outcome::Finished | Outcome::Diverged).then_some(outcome)
}

/// The leaves of `spec.toml`.
fn settings(run: &Path) -> Result<BTreeMap<String, Value>> {
    fn walk(prefix: &str, fields: Map<String, Value>, leaves: &mut BTreeMap<String, Value>) {
        for (name, value) in fields {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Object(fields) => walk(&key, fields, leaves),
                leaf => drop(leaves.insert(key, leaf)),
            }
        }
    }
    let path = run.join("spec.toml");
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let fields: Map<String, Value> = toml::from_str(&text).map_err(|error| no_spec(&path, &error))?;
    let mut leaves = BTreeMap::new();
    walk("", fields, &mut leaves);
    Ok(leaves)
}

fn no_spec(path: &Path, error: &toml::de::Error) -> Error {
    Error::input(path.display(), format!("is no resolved run: {error}"), "restore it, or train the run again")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::{
        experiment::{Difference, PlanFile, example},
        train::RunConfig,
    };

    /// A folder with a run of its own that has logged `lines`; its name.
    pub fn run(folder: &Path, seed: u64, metrics: &str) -> PathBuf {
        let run = folder.join("my run");
        fs::create_dir_all(&run).unwrap();
        let mut spec = RunConfig::default().resolve().unwrap();
        spec.train.seed = seed;
        fs::write(run.join("spec.toml"), toml::to_string(&spec).unwrap()).unwrap();
        fs::write(run.join("metrics.jsonl"), metrics).unwrap();
        run
    }

    #[test]
    fn a_run_of_its_own_has_its_name_and_all_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Source::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("plan.json") && refused.contains("help"), "{refused}");
        let path = run(folder.path(), 7, "");
        let source = Source::open(&path).unwrap();
        let [found] = &source.runs[..] else { panic!("{source:?}") };
        assert_eq!((found.experiment.as_str(), found.arm.as_str(), found.seed), ("", "my run", 7));
        assert_eq!(found.settings["train.seed"], 7);
        assert!(found.settings["model.norm.kind"].is_string() && source.goes_on && found.end.is_none());
        fs::write(path.join("result.json"), "{\"outcome\":\"finished\"}").unwrap();
        let source = Source::open(&path).unwrap();
        assert_eq!((source.runs[0].end, source.goes_on), (Some(Outcome::Finished), false));
        fs::write(path.join("spec.toml"), "x = [").unwrap();
        assert!(Source::open(&path).unwrap_err().to_string().contains("spec.toml"));
    }

    /// The folder of an experiment with the arms `base` and `a` over two seeds, of which three have begun.
    fn experiment(folder: &Path) -> Store {
        let store = Store::create(folder).unwrap();
        let mut plan = example::plan(&["a"], 2);
        let change = Difference { key: "model.norm.kind".into(), base: None, arm: None, origin: String::new() };
        plan.arms[1].differences.push(change);
        store.write_plan(&PlanFile::update(None, plan, false)).unwrap();
        store.append(example::record("base", 0, Outcome::Finished, 2.0)).unwrap();
        store.append(example::record("a", 0, Outcome::Failed, 2.0)).unwrap();
        let spec = toml::to_string(&RunConfig::default().resolve().unwrap()).unwrap();
        for (name, id) in [("base/seed-0", "base-0"), ("a/seed-0", "a-0"), ("base/seed-1", "base-1"), ("a/seed-1", "of another plan")] {
            let run = store.prepare_run(name, id, &spec).unwrap();
            fs::write(run.join("metrics.jsonl"), "{\"step\":1,\"loss\":2.0}\n").unwrap();
        }
        store
    }

    #[test]
    fn an_experiment_has_the_runs_of_its_plan_and_each_of_them_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let store = experiment(folder.path());
        let source = Source::open(folder.path()).unwrap();
        let found: Vec<_> = source.runs.iter().map(|run| (run.name.as_str(), run.arm.as_str(), run.seed, run.end)).collect();
        let finished = Some(Outcome::Finished);
        assert_eq!(found, [("base/seed-0", "base", 0, finished), ("a/seed-0", "a", 0, None), ("base/seed-1", "base", 1, None)]);
        assert!(source.goes_on && source.runs[0].compared.iter().eq(["model.norm.kind"]));
        let one = Source::open(&folder.path().join("base/seed-0")).unwrap();
        assert_eq!((one.runs.len(), one.runs[0].name.as_str(), one.goes_on), (1, "base/seed-0", false));
        assert_eq!(one.runs[0].experiment, "test");
        for (arm, seed) in [("a", 0), ("base", 1), ("a", 1)] {
            store.append(example::record(arm, seed, Outcome::Finished, 2.0)).unwrap();
        }
        assert!(!Source::open(folder.path()).unwrap().goes_on);
    }
}
