//! `ablate train`: train one configuration.

use ablate::{
    Result,
    data::{Batches, CorpusConfig, DataConfig, Dataset, PATH_KEYS, cache_folder},
    device::DeviceName,
    hub::{self, repaired},
    model::{Weights, position::PositionConfig},
    parallel::group::{Placement, processes},
    pulse,
    settings::{Document, Error},
    train::{
        self, Beginning, Opened, Outcome, ParallelResult, RunConfig, RunResult, RunSpec, Tick, calibration, checkpoint::Which, open_model,
    },
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

/// Train one configuration.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Configuration of the run.
    config: PathBuf,
    /// Folder of the run; runs/NAME by default, NAME being that of the configuration.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    /// Set a key of the configuration; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of steps; warm-up, decay and evaluation are rescaled in proportion.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Seed of initialisation, data order and dropout.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Start from the parameters of a run, or of a model in the layout of Hugging Face. What the configuration says of the
    /// model must be that model; if it says nothing, it is.
    #[arg(long, value_name = "MODEL")]
    init: Option<PathBuf>,
    /// Train on these batches, in their order, instead of text: safetensors with `batches` `[steps, batch, seq + 1]`.
    #[arg(long, value_name = "FILE")]
    batches: Option<PathBuf>,
    /// Devices of the run, which share the batch, as parallel.devices says: threads on a CPU; on GPUs those from the named one on.
    #[arg(long, value_name = "N")]
    devices: Option<usize>,
    /// How many neighbours among the devices divide each layer among them, as parallel.tensor says.
    #[arg(long, value_name = "N")]
    tensor: Option<usize>,
    /// Be one of several processes that share the batch, as torchrun or srun say in the environment which; the first one writes.
    #[arg(long, conflicts_with = "devices")]
    distributed: bool,
    /// Write when what was computed and sent in the last step of a run on several devices, for Perfetto or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write the loss of each step, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let (mut document, _) = configuration(&args.config, &args.set)?;
    for (flag, key, value) in [("--devices", "parallel.devices", args.devices), ("--tensor", "parallel.tensor", args.tensor)] {
        if let Some(value) = value {
            document.set(&format!("{key}={value}"), flag)?;
        }
    }
    let mut config: RunConfig = document.parse()?;
    if let Some(steps) = args.steps {
        config.rescale(steps);
    }
    config.train.seed = args.seed.unwrap_or(config.train.seed);
    let place = args
        .distributed
        .then(Placement::from_env)
        .transpose()
        .map_err(|why| Error::input("--distributed", why, "start one process for each device by torchrun or srun"))?;
    if let Some(place) = &place {
        config.parallel.devices = place.size;
    }
    if args.log.is_some() {
        config.train.log_every = 1;
    }
    let given = args.batches.as_deref().map(|path| given(path, args.steps, &mut config)).transpose()?;
    let start = args.init.as_deref().map(|model| open_model(model, Which::Newest)).transpose()?;
    let names_model = document.written_keys().iter().any(|key| key.starts_with("model."));
    if let Some(start) = &start {
        config.model.vocab.get_or_insert(start.spec.vocab);
    }
    if let (Some(given), Some(vocab)) = (given.as_ref().map(|given| given.vocab()), config.model.vocab)
        && given > vocab
    {
        let message = format!("token {} is beyond the vocabulary of the model ({vocab})", given - 1);
        return Err(Error::input("--batches", message, "take the tokenizer of the model"));
    }
    let imported = start.as_ref().filter(|_| !names_model).map(|start| start.spec.clone());
    let mut spec = config.resolve_for(imported).map_err(|problems| document.locate(problems))?;
    if let Some([_, _, length]) = given.map(|given| given.shape())
        && (length - 1) % spec.parallel.tensor != 0
    {
        let message = format!("{} tokens of a row cannot be divided by {} (parallel.tensor)", length - 1, spec.parallel.tensor);
        return Err(Error::input("--batches", message, "let fewer neighbours divide layers, or 1 for none"));
    }
    let start = start.map(|start| settle(start, names_model, &mut spec)).transpose()?;
    let device = place.as_ref().map_or(args.device.clone(), |place| args.device.nth(place.local));
    device.open()?;
    let name = args.config.file_stem().unwrap_or_default();
    let out = args.out.unwrap_or_else(|| Path::new("runs").join(name));

    let follows = place.as_ref().is_some_and(|place| place.rank > 0);
    if let Some(warning) = device.ignores(spec.train.activations).filter(|_| !follows) {
        eprintln!("warning: {warning}");
    }
    stop_on_signal()?;
    let bar = if follows { ProgressBar::hidden() } else { bar() };
    if args.trace.is_some() && spec.parallel.is_alone() {
        return Err(Error::input("--trace", "a run on one device sends nothing", "set --devices"));
    }
    let mesh = match place.map(|place| processes(&place, spec.parallel.timeout())).transpose() {
        Ok(mesh) => mesh,
        Err(lost) => return Ok(apart(&lost)),
    };
    let dataset = match &mesh {
        // The others may be done with this long before.
        Some(mesh) => mesh.working(|| prepare(&spec, &bar))?,
        None => prepare(&spec, &bar)?,
    };
    if follows {
        drop(start);
        let followed = train::follow(&spec, &dataset, &device, mesh.expect("one of several is connected"));
        return Ok(followed.map_or_else(|left| apart(&left), |()| ExitCode::SUCCESS));
    }
    let training = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {msg}, {eta} left").expect("the template is valid");
    bar.set_style(training);
    bar.set_length(spec.train.steps as u64);
    let mut tick = |tick: Tick| {
        bar.set_position(tick.step as u64);
        bar.set_message(format!("loss {:.3}, {:.0} tokens/s", tick.loss, tick.tokens_per_second));
    };
    let from = Beginning { weights: start, mesh };
    let result = train::run_from(&spec, &dataset, from, &out, &device, &mut tick);
    bar.finish_and_clear();
    let result = result?;
    if let Some(path) = &args.log {
        train::write_losses(&out, path)?;
    }
    if let Some(path) = &args.trace {
        train::write_trace(&out, path)?;
    }
    calibrate(&spec, &device, &result);
    if args.json {
        println!("{}", serde_json::to_string(&result).expect("a result is plain data"));
    } else {
        println!("{}", sentence(&result, &out));
    }
    Ok(exit_code(result.outcome))
}

