//! `ablate run`: plan, train what is missing, compare, report.

use super::{
    plan::{Changes, within},
    text::{duration, json},
    train::bar,
};
use ablate::{
    Error, Result,
    device::Devices,
    experiment::{
        Budget, Conduct, Conducted, Event, Experiment, Job, Launcher, Plan, Record, SlurmOptions, Submitted, conduct, default_folder,
        interrupt,
    },
    report,
    train::{Outcome, Tick, calibration},
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Plan, train what is missing, compare, report.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The experiment's file.
    #[arg(value_name = "EXPERIMENT")]
    file: PathBuf,
    /// Folder of the results; runs/NAME by default, NAME being the experiment's.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Devices, separated by commas: flex, cuda[:INDEX|:all], wgpu[:INDEX|:cpu|:all]. Runs are spread over them.
    #[arg(long, default_value = "flex", value_name = "D,…")]
    device: Devices,
    #[command(flatten)]
    changes: Changes,
    /// Train only these arms, and the base; separated by commas.
    #[arg(long, value_name = "ARM,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Runs at a time on each device, as far as its memory is known to be enough for all; by default 1, and up to 4 on the
    /// CPU, each with its share of the cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Refuse to run what costs more in all, e.g. 4h, 1e18 FLOPs, 20GB, 100 runs; several separated by commas.
    #[arg(long, value_name = "COST")]
    budget: Option<Budget>,
    /// Further attempts at a run that was killed, crashed, hung or found no memory.
    #[arg(long, default_value_t = 1, value_name = "N")]
    retries: u32,
    /// Seconds without a sign of life after which a run counts as hanging and is killed; by default 30 times its slowest
    /// step, but at least 10 minutes, and an hour before its first step.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    patience: Option<u32>,
    /// Where runs train: local, as processes of this machine, or slurm, as tasks of an array job.
    #[arg(long, value_enum, default_value_t = Where::Local, value_name = "WHERE")]
    launcher: Where,
    #[command(flatten)]
    slurm: Slurm,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// Where runs train.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// Processes of this machine.
    Local,
    /// Tasks of an array job.
    Slurm,
}

/// How SLURM is used. `--jobs` is how many tasks run at a time, `--device` what each of them sees.
#[derive(clap::Args, Debug)]
struct Slurm {
    /// Options of sbatch, in one string: "--partition=gpu --gres=gpu:1 --time=4:00:00".
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true, hide_default_value = true)]
    slurm_args: String,
    /// The same for the small job that goes on when an array job is done; those of the runs by default.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    slurm_controller_args: Option<String>,
    /// Seconds before its end (time limit, preemption) at which a task is told to write its checkpoint and to queue again.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    slurm_notice: u32,
    /// Stay until SLURM has done everything, and report; by default a small job goes on from here.
    #[arg(long)]
    wait: bool,
    /// This is that job.
    #[arg(long, hide = true)]
    continued: bool,
}

impl Slurm {
    fn options(self) -> SlurmOptions {
        let mut command: Vec<String> = std::env::args().skip(1).collect();
        // The program by its full name: a job may have another search path.
        command.insert(0, std::env::current_exe().map_or_else(|_| "ablate".into(), |path| path.display().to_string()));
        if !self.continued {
            command.push("--continued".into());
        }
        SlurmOptions {
            arguments: self.slurm_args,
            controller_arguments: self.slurm_controller_args,
            notice: self.slurm_notice,
            wait: self.wait,
            command,
            continued: self.continued,
        }
    }
}

