//! The runs in a folder: of an experiment those that its plan asks for, or the one whose folder it is.

use super::{parameters::Parameters, run::Run};
use crate::{
    experiment::{Job, PlanFile, Record, RunLock, Stage, Store, status},
    settings::{Error, Result},
    train::Outcome,
};
use serde_json::Value;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// The runs in a folder.
pub struct Source {
    /// The experiment's name; that of the folder for a run on its own.
    pub name: String,
    /// Runs that have begun, in the order of the plan.
    pub runs: Vec<Begun>,
    /// Whether some run goes on.
    pub goes_on: bool,
    parameters: Parameters,
}

/// A run that has begun.
pub struct Begun {
    /// What it is in the experiment; of a run on its own, the arm is the folder's name.
    pub job: Job,
    /// Its folder.
    pub folder: PathBuf,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
}

impl Source {
    /// Looks into the folder of an experiment or of a run.
    ///
    /// # Errors
    ///
    /// A folder of neither, damaged files.
    pub fn open(folder: &Path) -> Result<Self> {
        if folder.join("plan.json").is_file() {
            Self::experiment(folder)
        } else if folder.join("spec.toml").is_file() {
            Self::run(folder)
        } else {
            let help = "name what `ablate run` or `ablate train` wrote, e.g. runs/quickstart";
            Err(Error::input(folder.display(), "is no folder of an experiment or of a run: it has no plan.json and no spec.toml", help))
        }
    }

    fn experiment(folder: &Path) -> Result<Self> {
        let store = Store::open(folder)?;
        let PlanFile { current: plan, .. } = store.written_plan()?;
        let records = store.records()?;
        // Of several records of a run the last counts.
        let last: HashMap<(&str, &str), &Record> =
            records.iter().map(|record| ((record.folder.as_str(), record.result.id.as_str()), record)).collect();
        let begun = |job: Job| {
            let run = folder.join(&job.folder);
            let id = fs::read_to_string(run.join("spec.id")).ok()?;
            let outcome = last.get(&(job.folder.as_str(), job.id.as_str())).map(|record| record.result.outcome);
            (id == job.id).then_some(Begun { job, folder: run, outcome })
        };
        let runs = plan.jobs(&records).into_iter().filter_map(begun).collect();
        Ok(Self { name: plan.name.clone(), runs, goes_on: status(folder)?.goes_on(), parameters: Parameters::of(&plan) })
    }

    fn run(folder: &Path) -> Result<Self> {
        let whole = folder.canonicalize().map_err(Error::io("read", folder))?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let result = fs::read(folder.join("result.json")).ok();
        let outcome = result.and_then(|text| {
            let result: Value = serde_json::from_slice(&text).ok()?;
            serde_json::from_value(result.get("outcome")?.clone()).ok()
        });
        let seed = super::parameters::seed(folder)?;
        let job = Job { arm: name.clone(), seed, stage: Stage::Compare, id: String::new(), folder: String::new() };
        let goes_on = outcome.is_none() && RunLock::is_held(folder);
        Ok(Self { name, runs: vec![Begun { job, folder: folder.into(), outcome }], goes_on, parameters: Parameters::All })
    }

    /// Reads the runs one after the other, and hands each on.
    ///
    /// # Errors
    ///
    /// Unreadable files, and what `take` says.
    pub fn each(&self, mut take: impl FnMut(&Run) -> Result<()>) -> Result<()> {
        self.runs.iter().try_for_each(|begun| take(&Run::read(begun, &self.parameters)?))
    }
}
