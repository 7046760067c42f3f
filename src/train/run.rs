//! One run from its folder to its result.

use super::{
    Outcome, RunResult, RunSpec, Tick,
    batch::{Batches, Once, Waited},
    checkpoint::{self, Recovered, Saved, State, Which},
    interrupter, memory,
    metrics::{self, Lines, Reported, TRAINING},
    optimizer,
    probe::{self, Prober},
    renderer::Forwarder,
    step::{Examination, Measurement},
    strategy::{Shared, Status, Steps, TRACE, lock},
    team::{Followers, Start, Team, message, terms},
};
use crate::{
    data::{Dataset, hex},
    device::DeviceName,
    eval::Scores,
    files::{self, if_there},
    model::{Transformer, Weights, init::Marks},
    ops::Backend,
    parallel::group::{Groups, Mesh, threads},
    settings::{Error, Result},
};
use burn::{
    module::Module,
    optim::OptimizerRecord,
    store::ModuleRecord,
    tensor::Device,
    train::{Learner, SupervisedTraining, TrainingStrategy},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool, mpsc},
    time::Duration,
};

pub(super) const SPEC: &str = "spec.toml";
pub(super) const RESULT: &str = "result.json";
const LOG: &str = "log.txt";

/// Trains one run to its end, or continues it from its checkpoint in `out`, until [`interrupter`] is set.
///
/// Writes `spec.toml`, `metrics.jsonl`, `checkpoint/`, `result.json` and `log.txt` under `out`. A run that finished or
/// diverged there before is not repeated: its result is returned.
///
/// # Errors
///
/// Wrong input; a run that diverges, fails or is interrupted is a result, not an error.
pub fn run(spec: &RunSpec, data: &Dataset, out: &Path, device: &DeviceName, tick: &mut (dyn FnMut(Tick) + Send)) -> Result<RunResult> {
    run_until(spec, data, out, device, tick, interrupter())
}

/// [`run`] with a switch of its own: set to true, it stops the run after the current step.
///
/// # Errors
///
/// As [`run`].
pub fn run_until(
    spec: &RunSpec,
    data: &Dataset,
    out: &Path,
    device: &DeviceName,
    tick: &mut (dyn FnMut(Tick) + Send),
    stop: Arc<AtomicBool>,
) -> Result<RunResult> {
    attempt(spec, data, Beginning::default(), out, device, tick, stop)
}

/// What a run begins with, beside its specification.
#[derive(Debug, Default)]
pub struct Beginning {
    /// Given parameters: those whose hash is `spec.start`, by [`start_of`]. None: drawn ones.
    pub weights: Option<Weights>,
    /// The ways to the other processes of the run, which [`follow`](super::follow) this one. None: there are none.
    pub mesh: Option<Mesh>,
}

/// [`run`] with a beginning of its own.
///
/// # Errors
///
/// As [`run`].
///
/// # Panics
///
/// If given parameters are not those of `spec.model`.
pub fn run_from(
    spec: &RunSpec,
    data: &Dataset,
    from: Beginning,
    out: &Path,
    device: &DeviceName,
    tick: &mut (dyn FnMut(Tick) + Send),
) -> Result<RunResult> {
    attempt(spec, data, from, out, device, tick, interrupter())
}

/// Copies what was computed and sent in the last step of the run in `out`, and when, to `file`.
///
/// # Errors
///
/// A run on one device, which has none; a file that cannot be written.
pub fn write_trace(out: &Path, file: &Path) -> Result<()> {
    let path = out.join(TRACE);
    let Some(trace) = if_there(fs::read(&path)).map_err(Error::io("read", &path))? else {
        return Err(Error::input("--trace", format!("{} has none: a run on one device sends nothing", out.display()), "set --devices"));
    };
    files::write(file, &trace)
}

/// What stands for given parameters in a specification.
pub fn start_of(weights: &Weights) -> String {
    let mut hash = Sha256::new();
    for (path, values) in weights {
        hash.update(format!("{path} {} ", values.len()));
        values.iter().for_each(|value| hash.update(value.to_le_bytes()));
    }
    hex(&hash.finalize())
}