/// Runs the verb: 0 when all runs finished, 3 when some diverged or failed.
pub fn run(args: Args) -> Result<ExitCode> {
    let experiment = Experiment::load(&args.file, &args.changes.overrides(args.only))?;
    let out = args.out.unwrap_or_else(|| default_folder(&experiment));
    if let Some(budget) = &args.budget {
        let device = args.device.first();
        within(&Plan::new(&experiment, device, calibration::read(device).as_ref(), &[]), budget, &args.file)?;
    }
    let program = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    for arm in &experiment.arms {
        if let Some(warning) = args.device.first().ignores(arm.spec.train.activations) {
            eprintln!("warning: {}: {warning}", arm.name);
        }
    }
    let how = Conduct {
        out: out.clone(),
        devices: args.device,
        jobs: args.jobs.map(usize::from),
        retries: args.retries,
        patience: args.patience.map(|seconds| Duration::from_secs(seconds.into())),
        launcher: match args.launcher {
            Where::Local => Launcher::Local,
            Where::Slurm => Launcher::Slurm(args.slurm.options()),
        },
        program,
    };
    interrupt::install(&|asked| {
        eprintln!("{}", if asked == 1 { "stopping after this step; once more to stop at once" } else { "stopping at once" });
    })?;

    let mut display = Display::new();
    let conducted = conduct(&experiment, &how, &mut |event| display.tell(event));
    display.end();
    let summary = match conducted? {
        Conducted::Answered(summary) => *summary,
        Conducted::Submitted(submitted) => {
            super::print(&handed_over(&submitted, &out))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    report::write(&out, &summary)?;
    let text = if args.json {
        json("summary", &summary)?
    } else {
        let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let table = if coloured { report::terminal_coloured(&summary, None) } else { report::terminal(&summary, None) };
        format!("{table}\n{}\n", out.join("report.html").display())
    };
    super::print(&text)?;
    let lost = summary.arms.iter().any(|arm| arm.diverged + arm.failed > 0);
    Ok(ExitCode::from(if lost { 3 } else { 0 }))
}

/// What SLURM has, and what to do meanwhile.
fn handed_over(submitted: &Submitted, out: &Path) -> String {
    let runs = submitted.waiting.len();
    let runs = if runs == 1 { "1 run".into() } else { format!("{runs} runs") };
    let next = match &submitted.controller {
        Some(job) => format!("job {job} goes on from there and writes the report"),
        None => "give the same command again to go on from there".into(),
    };
    format!("SLURM has {runs}, job {}; {next}\n`ablate status {}` shows how far it is\n", submitted.jobs.join(", "), out.display())
}

/// What happens, on standard error: bars on a terminal, elsewhere only what went wrong.
struct Display {
    bars: MultiProgress,
    data: Option<ProgressBar>,
    all: ProgressBar,
    runs: BTreeMap<String, ProgressBar>,
    /// Training tokens of the runs still to do, by arm, to weigh them.
    tokens: BTreeMap<String, u64>,
}

impl Display {
    fn new() -> Self {
        let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            bars: MultiProgress::with_draw_target(target),
            data: None,
            all: ProgressBar::hidden(),
            runs: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Preparing(phase, done, whole) => {
                let bar = self.data.get_or_insert_with(|| {
                    let bar = bar();
                    bar.set_style(style("{bar:30} {msg}"));
                    bar
                });
                bar.set_length(whole);
                bar.set_position(done);
                bar.set_message(phase.to_string());
            }
            Event::Missing(plan, jobs, slots) => {
                if !jobs.is_empty() {
                    plan.warnings().iter().for_each(|warning| self.bars.suspend(|| eprintln!("warning: {warning}")));
                }
                self.start(plan, jobs, slots);
            }
            Event::Waiting(job) => self.say(format!("{job}: waiting for the worker of an earlier command to end")),
            Event::Started(job) => {
                let bar = self.bars.add(ProgressBar::new(1));
                bar.set_style(style("{prefix:24} {bar:24} {pos}/{len} {msg}"));
                bar.set_prefix(job.to_string());
                self.runs.insert(job.folder.clone(), bar);
            }
            Event::Tick(job, tick) => self.tick(job, tick),
            Event::Ended(job, record) => self.ended(job, record),
            Event::Interrupted(job) => self.close(job),
        }
    }

    fn start(&mut self, plan: &Plan, jobs: &[Job], slots: usize) {
        if let Some(bar) = self.data.take() {
            bar.finish_and_clear();
        }
        self.tokens = plan.arms.iter().map(|arm| (arm.name.clone(), arm.tokens)).collect();
        let cost = |job: &Job| plan.arm(&job.arm).and_then(|arm| arm.seconds_per_run);
        let seconds: Option<f64> = jobs.iter().map(cost).sum();
        let planned = plan.arms.iter().map(|arm| arm.preparation.len() + arm.runs.len()).sum::<usize>();
        let about = seconds.filter(|_| !jobs.is_empty()).map(|all| format!(", about {}", duration(all / slots as f64))).unwrap_or_default();
        self.say(format!("{}: {} of {planned} runs to train, {slots} at a time{about}", plan.name, jobs.len()));
        self.all.finish_and_clear();
        if jobs.is_empty() {
            return;
        }
        self.all = self.bars.add(ProgressBar::new(jobs.iter().map(|job| self.tokens[&job.arm]).sum()));
        self.all.set_style(style("{prefix:24} {bar:24} {percent} % of all tokens, {eta} left"));
        self.all.set_prefix("experiment");
    }

    fn tick(&mut self, job: &Job, tick: &Tick) {
        let Some(bar) = self.runs.get(&job.folder) else { return };
        let tokens = self.tokens[&job.arm] / tick.steps.max(1) as u64;
        self.all.inc(tokens * (tick.step as u64).saturating_sub(bar.position()));
        bar.set_length(tick.steps as u64);
        bar.set_position(tick.step as u64);
        bar.set_message(format!("loss {:.3}, {:.0} tokens/s", tick.loss, tick.tokens_per_second));
    }

    fn ended(&mut self, job: &Job, record: &Record) {
        let result = &record.result;
        let reason = result.reason.as_deref().unwrap_or("no reason given");
        let how = match result.outcome {
            Outcome::Diverged => Some("diverged"),
            Outcome::Failed => Some("failed"),
            Outcome::Finished | Outcome::Interrupted => None,
        };
        if let Some(how) = how {
            let attempt = if record.attempt > 1 { format!(" (attempt {})", record.attempt) } else { String::new() };
            let cause = record.cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            let line = format!("{job}{attempt} {how}{cause}: {reason}");
            self.bars.suspend(|| eprintln!("{line}"));
        }
        self.close(job);
    }

    fn close(&mut self, job: &Job) {
        if let Some(bar) = self.runs.remove(&job.folder) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    /// A line that only people want.
    fn say(&self, line: String) {
        if std::io::stderr().is_terminal() {
            self.bars.suspend(|| eprintln!("{line}"));
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.data.take() {
            bar.finish_and_clear();
        }
        self.all.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid")
}
