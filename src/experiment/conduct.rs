//! An experiment from plan to answer.

use super::{
    Cause, Experiment, Job, Plan, PlanFile, Record, Store, Summary,
    launch::{
        Launch, Launcher, Retries, Signal, SlurmOptions, Submission, Submitted, default_jobs, expected, interrupt, local,
        retries_of_batches, settle, waiting,
    },
    ledger::DISK,
    plan::missing,
    progress::progress,
    verdict::summary,
};
use crate::{
    data::{Dataset, cache_folder},
    device::{DeviceName, Devices},
    settings::{Error, Result},
    train::{Tick, calibration, checkpoint},
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
    /// Where runs train.
    pub launcher: Launcher,
    /// The program whose `worker` verb trains a run: this one.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Conducted {
    /// Nothing is missing: the answer.
    Answered(Box<Summary>),
    /// SLURM has the rest.
    Submitted(Submitted),
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Event<'a> {
    /// The data is being prepared: a phase, how far it is, and the whole.
    Preparing(&'a str, u64, u64),
    /// These runs are missing and will be trained, so many at a time.
    Missing(&'a Plan, &'a [Job], usize),
    /// A run is still trained by the worker of an earlier command, which is waited for.
    Waiting(&'a Job),
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

/// Trains what is missing and answers the question; or hands it over to SLURM.
///
/// # Errors
///
/// Wrong input (data, device, folder), found before anything trains; [`Error::Interrupted`] after a clean stop. A run
/// that fails or diverges is part of the answer.
pub fn conduct(experiment: &Experiment, how: &Conduct, tell: &mut dyn FnMut(Event)) -> Result<Conducted> {
    match &how.launcher {
        Launcher::Local => here(experiment, how, tell),
        Launcher::Slurm(options) => on_slurm(experiment, how, options, tell),
    }
}

/// Trains as children of this process: again and again what the plan misses, until it misses nothing.
fn here(experiment: &Experiment, how: &Conduct, tell: &mut dyn FnMut(Event)) -> Result<Conducted> {
    how.devices.iter().try_for_each(|device| device.open().map(drop))?;
    let store = Store::create(&how.out)?;
    store.collect()?;
    let retries = Retries::new(how.retries, &store.records()?);
    let mut ready = false;
    loop {
        let (file, jobs) = ask(experiment, how, &store, &retries)?;
        make_ready(experiment, &store, &file, &jobs, &mut ready, tell)?;
        if jobs.is_empty() {
            return Ok(Conducted::Answered(Box::new(summary(&file, &store.records()?))));
        }
        let slots = slots(how, jobs.len(), widest(experiment, &file.current, &jobs))?;
        tell(Event::Missing(&file.current, &jobs, slots.len()));
        if run_here(experiment, how, &store, &file.current, jobs, slots, tell)? {
            let left = ask(experiment, how, &store, &retries)?.1.len();
            if left > 0 {
                return Err(Error::Interrupted(format!("{} left; the same command continues", runs(left))));
            }
        }
    }
}

/// Submits what the plan misses and SLURM does not have, and either stays and goes on, or leaves that to a job of SLURM's.
fn on_slurm(experiment: &Experiment, how: &Conduct, options: &SlurmOptions, tell: &mut dyn FnMut(Event)) -> Result<Conducted> {
    let store = Store::create(&how.out)?;
    settle(&store)?.iter().try_for_each(|(_, record)| set_aside(&store, record))?;
    let kept = if options.continued { retries_of_batches(store.folder())? } else { None };
    let retries = match kept {
        Some(retries) => retries,
        None => Retries::new(how.retries, &store.records()?),
    };
    let mut ready = false;
    loop {
        // The queue first: what has left it by then has its record.
        let (states, _) = waiting(store.folder(), &store.records()?)?;
        let (file, mut jobs) = ask(experiment, how, &store, &retries)?;
        jobs.retain(|job| !states.contains_key(&job.folder));
        make_ready(experiment, &store, &file, &jobs, &mut ready, tell)?;
        if jobs.is_empty() && states.is_empty() {
            return Ok(Conducted::Answered(Box::new(summary(&file, &store.records()?))));
        }
        if !jobs.is_empty() {
            jobs.iter().try_for_each(|job| prepare(experiment, &file.current, &store, job).map(drop))?;
            let submission = Submission {
                name: &experiment.config.name,
                program: &how.program,
                device: how.devices.first(),
                most: how.jobs,
                patience: how.patience,
                retries: &retries,
                options,
            };
            submission.submit(&store, jobs.clone())?;
        }
        tell(Event::Missing(&file.current, &jobs, how.jobs.unwrap_or(jobs.len()).max(1)));
        if !options.wait {
            return Ok(Conducted::Submitted(waiting(store.folder(), &store.records()?)?.1));
        }
        follow(&store, tell)?;
    }
}

/// Tells what happens to the runs that SLURM has, until it has none of them any more.
fn follow(store: &Store, tell: &mut dyn FnMut(Event)) -> Result<()> {
    let mut started = std::collections::BTreeSet::new();
    loop {
        for (job, record) in settle(store)? {
            tell(Event::Ended(&job, &record));
            set_aside(store, &record)?;
        }
        let (states, submitted) = waiting(store.folder(), &store.records()?)?;
        if states.is_empty() {
            return Ok(());
        }
        if interrupt::asked() > 0 {
            let jobs = submitted.jobs.join(" ");
            let how = format!("`scancel {jobs}` stops them; the same command continues");
            return Err(Error::Interrupted(format!("SLURM still has {}; {how}", runs_of(submitted.waiting.len()))));
        }
        for job in submitted.waiting.iter().filter(|job| states[&job.folder].starts_with("RUNNING")) {
            if started.insert(job.folder.clone()) {
                tell(Event::Started(job));
            }
            if let Some(tick) = progress(&store.folder().join(&job.folder)).and_then(|progress| progress.tick()) {
                tell(Event::Tick(job, &tick));
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Prepares the data, if something will train on it, and writes the plan.
fn make_ready(
    experiment: &Experiment,
    store: &Store,
    file: &PlanFile,
    jobs: &[Job],
    ready: &mut bool,
    tell: &mut dyn FnMut(Event),
) -> Result<()> {
    if !jobs.is_empty() && !*ready {
        prepare_data(experiment, store, tell)?;
        *ready = true;
    }
    store.write_plan(file)
}

fn runs_of(count: usize) -> String {
    if count == 1 { "1 run".into() } else { format!("{count} runs") }
}

fn runs(left: usize) -> String {
    format!("{} {}", runs_of(left), if left == 1 { "is" } else { "are" })
}

/// The plan by the records so far, and the runs that it misses and that are worth an attempt.
fn ask(experiment: &Experiment, how: &Conduct, store: &Store, retries: &Retries) -> Result<(PlanFile, Vec<Job>)> {
    let records = store.records()?;
    let device = how.devices.first();
    let plan = Plan::new(experiment, device, calibration::read(device).as_ref(), &records);
    plan.check_time()?;
    let mut jobs = missing(&plan, &records, &experiment.overrides.only);
    jobs.retain(|job| !retries.exhausted(job, &records));
    Ok((PlanFile::update(store.plan()?, plan, !records.is_empty()), jobs))
}

/// On how many devices the run is that is on most.
fn widest(experiment: &Experiment, plan: &Plan, jobs: &[Job]) -> usize {
    let specs = jobs.iter().filter_map(|job| experiment.run(job, plan.arm(&job.arm)?));
    specs.map(|spec| spec.parallel.devices).max().unwrap_or(1)
}

/// The first device of each run that may go on at a time, of runs on up to `width` devices: first one on each, then a second one.
fn slots(how: &Conduct, jobs: usize, width: usize) -> Result<Vec<DeviceName>> {
    let slots = dealt(&how.devices, how.jobs.unwrap_or_else(|| default_jobs(how.devices.first())), jobs, width);
    if slots.is_empty() {
        let message = format!("has no {width} neighbours for a run (parallel.devices)");
        return Err(Error::input(format!("--device {}", how.devices), message, "name more, or set parallel.devices to what is there"));
    }
    Ok(slots)
}

fn dealt(devices: &Devices, each: usize, jobs: usize, width: usize) -> Vec<DeviceName> {
    let devices: Vec<DeviceName> = devices.iter().cloned().collect();
    // Threads share a processor; GPUs are taken by runs of neighbours.
    let width = if devices[0].nth(1) == devices[0] { 1 } else { width };
    let (mut groups, mut rest) = (vec![], &devices[..]);
    while let Some(row) = rest.get(..width) {
        let is_row = (0..width).all(|place| row[place] == row[0].nth(place));
        if is_row {
            groups.push(row[0].clone());
        }
        rest = &rest[if is_row { width } else { 1 }..];
    }
    (0..each).flat_map(|_| groups.clone()).take(jobs.max(1)).collect()
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
    let bytes = |job: &Job, device: &DeviceName| {
        let Some(arm) = plan.arm(&job.arm) else { return 0 };
        expected(arm, device, experiment.run(job, arm).map_or(1, |spec| spec.parallel.devices))
    };
    let launch = Launch { program: &how.program, root: store.folder(), slots, patience: how.patience, bytes: &bytes };
    let mut news = |signal: Signal| -> Result<()> {
        match signal {
            Signal::Waiting(job) => tell(Event::Waiting(&job)),
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
    local(&launch, jobs, &|job| prepare(experiment, plan, store, job), &mut news)
}

/// Makes the folder of a job ready.
fn prepare(experiment: &Experiment, plan: &Plan, store: &Store, job: &Job) -> Result<PathBuf> {
    let spec = plan.arm(&job.arm).and_then(|planned| experiment.run(job, planned)).expect("jobs come from the plan of the experiment");
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
    set_aside(store, record)?;
    match record.cause {
        Some(Cause::Disk) => {
            Err(Error::input(store.folder().join(&record.folder).display(), record.result.reason.clone().unwrap_or_default(), DISK))
        }
        _ => Ok(()),
    }
}

/// A checkpoint that is not what was written would fail the next attempt, too.
fn set_aside(store: &Store, record: &Record) -> Result<()> {
    if record.cause != Some(Cause::Checkpoint) {
        return Ok(());
    }
    checkpoint::set_aside(&store.folder().join(&record.folder))
}

/// The answer from the files of an experiment alone.
///
/// # Errors
///
/// A folder without a plan, damaged files.
pub fn summarise(folder: &Path) -> Result<Summary> {
    let store = Store::open(folder)?;
    Ok(summary(&store.written_plan()?, &store.records()?))
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
        ready[index].1.require_epochs((spec.train.steps * spec.train.batch) as u64, spec.model.context)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_gets_a_run_before_one_gets_a_second() {
        let devices: Devices = "cuda:0,cuda:1".parse().unwrap();
        let names = |each, jobs| -> Vec<String> { dealt(&devices, each, jobs, 1).iter().map(ToString::to_string).collect() };
        assert_eq!(names(2, 9), ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]);
        assert_eq!(names(1, 9), ["cuda:0", "cuda:1"]);
        assert_eq!(names(2, 3), ["cuda:0", "cuda:1", "cuda:0"]);
        assert_eq!(names(2, 0), ["cuda:0"], "there is room for one, even if nothing is to be done");
    }

    #[test]
    fn runs_on_several_devices_take_neighbours() {
        let names = |devices: &str, each, width| -> Vec<String> {
            dealt(&devices.parse().unwrap(), each, 9, width).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names("cuda:0,cuda:1,cuda:2,cuda:3", 1, 2), ["cuda:0", "cuda:2"]);
        assert_eq!(names("cuda:0,cuda:1,cuda:4", 1, 2), ["cuda:0"]);
        assert_eq!(names("cuda:0,cuda:2,cuda:3", 1, 2), ["cuda:2"]);
        assert_eq!(names("cuda:1", 1, 2), [""; 0]);
        assert_eq!(names("flex", 2, 4), ["flex", "flex"]);
    }
}
