//! `ablate diff`: two runs side by side.

use super::text::{self, json, right};
use ablate::{
    Result,
    experiment::{RunDiff, compare},
};
use comfy_table::{Cell, Table};
use std::{path::PathBuf, process::ExitCode};

/// Compare two runs: specifications, metrics, and the step at which their losses part.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run, e.g. runs/quickstart/base/seed-0.
    #[arg(value_name = "RUN")]
    first: PathBuf,
    /// Folder of another one.
    #[arg(value_name = "RUN")]
    second: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let diff = compare(&args.first, &args.second)?;
    let text = if args.json { json("diff", &diff)? } else { words(&diff) };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn words(diff: &RunDiff) -> String {
    let mut lines = Vec::new();
    let row = |table: &mut Table, name: &str, values: [String; 2]| {
        let cells = values.map(right);
        table.add_row([Cell::new(name)].into_iter().chain(cells));
    };
    if diff.spec.is_empty() {
        lines.push("the same specification".to_string());
    } else {
        let mut table = text::table(&[if diff.same_id { "key, without effect on numbers" } else { "key" }, "first", "second"]);
        for change in &diff.spec {
            let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".into());
            row(&mut table, &change.key, [show(&change.base), show(&change.arm)]);
        }
        lines.push(table.to_string());
    }
    if !diff.metrics.is_empty() {
        let mut table = text::table(&["metric", "first", "second"]);
        for (name, values) in &diff.metrics {
            row(&mut table, name, values.map(|value| value.map_or("absent".into(), |value| value.to_string())));
        }
        lines.push(table.to_string());
    }
    lines.push(match (diff.parted, diff.common_steps) {
        (Some(parting), _) => {
            let [first, second] = parting.losses;
            format!("losses part at step {}: {first} and {second}", parting.step)
        }
        (None, 0) => "no step was logged by both".into(),
        (None, steps) => format!("losses are equal, bit for bit, at all {steps} steps that both have logged"),
    });
    lines.extend(diff.same_data.map(|same| format!("{} batches", if same { "the same" } else { "other" })));
    lines.join("\n") + "\n"
}
