//! `ablate plan`: check an experiment and show its arms without training.

use ablate::{
    Result,
    device::DeviceName,
    experiment::{Difference, Experiment, Overrides, Plan, PlannedArm},
    ops::Activations,
    settings::Error,
    train::calibration,
};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

/// Check an experiment and show its arms without training.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The experiment's file.
    #[arg(value_name = "EXPERIMENT")]
    file: PathBuf,
    /// Device to estimate times for: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    #[command(flatten)]
    changes: Changes,
    /// Print the arms as JSON.
    #[arg(long)]
    json: bool,
}

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
    let experiment = Experiment::load(&args.file, &args.changes.overrides(vec![]))?;
    let plan = Plan::new(&experiment, &args.device, calibration::read(&args.device).as_ref());
    let text = if args.json {
        let arms = serde_json::json!({ "arms": plan.arms, "warnings": plan.warnings() });
        serde_json::to_string_pretty(&arms).map_err(|error| Error::input("plan", error.to_string(), "report this"))? + "\n"
    } else {
        let warnings: BTreeSet<String> = plan.arms.iter().filter_map(|arm| args.device.ignores(arm.activations)).collect();
        let text = table(&plan) + &operators(&plan);
        warnings.into_iter().fold(text, |text, warning| format!("{text}warning: {warning}\n"))
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The plan for people.
fn table(plan: &Plan) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["arm", "changes, against its reference", "parameters", "FLOPs/token", "kept for backward", "paired", "time per run"]);
    for arm in &plan.arms {
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let residual = arm.solved.as_ref().map(|solved| format!("\n({:+.2} %)", 100.0 * solved.residual)).unwrap_or_default();
        table.add_row([
            Cell::new(&arm.name),
            Cell::new(changes(plan, arm)),
            right(grouped(arm.parameters) + &residual),
            right(format!("{:.3e}", arm.flops_per_token)),
            right(kept(arm)),
            right(arm.paired_parameters.map(|share| format!("{:.1} %", 100.0 * share)).unwrap_or_default()),
            right(arm.seconds_per_run.map_or("unknown".into(), duration)),
        ]);
    }
    let runs = plan.arms.len() * plan.seeds.len();
    let seconds: Option<f64> =
        plan.arms.iter().map(|arm| arm.seconds_per_run).sum::<Option<f64>>().map(|all| all * plan.seeds.len() as f64);
    let comparisons = plan.comparisons().count();
    let mut lines = vec![plan.question.clone(), table.to_string()];
    lines.push(format!(
        "{} arms × {} seeds = {runs} runs of {} tokens ({:.1} per parameter); {comparisons} comparisons of {} at α = {}; training time one after the other: {}",
        plan.arms.len(),
        plan.seeds.len(),
        grouped(plan.arms[0].tokens),
        plan.tokens_per_parameter,
        plan.metric,
        plan.alpha,
        seconds.map_or("unknown".into(), duration)
    ));
    lines.join("\n") + "\n"
}

/// Memory of a micro-batch, by which policy if it is not the default one, and what that costs.
fn kept(arm: &PlannedArm) -> String {
    let mut lines = vec![bytes(arm.kept_bytes)];
    if arm.activations != Activations::All {
        lines.push(arm.activations.to_string());
    }
    if arm.recomputed_flops_per_token > 0.0 {
        lines.push(format!("(+{:.1} % FLOPs)", 100.0 * arm.recomputed_flops_per_token / arm.flops_per_token));
    }
    lines.join("\n")
}

/// Bytes in the unit that people would use.
fn bytes(count: f64) -> String {
    match count {
        b if b < 1e6 => format!("{:.0} kB", b / 1e3),
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

/// How the operators are computed: in a line where all arms have one path, else arm by arm with the reasons.
fn operators(plan: &Plan) -> String {
    let groups = |arm: &PlannedArm| {
        let mut groups: Vec<((String, String), Vec<String>)> = vec![];
        for row in &arm.operators {
            let key = (row.path.clone(), row.reason.clone());
            let name = if row.variant.is_empty() { row.operator.clone() } else { format!("{} ({})", row.operator, row.variant) };
            match groups.iter_mut().find(|(found, _)| *found == key) {
                Some((_, names)) => names.push(name),
                None => groups.push((key, vec![name])),
            }
        }
        groups
    };
    let by_arm: Vec<_> = plan.arms.iter().map(|arm| (&arm.name, groups(arm))).collect();
    let (path, reason) = &by_arm[0].1[0].0;
    if by_arm.iter().all(|(_, groups)| groups.iter().all(|((other, _), _)| other == path)) {
        return format!("operators of all arms: {path} ({reason})\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["arm", "path", "operators", "because"]);
    for (arm, groups) in &by_arm {
        for (index, ((path, reason), names)) in groups.iter().enumerate() {
            table.add_row([if index == 0 { arm.as_str() } else { "" }, path, &names.join(", "), reason]);
        }
    }
    let warnings: String = plan.warnings().iter().map(|warning| format!("warning: {warning}\n")).collect();
    format!("\n{table}\n{warnings}")
}

fn changes(plan: &Plan, arm: &PlannedArm) -> String {
    if arm.control {
        return format!("nothing numerical (A/A control): {}", arm.named.join(", "));
    }
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".into());
    // Options that only one of two kinds has are many and say little: by name only.
    let (options, told): (Vec<Difference>, Vec<Difference>) = plan
        .changes(arm)
        .into_iter()
        .partition(|change| change.origin.starts_with("derived") && (change.base.is_none() || change.arm.is_none()));
    let mut lines: Vec<String> = told
        .iter()
        .map(|change| {
            let mark = if change.origin == "named" { String::new() } else { format!(" ({})", change.origin) };
            format!("{}: {} → {}{mark}", change.key, value(&change.base), value(&change.arm))
        })
        .collect();
    if !options.is_empty() {
        let keys: Vec<&str> =
            options.iter().map(|change| change.key.rsplit_once('.').map_or(change.key.as_str(), |(_, name)| name)).collect();
        lines.push(format!("with the options of the kind: {}", keys.join(", ")));
    }
    lines.join("\n")
}

/// 6738415616 as 6,738,415,616.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds in the unit that people would use.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 100.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 100.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([2.4e4, 1.26e7, 3.21e9].map(bytes), ["24 kB", "13 MB", "3.2 GB"]);
        assert_eq!([0, 999, 1000, 6_738_415_616].map(grouped), ["0", "999", "1,000", "6,738,415,616"]);
        assert_eq!([3.4, 240.0, 7200.0, 864_000.0].map(duration), ["3 s", "4 min", "2.0 h", "10.0 days"]);
    }
}
