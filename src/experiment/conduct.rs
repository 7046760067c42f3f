//! An experiment from plan to answer.

use super::{
    Experiment, Job, Plan, PlanFile, Record, Store, Summary,
    launch::{Launch, Signal, default_jobs, local},
    plan::missing,
    verdict::summary,
};
use crate::{
    data::{Dataset, cache_folder},
    device::DeviceName,
    settings::{Error, Result},
    train::{Tick, calibration},
};
use std::path::{Path, PathBuf};

/// How to conduct an experiment.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Folder of the results.
    pub out: PathBuf,
    /// Device.
    pub device: DeviceName,
    /// Runs at a time; none: up to four on the CPU, one elsewhere.
    pub jobs: Option<usize>,
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
    /// A run ended.
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
    how.device.open()?;
    let store = Store::create(&how.out)?;
    let records = store.records()?;
    let plan = Plan::new(experiment, &how.device, calibration::read(&how.device).as_ref(), &records);
    let jobs = missing(&plan, &records, &experiment.overrides.only);
    let before = store.plan()?;
    if !jobs.is_empty()
        && let Err(error) = prepare_data(experiment, tell)
    {
        if before.is_none() && records.is_empty() {
            store.discard();
        }
        return Err(error);
    }
    let file = PlanFile::update(before, plan, !records.is_empty());
    store.write_plan(&file)?;
    let slots = how.jobs.unwrap_or_else(|| default_jobs(&how.device)).clamp(1, jobs.len().max(1));
    tell(Event::Missing(&file.current, &jobs, slots));

    let prepare = |job: &Job| {
        let planned = file.current.arm(&job.arm);
        let spec = planned.and_then(|planned| experiment.run(job, planned)).expect("jobs come from the plan of the experiment");
        let text = toml::to_string(&spec)
            .map_err(|error| Error::input(&job.arm, format!("cannot be written as TOML: {error}"), "use smaller numbers"))?;
        store.prepare_run(&job.folder, &job.id, &text)
    };
    let launch = Launch { program: &how.program, device: &how.device, jobs: slots };
    let mut news = |signal: Signal| -> Result<()> {
        match signal {
            Signal::Started(job) => tell(Event::Started(&job)),
            Signal::Tick(job, tick) => tell(Event::Tick(&job, &tick)),
            Signal::Ended(job, record) => match *record {
                Some(record) => {
                    store.append(&record)?;
                    tell(Event::Ended(&job, &record));
                }
                None => tell(Event::Interrupted(&job)),
            },
            Signal::Broken(error) => return Err(error),
        }
        Ok(())
    };
    let interrupted = local(&launch, jobs, &prepare, &mut news)?;
    let records = store.records()?;
    let left = missing(&file.current, &records, &experiment.overrides.only).len();
    if interrupted && left > 0 {
        let runs = if left == 1 { "1 run is".to_string() } else { format!("{left} runs are") };
        return Err(Error::Interrupted(format!("{runs} left; the same command continues")));
    }
    Ok(summary(&file, &records))
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

/// Tokenises every distinct corpus once, so that the runs only open it, and checks that it holds a sequence.
fn prepare_data(experiment: &Experiment, tell: &mut dyn FnMut(Event)) -> Result<()> {
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
