//! An experiment from plan to answer.

use super::{
    Cause, Experiment, Job, Plan, PlanFile, Record, Store, Summary,
    launch::{Launch, Retries, Signal, default_jobs, expected, local, set_checkpoint_aside},
    plan::missing,
    verdict::summary,
};
use crate::{
    data::{Dataset, cache_folder},
    device::{DeviceName, Devices},
    settings::{Error, Result},
    train::{RunSpec, Tick, calibration},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How to conduct an experiment.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Folder of the results.
    pub out: PathBuf,
    /// Devices; runs are spread over them.
    pub devices: Devices,
    /// Runs at a time on each device; none: up to four on the CPU, one elsewhere.
    pub jobs: Option<usize>,
    /// Further attempts at a run that failed for a cause that may pass.
    pub retries: u32,
    /// How long a run may give no sign of life; none: as its pace suggests.
    pub patience: Option<Duration>,
    /// The program whose `worker` verb trains a run: this one.
    pub program: PathBuf,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Event<'a> {
    /// The data is being prepared: a phase, how far it is, and the whole.
    Preparing(&'a str, u64, u64),
    /// These runs are missing and will be trained, so many at a time.
    Missing(&'a Plan, &'a [Job], usize),
    /// A run starts.
    Started(&'a Job),
    /// A run is alive.
    Tick(&'a Job, &'a Tick),
    /// An attempt at a run ended; what failed for a cause that may pass is missing again, as often as retries are left.
    Ended(&'a Job, &'a Record),
    /// A run was interrupted and can be continued.
    Interrupted(&'a Job),
}

/// Where the results of an experiment go by default.
pub fn default_folder(experiment: &Experiment) -> PathBuf {
    Path::new("runs").join(&experiment.config.name)
}

/// Trains what is missing and answers the question.
///
/// # Errors
///
/// Wrong input (data, device, folder), found before anything trains; [`Error::Interrupted`] after a clean stop. A run
/// that fails or diverges is part of the answer.
pub fn conduct(experiment: &Experiment, how: &Conduct, tell: &mut dyn FnMut(Event)) -> Result<Summary> {
    how.devices.iter().try_for_each(|device| device.open().map(drop))?;
    let store = Store::create(&how.out)?;
    store.collect()?;
    let retries = Retries::new(how.retries, &store.records()?);
    let mut ready = false;
    loop {
        let (file, jobs) = ask(experiment, how, &store, &retries)?;
        if jobs.is_empty() && ready {
            return Ok(summary(&file, &store.records()?));
        }
        if !jobs.is_empty() && !ready {
            prepare_data(experiment, &store, tell)?;
        }
        store.write_plan(&file)?;
        let slots = slots(how, jobs.len());
        tell(Event::Missing(&file.current, &jobs, slots.len()));
        ready = true;
        if run_here(experiment, how, &store, &file.current, jobs, slots, tell)? {
            let left = ask(experiment, how, &store, &retries)?.1.len();
            let runs = if left == 1 { "1 run is".to_string() } else { format!("{left} runs are") };
            if left > 0 {
                return Err(Error::Interrupted(format!("{runs} left; the same command continues")));
            }
        }
    }
}

/// The plan by the records so far, and the runs that it misses and that are worth an attempt.
fn ask(experiment: &Experiment, how: &Conduct, store: &Store, retries: &Retries) -> Result<(PlanFile, Vec<Job>)> {
    let records = store.records()?;
    let device = how.devices.first();
    let plan = Plan::new(experiment, device, calibration::read(device).as_ref());
    let mut jobs = missing(&plan, &records, &experiment.overrides.only);
    jobs.retain(|job| !retries.exhausted(job, &records));
    Ok((PlanFile::update(store.plan()?, plan, !records.is_empty()), jobs))
}

/// The device of each run that may go on at a time: first one on each device, then a second one.
fn slots(how: &Conduct, jobs: usize) -> Vec<DeviceName> {
    let each = how.jobs.unwrap_or_else(|| default_jobs(how.devices.first()));
    let all = (0..each).flat_map(|_| how.devices.iter().cloned());
    all.take(jobs.max(1)).collect()
}

/// Trains jobs as children of this process; answers whether it was interrupted.
fn run_here(
    experiment: &Experiment,
    how: &Conduct,
    store: &Store,
    plan: &Plan,
    jobs: Vec<Job>,
    slots: Vec<DeviceName>,
    tell: &mut dyn FnMut(Event),
) -> Result<bool> {
    let bytes = |job: &Job, device: &DeviceName| plan.arms.iter().find(|arm| arm.name == job.arm).map_or(0, |arm| expected(arm, device));
    let launch = Launch { program: &how.program, slots, patience: how.patience, bytes: &bytes };
    let mut news = |signal: Signal| -> Result<()> {
        match signal {
            Signal::Started(job) => tell(Event::Started(&job)),
            Signal::Tick(job, tick) => tell(Event::Tick(&job, &tick)),
            Signal::Ended(job, record) => match *record {
                Some(record) => {
                    let record = store.append(record)?;
                    tell(Event::Ended(&job, &record));
                    after(store, &record)?;
                }
                None => tell(Event::Interrupted(&job)),
            },
            Signal::Broken(error) => return Err(error),
        }
        Ok(())
    };
    local(&launch, jobs, &|job| prepare(experiment, store, job), &mut news)
}

/// Makes the folder of a job ready.
fn prepare(experiment: &Experiment, store: &Store, job: &Job) -> Result<PathBuf> {
    let spec = spec_of(experiment, job);
    let text = toml::to_string(&spec)
        .map_err(|error| Error::input(&job.arm, format!("cannot be written as TOML: {error}"), "use smaller numbers"))?;
    store.prepare_run(&job.folder, &job.id, &text)
}

/// What the end of an attempt asks for before the next one.
///
/// # Errors
///
/// A disk that takes no more: every other run would fail for the same reason.
fn after(store: &Store, record: &Record) -> Result<()> {
    match record.cause {
        Some(Cause::Checkpoint) => set_checkpoint_aside(&store.folder().join(&record.folder)),
        Some(Cause::Disk) => Err(Error::input(
            store.folder().join(&record.folder).display(),
            record.result.reason.clone().unwrap_or_default(),
            "free space or mend permissions; what ended is kept, and the same command continues",
        )),
        _ => Ok(()),
    }
}

/// The answer from the files of an experiment alone.
///
/// # Errors
///
/// A folder without a plan, damaged files.
pub fn summarise(folder: &Path) -> Result<Summary> {
    let store = Store::open(folder)?;
    let missing_plan = || Error::input(folder.display(), "has no plan.json", "name the folder that `ablate run` wrote");
    let file = store.plan()?.ok_or_else(missing_plan)?;
    Ok(summary(&file, &store.records()?))
}

fn spec_of(experiment: &Experiment, job: &Job) -> RunSpec {
    let arm = experiment.arms.iter().find(|arm| arm.name == job.arm).expect("jobs come from the arms of the experiment");
    arm.run(job.seed)
}

/// Prepares the data; where that fails before there is anything, the folder goes as it came.
fn prepare_data(experiment: &Experiment, store: &Store, tell: &mut dyn FnMut(Event)) -> Result<()> {
    let nothing = store.plan()?.is_none() && store.records()?.is_empty();
    tokenise(experiment, tell).inspect_err(|_| {
        if nothing {
            store.discard();
        }
    })
}

/// Tokenises every distinct corpus once, so that the runs only open it, and checks that it holds a sequence.
fn tokenise(experiment: &Experiment, tell: &mut dyn FnMut(Event)) -> Result<()> {
    let tell = std::cell::RefCell::new(tell);
    let mut ready: Vec<(&crate::data::DataSpec, Dataset)> = Vec::new();
    for arm in &experiment.arms {
        let spec = &arm.spec;
        let index = match ready.iter().position(|(data, _)| **data == spec.data) {
            Some(index) => index,
            None => {
                let progress = |phase: &str, done: u64, whole: u64| (tell.borrow_mut())(Event::Preparing(phase, done, whole));
                ready.push((&spec.data, Dataset::prepare(&spec.data, &cache_folder(), &progress)?));
                ready.len() - 1
            }
        };
        ready[index].1.require_context(spec.model.context)?;
    }
    Ok(())
}