/// Tells that processes did not find each other, or have lost one: a failure of the run.
fn apart(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("failed: {why}; started again, the run goes on from its last checkpoint");
    exit_code(Outcome::Failed)
}

/// Takes batches from a file for data: as many rows in a step, and as many steps unless fewer are asked for, with the schedule as
/// it is written.
fn given(path: &Path, steps: Option<usize>, config: &mut RunConfig) -> Result<Batches> {
    let batches = Batches::read(path)?;
    let [there, rows, _] = batches.shape();
    if let Some(steps) = steps.filter(|steps| *steps > there) {
        return Err(Error::input(path.display(), format!("holds {there} steps, not {steps}"), "ask for fewer --steps"));
    }
    // Warm-up and decay are meant as they are written, not in proportion to some other number of steps.
    config.train.steps = steps.unwrap_or(there);
    config.train.batch = rows;
    config.data = DataConfig { corpus: CorpusConfig::Batches { path: path.display().to_string() }, ..DataConfig::default() };
    Ok(batches)
}

/// Lets a run start from a model: answers with its parameters, in the order of channels that the run has.
fn settle(start: Opened, names_model: bool, spec: &mut RunSpec) -> Result<Weights> {
    let model = start.spec.clone();
    let mut weights = start.weights()?;
    if names_model {
        let differences = hub::differences(&spec.model, &model);
        if !differences.is_empty() {
            let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
            let help = "leave [model] out of the configuration, or make it the same";
            return Err(Error::input("--init", format!("is another model: {}", list.join(", ")), help));
        }
        if let PositionConfig::Rope(rope) = &spec.model.position {
            weights = repaired(&model, weights, rope.pairing).1;
        }
    }
    spec.start = Some(train::start_of(&weights));
    Ok(weights)
}