fn attempt(
    spec: &RunSpec,
    data: &Dataset,
    from: Beginning,
    out: &Path,
    device: &DeviceName,
    tick: &mut (dyn FnMut(Tick) + Send),
    stop: Arc<AtomicBool>,
) -> Result<RunResult> {
    let id = spec.id();
    let (opened, saved, warnings) = match prepared(spec, data, out, device, &id) {
        Ok(Prepared::Over(result)) => {
            from.mesh.into_iter().for_each(Start::nothing);
            return Ok(*result);
        }
        Ok(Prepared::Open(opened, saved, warnings)) => (opened, saved.map(|saved| *saved), warnings),
        Err(error) => {
            from.mesh.into_iter().for_each(|mesh| mesh.leave(&error.to_string()));
            return Err(error);
        }
    };
    let text = toml::to_string_pretty(spec).expect("a specification is plain data");
    files::write(&out.join(SPEC), text.as_bytes())?;
    let log_path = out.join(LOG);
    let log = File::options().create(true).append(true).open(&log_path).map_err(Error::io("write", &log_path))?;
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Mutex::new(log)).finish();
    let _log = tracing::subscriber::set_default(subscriber);

    let mut state = saved.as_ref().map_or_else(|| State::new(&id), |saved| saved.state.clone());
    for warning in warnings {
        tracing::warn!("{warning}");
        state.notes.push(warning);
    }
    metrics::truncate(&out.join(metrics::FILE), state.step)?;
    probe::truncate(out, state.step)?;
    if spec.probe.every > 0 {
        state.probes.get_or_insert_default();
    }
    tracing::info!(id, step = state.step, steps = spec.train.steps, %device, activations = %spec.train.activations, "start");
    if let Some(warning) = device.ignores(spec.train.activations) {
        tracing::warn!("{warning}");
    }
    let status = Arc::new(Mutex::new(Status {
        state,
        ended: None,
        error: None,
        noise: Marks::new(),
        milliseconds: vec![],
        waited: Waited::default(),
        parallel: None,
    }));

    let (sender, receiver) = mpsc::channel();
    let caught = std::thread::scope(|scope| {
        // Signs of life come from a thread of burn-train's; the caller hears them while this thread trains.
        scope.spawn(move || receiver.into_iter().for_each(tick));
        catch_unwind(AssertUnwindSafe(|| train(spec, data, from, out, device, opened, saved, &status, stop, sender)))
    });
    let mut status = lock(&status);
    match caught {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(error),
        Err(panic) => status.ended = Some((Outcome::Failed, Some(message(panic.as_ref())))),
    }
    if let Some(error) = status.error.take() {
        return Err(error);
    }
    let result = result(spec, id, device, &status);
    tracing::info!(outcome = ?result.outcome, reason = result.reason, "end");
    files::write(&out.join(RESULT), &serde_json::to_vec_pretty(&result).expect("a result is plain data"))?;
    Ok(result)
}

/// Where a run stands before anything is written.
enum Prepared {
    /// It has ended before.
    Over(Box<RunResult>),
    /// Its device, what it continues from, and what was wrong with that.
    Open(Device, Option<Box<Saved>>, Vec<String>),
}

fn prepared(spec: &RunSpec, data: &Dataset, out: &Path, device: &DeviceName, id: &str) -> Result<Prepared> {
    let opened = device.train_device()?;
    device.computes(spec.train.precision)?;
    data.require_context(spec.model.context)?;
    data.require_epochs((spec.train.steps * spec.train.batch) as u64, spec.model.context)?;
    fs::create_dir_all(out).map_err(Error::io("create the folder", out))?;
    if let Some(result) = previous(spec, out)? {
        return Ok(Prepared::Over(Box::new(result)));
    }
    let recovered = checkpoint::recover(out)?;
    let (saved, warnings) = recovered.map_or((None, vec![]), |Recovered { saved, warnings }| (Some(saved), warnings));
    if let Some(saved) = &saved
        && saved.state.id != id
    {
        return Err(other_run(out));
    }
    Ok(Prepared::Open(opened, saved.map(Box::new), warnings))
}

