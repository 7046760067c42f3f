//! `ablate plan`: check an experiment and show its arms, runs and price without training.

mod arms;
mod cluster;
mod runs;

use super::text::{bytes, duration, grouped, json};
use ablate::{
    Result,
    device::DeviceName,
    experiment::{Budget, Experiment, Overrides, Plan, Price, Store, default_folder, missing},
    settings::Error,
    train::calibration,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check an experiment and show its arms, runs and price without training.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The experiment's file; with --cluster the configuration of a run.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the results, whose runs need not be done again; runs/NAME by default.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Device to estimate times for: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    #[command(flatten)]
    changes: Changes,
    /// Refuse a plan that costs more, e.g. 4h, 1e18 FLOPs, 20GB, 100 runs; several separated by commas.
    #[arg(long, value_name = "COST")]
    budget: Option<Budget>,
    /// List every run, however many there are.
    #[arg(long)]
    runs: bool,
    #[command(flatten)]
    many: cluster::Args,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs are listed up to so many; more only when asked for.
const LISTED: usize = 60;

/// What `run` and `plan` change in an experiment.
#[derive(clap::Args, Debug)]
pub struct Changes {
    /// Set a key for the base and all arms; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of steps; warm-up, decay and evaluation are rescaled in proportion.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Number of seeds.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
}

impl Changes {
    /// As the library takes them.
    pub fn overrides(self, only: Vec<String>) -> Overrides {
        Overrides { set: self.set, steps: self.steps, seeds: self.seeds, only }
    }
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    if let Some(devices) = &args.many.cluster {
        super::print(&cluster::plan(&args.many, devices, &args.file, &args.changes.set, args.json)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let experiment = Experiment::load(&args.file, &args.changes.overrides(vec![]))?;
    let out = args.out.unwrap_or_else(|| default_folder(&experiment));
    let records = if out.join("plan.json").is_file() { Store::open(&out)?.records()? } else { vec![] };
    let plan = Plan::new(&experiment, &args.device, calibration::read(&args.device).as_ref(), &records);
    plan.check_time()?;
    let jobs = plan.jobs(&records);
    let left = missing(&plan, &records, &[]);
    let (reach, mut warnings) = plan.reach();
    warnings.extend(plan.warnings());
    warnings.extend(plan.arms.iter().filter_map(|arm| args.device.ignores(arm.activations)).collect::<BTreeSet<_>>());
    let text = if args.json {
        let runs: Vec<_> = jobs.iter().map(|job| runs::json(&plan, job, !left.contains(job))).collect();
        let plan = serde_json::json!({
            "arms": plan.arms, "effects": plan.effects, "left_out": plan.left_out, "price": plan.price,
            "runs": runs, "reach": reach, "warnings": warnings,
        });
        json("plan", &plan)?
    } else {
        let mut text = arms::text(&plan);
        if args.runs || jobs.len() <= LISTED {
            text += &runs::table(&plan, &jobs, &left);
        } else {
            text += &format!("{} runs; --runs lists them\n{}", jobs.len(), runs::more(&plan, jobs.len()));
        }
        text += &cost(&plan, jobs.len() - left.len());
        text += &reach.iter().map(|line| format!("{line}\n")).collect::<String>();
        text += &arms::operators(&plan);
        warnings.iter().fold(text, |text, warning| format!("{text}warning: {warning}\n"))
    };
    super::print(&text)?;
    if let Some(budget) = &args.budget {
        within(&plan, budget, &args.file)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a plan that costs more than the budget.
pub(super) fn within(plan: &Plan, budget: &Budget, file: &Path) -> Result<()> {
    let exceeded = budget.exceeded(&plan.price);
    if exceeded.is_empty() {
        return Ok(());
    }
    let help = "raise --budget, or use fewer seeds, steps or arms; `ablate bench step` or a run tells how fast the device is";
    Err(Error::input(file.display(), exceeded.join("; "), help))
}

/// What the plan costs in all, in a sentence.
fn cost(plan: &Plan, done: usize) -> String {
    let Price { runs, tokens, flops, seconds, disk_bytes } = plan.price;
    let most = if plan.sequential.is_some() { "at most " } else { "" };
    let done = if done > 0 { format!(", {done} of them done") } else { String::new() };
    format!(
        "{} arms, {most}{runs} runs{done}: {} tokens ({:.1} per parameter of the base in a run), {flops:.3e} FLOPs, {} of checkpoints; \
         training one after the other: {}\n",
        plan.arms.len(),
        grouped(tokens),
        plan.tokens_per_parameter,
        bytes(disk_bytes as f64),
        seconds.map_or("unknown until something has run on this device".into(), duration)
    )
}