/// Reads a run's configuration with `--set` on top.
pub(super) fn configuration(path: &Path, set: &[String]) -> Result<(Document, RunConfig)> {
    let mut document = Document::load(path)?;
    for assignment in set {
        document.set(assignment, "--set")?;
    }
    document.make_paths_absolute(&PATH_KEYS)?;
    let config = document.parse()?;
    Ok((document, config))
}

/// Prepares a run's data; `bar` shows what takes long.
pub(super) fn prepare(spec: &RunSpec, bar: &ProgressBar) -> Result<Dataset> {
    bar.set_style(ProgressStyle::with_template("{bar:30} {msg}").expect("the template is valid"));
    Dataset::prepare(&spec.data, &cache_folder(), &|phase, done, all| {
        bar.set_length(all);
        bar.set_position(done);
        bar.set_message(phase.to_owned());
        pulse::beat();
    })
}

/// A bar on standard error if that is a terminal, else nothing.
pub(super) fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(None, target)
}

/// Lets Ctrl-C and termination stop the run after its current step; a second signal ends the process at once.
pub(super) fn stop_on_signal() -> Result<()> {
    train::stop_when_preempted();
    // A scheduler may announce the end first and then ask for it: that alone is no second time.
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        train::interrupter().store(true, Ordering::Relaxed);
        eprintln!("stopping after this step; once more to stop at once");
    };
    ctrlc::set_handler(handler).map_err(|error| Error::input("Ctrl-C", error.to_string(), "start the program again"))
}

/// Remembers the speed of a finished run for the estimates of `plan`.
pub(super) fn calibrate(spec: &RunSpec, device: &DeviceName, result: &RunResult) {
    // That of several devices says little about one.
    if result.parallel.is_some() {
        return;
    }
    if let (Outcome::Finished, Some(speed)) = (result.outcome, result.tokens_per_second) {
        let flops = spec.model.account(spec.model.context).flops_per_token;
        // An estimate that cannot be stored is no reason to fail.
        let _ = calibration::write(device, flops * speed);
    }
}

/// The exit code that stands for an outcome.
pub(super) fn exit_code(outcome: Outcome) -> ExitCode {
    ExitCode::from(match outcome {
        Outcome::Finished => 0,
        Outcome::Diverged | Outcome::Failed => 3,
        Outcome::Interrupted => 130,
    })
}

/// The share of a run's time above which it is told that training waited for data.
const TOLD_WAIT: f64 = 0.01;

/// How a run lay on its devices.
fn laid(parallel: &ParallelResult) -> String {
    let mut text = format!("on {} devices", parallel.devices);
    if parallel.tensor > 1 {
        text += &format!(", layers divided by {}", parallel.tensor);
    }
    if let Some(hidden) = parallel.hidden() {
        text += &format!(", {:.0} % of sending beside computation", 100.0 * hidden);
    }
    text
}

fn sentence(result: &RunResult, out: &Path) -> String {
    let reason = result.reason.as_deref().unwrap_or_default();
    let out = out.display();
    match result.outcome {
        Outcome::Finished => {
            let mut parts: Vec<_> = result.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
            parts.extend(result.tokens_per_second.map(|speed| format!("{speed:.0} tokens/s")));
            let waited = result.waited_seconds.map(|seconds| seconds / result.seconds.max(f64::MIN_POSITIVE));
            parts.extend(waited.filter(|share| *share > TOLD_WAIT).map(|share| format!("waited for data {:.0} % of it", 100.0 * share)));
            parts.extend(result.parallel.iter().map(laid));
            format!("finished {} steps in {:.0} s: {}; see {out}", result.steps, result.seconds, parts.join(", "))
        }
        Outcome::Diverged => format!("diverged: {reason}; see {out}"),
        Outcome::Failed => format!("failed: {reason}; see {out}"),
        Outcome::Interrupted => format!("{reason}; the same command continues it"),
    }
}