/// Builds what burn-train needs and launches it.
#[allow(clippy::too_many_arguments)]
fn train(
    spec: &RunSpec,
    data: &Dataset,
    from: Beginning,
    out: &Path,
    name: &DeviceName,
    device: Device,
    saved: Option<Saved>,
    status: &Shared,
    stop: Arc<AtomicBool>,
    ticks: mpsc::Sender<Tick>,
) -> Result<()> {
    let steps = spec.train.steps;
    let first = lock(status).state.step;
    let (record, moments) = saved.map_or((None, None), |saved| (Some(saved.model), saved.optimizer));
    let (mut model, noise) = match from.weights {
        Some(weights) => (spec.model.build_from(weights, &device), Marks::new()),
        None => spec.model.build_marked(spec.train.seed, &device),
    };
    lock(status).noise = noise;
    if let Some(record) = record {
        model = model.try_load_record(record).map_err(|error| unfit(out, &error.to_string()))?;
    }
    if first > 0 && first < steps && moments.is_none() {
        return Err(unfit(out, "it has no optimizer state"));
    }
    // After the record: groups hold parameter identities, which the record brings along.
    let mut optimizer = optimizer::build(&spec.optimizer, spec.model.multiple(), &model);
    let plain = optimizer.clone();
    let (followers, team) = match gather_round(spec, data, name, from.mesh)? {
        None => {
            optimizer = moments.map_or(optimizer.clone(), |moments| optimizer.load_record(moments));
            (Followers::default(), None)
        }
        Some((followers, groups, devices)) => {
            let state = moments.map(OptimizerRecord::into_bytes).transpose().map_err(|error| unfit(out, &error.to_string()))?;
            let start = Start::new(terms(spec), first, lock(status).state.initial_loss, model.clone().into_record(), state);
            let start = start.map_err(|error| unfit(out, &error.to_string()))?;
            // Who is lost by now is missed at the first step.
            let _ = start.tell(&groups.commands);
            let team = Team::new(groups, &spec.model, &model, &spec.parallel, devices);
            optimizer = team.load(optimizer, start.optimizer).map_err(|error| unfit(out, &error.to_string()))?;
            (followers, Some(team))
        }
    };

    let batches = Batches::of(spec, data, first, lock(status).waited.clone());
    let examination = Examination { dataset: data.clone(), evaluation: spec.examined() };
    let write_failure = Arc::default();
    let lines = Lines::open(out, spec.train.log_every, steps, Arc::clone(&write_failure))?;
    let strategy = Steps {
        spec: spec.clone(),
        out: out.to_owned(),
        examination: examination.clone(),
        optimizer: Mutex::new(Some(optimizer)),
        team: Mutex::new(team),
        prober: Mutex::new(Prober::new(spec, data)?),
        status: status.clone(),
        stop,
        write_failure,
    };
    let mut training = SupervisedTraining::<Transformer>::new(out, Arc::new(batches), Arc::new(Once(examination)))
        .with_application_logger(None)
        .with_metric_logger(lines)
        .renderer(Box::new(Forwarder::new(ticks, steps)))
        .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)));
    for (name, pick) in TRAINING {
        training = training.metric_train_numeric(Reported::new(name, move |m: &Measurement| Some(pick(m))));
    }
    for name in spec.evaluated() {
        let key = name.clone();
        training = training.metric_valid_numeric(Reported::new(&name, move |scores: &Scores| scores.0.get(&key).copied()));
    }
    // The learner wants an optimizer and a rate; the strategy has its own.
    training.launch(Learner::new(model, plain, spec.schedule.rate(spec.optimizer.lr(), 0, steps)));
    followers.join(PATIENCE);
    Ok(())
}

/// How long those who follow are waited for when the run is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// Those who take steps beside this one, the ways to them, and the GPUs of all if these can add up by themselves.
type Round = (Followers, Groups, Vec<Device>);

/// Connects the run with those who share it; none where it is alone. As threads they are started here.
fn gather_round(spec: &RunSpec, data: &Dataset, device: &DeviceName, mesh: Option<Mesh>) -> Result<Option<Round>> {
    if let Some(mesh) = mesh {
        return Ok(Some((Followers::default(), mesh.groups(spec.parallel.tensor), vec![])));
    }
    if spec.parallel.is_alone() {
        return Ok(None);
    }
    let names: Vec<DeviceName> = (0..spec.parallel.devices).map(|rank| device.nth(rank)).collect();
    // Opened here: what is wrong with one of them is told before anything starts.
    let devices = names.iter().map(DeviceName::open).collect::<Result<Vec<_>>>()?;
    let devices = if device.backend() == Backend::Cuda { devices } else { vec![] };
    let mut meshes = threads(spec.parallel.devices, spec.parallel.link(), spec.parallel.timeout());
    let first = meshes.remove(0);
    let followers = Followers::start(spec, data, names.into_iter().skip(1).collect(), &devices, meshes);
    Ok(Some((followers, first.groups(spec.parallel.tensor), devices)))
}

