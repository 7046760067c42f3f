//! Batches: the runs of one array job, in a folder of their own under `.slurm/`.

use super::super::Retries;
use crate::{
    experiment::{Job, Record, files::replace, record::attempts},
    settings::{Error, Result},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder of all batches in that of an experiment.
const FOLDER: &str = ".slurm";
const FILE: &str = "batch.json";

/// The runs of one array job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Number of the array job; none if it was not submitted.
    pub job: Option<String>,
    /// Number of the job that goes on afterwards, if there is one.
    pub controller: Option<String>,
    /// The runs, by the index of their task.
    pub tasks: Vec<Task>,
    /// Device.
    pub device: String,
    /// Seconds that a run may be silent.
    pub patience: Option<u64>,
    /// Which runs are tried again.
    pub retries: Retries,
}

/// One run of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The run.
    #[serde(flatten)]
    pub job: Job,
    /// Attempts before this one.
    pub attempts: u32,
}

impl Task {
    /// A task for a job, by the records so far.
    pub fn new(job: Job, records: &[Record]) -> Self {
        let attempts = attempts(&job, records);
        Self { job, attempts }
    }

    /// Whether the attempt has its record.
    pub fn ended(&self, records: &[Record]) -> bool {
        attempts(&self.job, records) > self.attempts
    }
}

impl Batch {
    /// Reads the batch in its folder.
    ///
    /// # Errors
    ///
    /// An unreadable or damaged file.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| {
            Error::input(path.display(), format!("is no batch of runs: {error}"), "remove its folder: what its runs left in theirs is kept")
        })
    }

    /// Writes it into its folder.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).expect("a batch is plain data");
        replace(&folder.join(FILE), text.as_bytes())
    }

    /// Makes the folder of a new batch in that of an experiment.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn folder(experiment: &Path) -> Result<PathBuf> {
        let all = experiment.join(FOLDER);
        let folder = (0..).map(|n| all.join(n.to_string())).find(|path| !path.exists()).expect("some number is free");
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        Ok(folder)
    }

    /// All batches of an experiment that were submitted, the oldest first.
    ///
    /// # Errors
    ///
    /// As [`Batch::read`].
    pub fn all(experiment: &Path) -> Result<Vec<Self>> {
        let entries = fs::read_dir(experiment.join(FOLDER)).into_iter().flatten().flatten();
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = entries.filter_map(number).collect();
        numbers.sort_unstable();
        let folders = numbers.iter().map(|number| experiment.join(FOLDER).join(number.to_string()));
        let batches: Result<Vec<Self>> = folders.filter(|folder| folder.join(FILE).exists()).map(|folder| Self::read(&folder)).collect();
        Ok(batches?.into_iter().filter(|batch| batch.job.is_some()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::plan::{missing, tests as example};
    use crate::train::Outcome;

    #[test]
    fn batches_come_back_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Batch::all(folder.path()).unwrap().is_empty());
        let record = example::record("base", 0, Outcome::Failed, 0.0);
        let jobs = missing(&example::plan(&[], 2), &[], &[]);
        let tasks: Vec<Task> = jobs.into_iter().map(|job| Task::new(job, std::slice::from_ref(&record))).collect();
        assert_eq!(tasks.iter().map(|task| task.attempts).collect::<Vec<_>>(), [1, 0]);
        assert!(!tasks[0].ended(std::slice::from_ref(&record)));
        let again = Record { attempt: 2, ..record.clone() };
        assert!(tasks[0].ended(&[record, again]));
        let batch = Batch { job: None, controller: None, tasks, device: "flex".into(), patience: None, retries: Retries::new(1, &[]) };
        for n in 0..12 {
            let job = (n != 3).then(|| n.to_string());
            Batch { job, ..batch.clone() }.write(&Batch::folder(folder.path()).unwrap()).unwrap();
        }
        let jobs: Vec<String> = Batch::all(folder.path()).unwrap().into_iter().filter_map(|batch| batch.job).collect();
        assert_eq!(jobs, ["0", "1", "2", "4", "5", "6", "7", "8", "9", "10", "11"]);
    }
}
