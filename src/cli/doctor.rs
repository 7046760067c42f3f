//! `ablate doctor`: check every operator on a device against its float64 reference.

use super::{
    allocator,
    text::{self, json},
};
use ablate::{
    Result,
    device::DeviceName,
    doctor::{self, Asked, Check, Diagnosis, Mode, System},
    ops::{Op, OperatorPath, Path},
};
use comfy_table::{Cell, CellAlignment};
use std::{io::IsTerminal, process::ExitCode};

/// Check every operator on a device against its float64 reference.
///
/// Runs every operator forward and backward over shapes and options that cover it, fused and composed, and compares outputs
/// and gradients. Exit code 3 if one is off.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    /// Only this implementation of the operators: fused or composed. Both by default.
    #[arg(long, value_name = "PATH")]
    only: Option<Path>,
    /// Only this element type: f32, bf16-products (f32 that matrix products read as bf16), bf16 or f16. All by default.
    #[arg(long, value_name = "TYPE", value_parser = mode)]
    dtype: Option<Mode>,
    /// Only this operator, by its name in the table. All by default.
    #[arg(long, value_name = "OPERATOR", value_parser = operator)]
    op: Option<Op>,
    /// Print the diagnosis as JSON.
    #[arg(long)]
    json: bool,
    /// Make the expected values of an operator wrong, to see that it is found.
    #[arg(long, hide = true, value_name = "OPERATOR", value_parser = operator)]
    distort: Option<Op>,
}

fn operator(name: &str) -> Result<Op, String> {
    let names = || Op::ALL.map(Op::name).join(", ");
    Op::ALL.into_iter().find(|op| op.name() == name).ok_or_else(|| format!("no such operator; there are {}", names()))
}

fn mode(name: &str) -> Result<Mode, String> {
    let found = Mode::ALL.into_iter().find(|mode| mode.name().replace(' ', "-") == name);
    found.ok_or_else(|| "expected f32, bf16-products, bf16 or f16".into())
}

/// Runs the verb: 0 when all checks pass, 3 when some miss.
pub fn run(args: Args) -> Result<ExitCode> {
    let system = doctor::system(allocator::name());
    let watched = std::io::stderr().is_terminal();
    let mut tell = |operator: &str| {
        if watched {
            eprint!("\r{operator:24}");
        }
    };
    let diagnosis =
        doctor::examine(&args.device, Asked { only: args.only, mode: args.dtype, op: args.op, distorted: args.distort }, &mut tell)?;
    if watched {
        eprint!("\r{:24}\r", "");
    }
    let text = if args.json {
        let all = serde_json::json!({ "system": system, "diagnosis": diagnosis });
        json("diagnosis", &all)?
    } else {
        told(&system, &diagnosis)
    };
    super::print(&text)?;
    Ok(ExitCode::from(if diagnosis.passed { 0 } else { 3 }))
}

/// Everything for people.
fn told(system: &System, diagnosis: &Diagnosis) -> String {
    let mut text = machine(system);
    text += &format!("\nOperators on {}, as they run:\n{}\n", diagnosis.device, capabilities(&diagnosis.capabilities));
    text += &format!("\nLargest error against float64, of outputs and gradients:\n{}\n", checks(&diagnosis.checks));
    let missed: Vec<&Check> = diagnosis.checks.iter().filter(|check| !check.passed).collect();
    for check in &missed {
        text += &format!("\n{}, {}, {}:\n", check.operator, check.dtype, check.path);
        if check.results == 0 {
            text += "  nothing was compared\n";
        }
        for miss in check.misses.iter().take(SHOWN) {
            let what = miss.message.clone().unwrap_or_else(|| format!("error {}", error(miss.error)));
            text += &format!("  {}: {}: {what}\n", miss.case, miss.result);
        }
        if check.misses.len() > SHOWN {
            text += &format!("  and {} more\n", check.misses.len() - SHOWN);
        }
    }
    let results: usize = diagnosis.checks.iter().map(|check| check.results).sum();
    let verdict = match missed.len() {
        0 => "passed".into(),
        count => format!("{count} of {} checks MISSED", diagnosis.checks.len()),
    };
    text + &format!("\n{}: {verdict} ({results} results in {:.0} s)\n", diagnosis.device, diagnosis.seconds)
}

/// Misses of a check that are shown one by one.
const SHOWN: usize = 5;

fn machine(system: &System) -> String {
    let processor = &system.processor;
    let bf16 = if processor.bf16 { "with bf16" } else { "without bf16" };
    let mut lines = vec![
        format!("ablate {}", system.version),
        format!(
            "processor   {}, {} in use, {bf16}, {} threads; allocator: {}",
            processor.architecture, processor.instructions, processor.threads, processor.allocator
        ),
    ];
    for found in &system.backends {
        let devices = found.problem.clone().unwrap_or_else(|| found.devices.join(", "));
        lines.push(format!("{:11} {devices}", found.backend));
    }
    if let Some(version) = &system.cublaslt {
        lines.push(format!("cuBLASLt    {version}, for the products of fused operators on CUDA"));
    }
    lines.join("\n") + "\n"
}

/// A line per operator, a column per element type; below, why.
fn capabilities(rows: &[OperatorPath]) -> String {
    let distinct = |of: fn(&OperatorPath) -> String| {
        let mut values: Vec<String> = vec![];
        rows.iter().map(of).for_each(|value| {
            if !values.contains(&value) {
                values.push(value);
            }
        });
        values
    };
    let dtypes = distinct(|row| row.dtype.clone());
    let header: Vec<&str> = std::iter::once("operator").chain(dtypes.iter().map(String::as_str)).collect();
    let mut table = text::table(&header);
    for operator in distinct(|row| row.operator.clone()) {
        let path = |dtype: &String| rows.iter().find(|row| row.operator == operator && row.dtype == *dtype).map_or("", |row| &row.path);
        table.add_row(std::iter::once(operator.as_str()).chain(dtypes.iter().map(path)));
    }
    let reasons = distinct(|row| format!("{}, {}: {}", row.path, row.dtype, row.reason));
    format!("{}\n{}", table.trim_fmt(), reasons.join("\n"))
}

fn checks(checks: &[Check]) -> String {
    let mut table = text::table(&["operator", "type", "path", "cases", "worst", "allowed", "", "where"]);
    for check in checks {
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&check.operator),
            Cell::new(&check.dtype),
            Cell::new(&check.path),
            right(check.cases.to_string()),
            right(error(check.worst_error)),
            right(format!("{:.0e}", check.tolerance)),
            Cell::new(if check.passed { "ok" } else { "MISS" }),
            Cell::new(&check.worst),
        ]);
    }
    table.trim_fmt()
}

fn error(error: Option<f64>) -> String {
    error.map_or("no number".into(), |error| format!("{error:.1e}"))
}
