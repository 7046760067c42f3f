//! Runs as tasks of SLURM: one array job for what the plan misses, and a small job after it that goes on from there.
//!
//! Tasks write nothing but the folders of their runs and one file each for their records, so that nothing depends on locks,
//! which shared file systems may not have; a task whose run is done already does nothing. What waits and what runs is
//! asked of SLURM.

mod batch;
mod queue;
mod script;
mod task;
mod words;

pub use task::{TaskEnd, task};

use super::{Retries, child::Worker, child::failed};
use crate::{
    device::DeviceName,
    experiment::{Job, Record, Store},
    ops,
    settings::{Error, Result},
};
use batch::{Batch, Task};
use script::{Script, Tasks};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How to use SLURM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlurmOptions {
    /// Options for `sbatch`, as a shell would read them: `--partition=x --time=4:00:00 --gres=gpu:1`.
    pub arguments: String,
    /// Options for the job that goes on afterwards, which needs no GPU; those of the runs if there are none.
    pub controller_arguments: Option<String>,
    /// Seconds before its end at which a run is told to write its checkpoint.
    pub notice: u32,
    /// Stay until everything is answered, instead of leaving that to a job.
    pub wait: bool,
    /// This command, for the job that goes on afterwards.
    pub command: Vec<String>,
    /// Whether this is that job: attempts are counted from the command that a person gave.
    pub continued: bool,
}

/// What was handed over to SLURM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Runs that wait or train.
    pub waiting: Vec<Job>,
    /// Numbers of their array jobs.
    pub jobs: Vec<String>,
    /// Number of the job that goes on afterwards.
    pub controller: Option<String>,
}

/// How long a record may take to be seen from another machine.
const LATE: Duration = Duration::from_secs(3);

/// The retries of the command that a person gave; none if there was no batch.
///
/// # Errors
///
/// A damaged batch.
pub fn retries(folder: &Path) -> Result<Option<Retries>> {
    Ok(Batch::all(folder)?.pop().map(|batch| batch.retries))
}

/// What is handed over with every batch.
pub struct Submission<'a> {
    /// Name of the experiment.
    pub name: &'a str,
    /// The program: this one.
    pub program: &'a Path,
    /// Device of every task.
    pub device: &'a DeviceName,
    /// Tasks at a time.
    pub most: Option<usize>,
    /// How long a run may be silent.
    pub patience: Option<Duration>,
    /// Which runs are tried again.
    pub retries: &'a Retries,
    /// How to use SLURM.
    pub options: &'a SlurmOptions,
}

impl Submission<'_> {
    /// Submits jobs whose folders are ready.
    ///
    /// # Errors
    ///
    /// Wrong options, an unwritable folder, a SLURM that does not take them.
    pub fn submit(&self, store: &Store, jobs: Vec<Job>) -> Result<()> {
        let read = |line: &str| {
            words::split(line).ok_or_else(|| Error::input("--slurm-args", format!("a quote is not closed in {line}"), "close it"))
        };
        let options = read(&self.options.arguments)?;
        let controller_options = self.options.controller_arguments.as_deref().map_or_else(|| Ok(options.clone()), read)?;
        let records = store.records()?;
        let root = absolute(store.folder())?;
        let directory = std::env::current_dir().map_err(Error::io("find", "the current folder"))?;
        let folder = Batch::folder(&root)?;
        let script = Script { name: self.name, directory: &directory, folder: &folder };
        let tasks = Tasks {
            count: jobs.len(),
            most: self.most,
            notice: self.options.notice,
            program: self.program,
            ops: ops::chosen().to_string(),
        };
        let text = script.tasks(&tasks)?;
        let mut batch = Batch {
            job: None,
            controller: None,
            tasks: jobs.into_iter().map(|job| Task::new(job, &records)).collect(),
            device: self.device.to_string(),
            patience: self.patience.map(|patience| patience.as_secs()),
            retries: self.retries.clone(),
        };
        batch.write(&folder)?;
        let job = queue::submit(&options, &write(&folder, "array.sh", &text)?)?;
        batch.job = Some(job.clone());
        batch.write(&folder)?;
        if !self.options.wait {
            let text = script.controller(&job, &self.options.command)?;
            batch.controller = Some(queue::submit(&controller_options, &write(&folder, "controller.sh", &text)?)?);
            batch.write(&folder)?;
        }
        Ok(())
    }
}

/// What SLURM still has, as far as it has no records: every run's state by the folder of the run, and the jobs.
///
/// # Errors
///
/// Damaged files; a SLURM that does not answer, if there is something to ask.
pub fn waiting(folder: &Path, records: &[Record]) -> Result<(BTreeMap<String, String>, Submitted)> {
    let (open, queue) = open(folder, || Ok(records.to_vec()))?;
    let mut states = BTreeMap::new();
    let mut submitted = Submitted { waiting: vec![], jobs: vec![], controller: None };
    for (batch, index, job) in &open {
        if let Some(state) = queue.get(&(number(batch), *index)) {
            states.insert(job.folder.clone(), state.clone());
            submitted.waiting.push(job.clone());
            submitted.controller.clone_from(&batch.controller);
            if submitted.jobs.last() != batch.job.as_ref() {
                submitted.jobs.extend(batch.job.clone());
            }
        }
    }
    Ok((states, submitted))
}

/// Collects records, and makes those of tasks that ended without one; answers with the new ones.
///
/// # Errors
///
/// Damaged files, a SLURM that does not answer.
pub fn settle(store: &Store) -> Result<Vec<(Job, Record)>> {
    let mut new = store.collect()?;
    for patient in [true, false] {
        let (open, queue) = open(store.folder(), || {
            new.extend(store.collect()?);
            store.records()
        })?;
        let lost: Vec<_> = open.iter().filter(|(batch, index, _)| !queue.contains_key(&(number(batch), *index))).collect();
        if lost.is_empty() {
            break;
        }
        if patient {
            thread::sleep(LATE);
            continue;
        }
        for (batch, index, job) in lost {
            let device: DeviceName = batch.device.parse()?;
            let worker = Worker { program: Path::new(""), device: &device, threads: None, patience: None };
            let why = queue::fate(&number(batch), *index);
            new.push(store.append(failed(job, why, &worker, 0.0))?);
        }
    }
    Ok(new.into_iter().map(|record| (record.job(), record)).collect())
}

type Open = Vec<(Batch, usize, Job)>;

/// The tasks without a record, with their index and batch, and the queue if there are such. `records` is called again after
/// the queue was read: a task that had left it by then has written its record before.
fn open(folder: &Path, mut records: impl FnMut() -> Result<Vec<Record>>) -> Result<(Open, queue::Queue)> {
    let batches = Batch::all(folder)?;
    let of = |records: Vec<Record>| -> Open {
        let mut seen = BTreeSet::new();
        let mut open = Vec::new();
        // Of several tasks for one run the last one counts.
        for batch in batches.iter().rev() {
            for (index, task) in batch.tasks.iter().enumerate() {
                if seen.insert((&task.job.folder, &task.job.id)) && !task.ended(&records) {
                    open.push((batch.clone(), index, task.job.clone()));
                }
            }
        }
        open.reverse();
        open
    };
    if of(records()?).is_empty() {
        return Ok((vec![], queue::Queue::new()));
    }
    let queue = queue::queue()?;
    Ok((of(records()?), queue))
}

fn number(batch: &Batch) -> String {
    batch.job.clone().unwrap_or_default()
}

fn write(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(Error::io("write", &path))?;
    Ok(path.display().to_string())
}

/// The folder as other machines name it.
fn absolute(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().map_err(Error::io("find", folder))
}