fn result(spec: &RunSpec, id: String, device: &DeviceName, status: &Status) -> RunResult {
    let (outcome, reason) = status.ended.clone().unwrap_or((Outcome::Failed, Some("the training loop did not end".into())));
    let state = &status.state;
    RunResult {
        id,
        outcome,
        reason,
        steps: state.step,
        tokens: state.step as u64 * spec.tokens_per_step(),
        metrics: state.metrics.clone(),
        tokens_per_second: median(&status.milliseconds).map(|ms| spec.tokens_per_step() as f64 / (ms / 1e3)),
        seconds: state.seconds,
        device: device.to_string(),
        path: spec.path(device),
        operators: spec.operators(device),
        threads: rayon::current_num_threads(),
        version: version(),
        data_hash: state.data_hash.clone(),
        data_marks: state.data_marks.clone(),
        noise: status.noise.clone(),
        peak_memory_bytes: memory::peak(),
        waited_seconds: Some(status.waited.seconds()),
        notes: state.notes.clone(),
        parallel: status.parallel.clone(),
    }
}

/// The result of a run that ended in `out` before.
fn previous(spec: &RunSpec, out: &Path) -> Result<Option<RunResult>> {
    let path = out.join(RESULT);
    let Some(text) = if_there(fs::read(&path)).map_err(Error::io("read", &path))? else { return Ok(None) };
    let result: RunResult = serde_json::from_slice(&text).map_err(|error| {
        Error::input(path.display(), format!("not a result: {error}"), format!("delete {} to run again", out.display()))
    })?;
    if result.id != spec.id() {
        return Err(other_run(out));
    }
    Ok(result.outcome.is_final().then_some(result))
}

fn other_run(out: &Path) -> Error {
    Error::input(out.display(), "the folder holds a run of another specification", "choose another --out, or delete the folder")
}

fn unfit(out: &Path, why: &str) -> Error {
    Error::input(
        out.display(),
        format!("the checkpoint does not fit the run: {why}"),
        format!("delete {} to start the run again", out.display()),
    )
}

/// The specification of the run in a folder; none of a folder without one.
///
/// # Errors
///
/// A specification that cannot be read, or is none.
pub fn load_spec(folder: &Path) -> Result<Option<RunSpec>> {
    let path = folder.join(SPEC);
    let Some(text) = if_there(fs::read_to_string(&path)).map_err(Error::io("read", &path))? else { return Ok(None) };
    let broken = |error| Error::input(path.display(), format!("not a resolved run: {error}"), "name the folder of a run");
    toml::from_str(&text).map(Some).map_err(broken)
}

/// The specification and the trained model of the run in `out`, without autodiff, from one of its checkpoints.
///
/// # Errors
///
/// A folder without a run or checkpoint, a damaged checkpoint, a device that is not there.
pub fn load_model(out: &Path, which: Which, device: &DeviceName) -> Result<(RunSpec, Transformer)> {
    let (spec, record) = load_record(out, which)?;
    let model = with_record(&spec, record, out, &device.open()?)?;
    Ok((spec, model))
}

/// The same on no device yet.
pub(super) fn load_record(out: &Path, which: Which) -> Result<(RunSpec, ModuleRecord)> {
    let spec = load_spec(out)?.ok_or_else(|| checkpoint::missing(out, Which::Newest))?;
    let saved = checkpoint::load(out, which)?.ok_or_else(|| checkpoint::missing(out, which))?;
    Ok((spec, saved.model))
}

/// The model of the run in `out` with the parameters of a checkpoint.
pub(super) fn with_record(spec: &RunSpec, record: ModuleRecord, out: &Path, device: &Device) -> Result<Transformer> {
    let model = spec.model.build(spec.train.seed, device);
    model.try_load_record(record).map_err(|error| unfit(out, &error.to_string()))
}

/// Version of the program and the commit it was built from, where the build knew it.
pub fn version() -> String {
    match option_env!("ABLATE_COMMIT") {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The middle value; the mean of the two middle ones of an even number.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}
