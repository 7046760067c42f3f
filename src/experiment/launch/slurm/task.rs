//! One task of an array job: one run, in a child that is watched as any other.

use super::{batch::Batch, queue};
use crate::{
    device::DeviceName,
    experiment::{
        Job, Record, Store,
        inbox::Inbox,
        launch::{Launch, Signal, interrupt, local},
    },
    settings::{Error, Result},
    train::Outcome,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How a task ended.
#[derive(Debug)]
pub enum TaskEnd {
    /// Its run finished.
    Finished,
    /// Its run diverged or failed.
    Lost,
    /// It was told to end, and its run has written its checkpoint. It waits for its turn again if it was to end for want of
    /// time or place; with an error if SLURM did not take it back. Who cancels it wants it to end.
    Stopped(Option<Error>),
}

/// Trains the run of a task, and leaves its record for whoever collects.
///
/// # Errors
///
/// Wrong input; a record that cannot be written.
pub fn task(folder: &Path, index: usize, program: PathBuf) -> Result<TaskEnd> {
    let batch = Batch::read(folder)?;
    let no_task = || Error::input(folder.display(), format!("there is no task {index}"), "SLURM starts tasks; `ablate run` submits them");
    let job = batch.tasks.get(index).ok_or_else(no_task)?.job.clone();
    // The experiment's folder holds `.slurm`, which holds the batch.
    let experiment = folder.ancestors().nth(2).ok_or_else(no_task)?;
    if let Some(record) = done(experiment, &job)? {
        return Ok(end(&record));
    }
    interrupt::install_for_scheduler()?;
    let device: DeviceName = batch.device.parse()?;
    let launch = Launch {
        program: &program,
        root: experiment,
        slots: vec![device],
        patience: batch.patience.map(Duration::from_secs),
        bytes: &|_, _| 0,
    };
    let mut record = None;
    let mut news = |signal: Signal| match signal {
        Signal::Ended(_, ended) => {
            record = *ended;
            Ok(())
        }
        Signal::Broken(error) => Err(error),
        Signal::Waiting(_) | Signal::Started(_) | Signal::Tick(..) => Ok(()),
    };
    local(&launch, vec![job.clone()], &|job| Ok(experiment.join(&job.folder)), &mut news)?;
    match record {
        Some(record) => {
            Inbox::new(experiment).put(&record)?;
            Ok(end(&record))
        }
        None => Ok(again()),
    }
}

/// The record of a run that is done: the task was queued again after its end, for a reason of SLURM's.
fn done(experiment: &Path, job: &Job) -> Result<Option<Record>> {
    let records = Store::open(experiment)?.records()?;
    let ended = |record: &Record| record.result.outcome.is_final();
    Ok(records.into_iter().rfind(|record| record.of(job) && ended(record)))
}

fn end(record: &Record) -> TaskEnd {
    if record.result.outcome == Outcome::Finished { TaskEnd::Finished } else { TaskEnd::Lost }
}

/// Puts this task back into the queue, if its end was announced: otherwise SLURM has done that by itself, or it was cancelled.
fn again() -> TaskEnd {
    if !interrupt::noticed() {
        return TaskEnd::Stopped(None);
    }
    let number = |name: &str| std::env::var(name).unwrap_or_default();
    let task = format!("{}_{}", number("SLURM_ARRAY_JOB_ID"), number("SLURM_ARRAY_TASK_ID"));
    TaskEnd::Stopped(queue::requeue(&task).err())
}
