//! The runs of a plan for people and programs.

use crate::cli::text::{self, bytes, duration, grouped, right};
use ablate::experiment::{Job, Plan, Stage};
use comfy_table::Cell;

/// Every run: its id, what it is for, and what it costs.
pub(super) fn table(plan: &Plan, jobs: &[Job], left: &[Job]) -> String {
    let mut table = text::table(&["run", "arm", "seed", "for", "tokens", "FLOPs", "time", "disk", ""]);
    for job in jobs {
        let price = plan.price_of(job);
        table.add_row([
            Cell::new(&job.id),
            Cell::new(&job.arm),
            right(job.seed),
            Cell::new(purpose(job.stage)),
            right(grouped(price.tokens)),
            right(format!("{:.2e}", price.flops)),
            right(price.seconds.map_or("unknown".into(), duration)),
            right(bytes(price.disk_bytes as f64)),
            Cell::new(if left.contains(job) { "" } else { "done" }),
        ]);
    }
    format!("\n{table}\n")
}

/// A run as JSON.
pub(super) fn json(plan: &Plan, job: &Job, done: bool) -> serde_json::Value {
    serde_json::json!({ "job": job, "price": plan.price_of(job), "done": done })
}

fn purpose(stage: Stage) -> String {
    match stage {
        Stage::Compare => "comparison".into(),
        Stage::Tune { rung, trial } => format!("tuning, rung {rung}, trial {trial}"),
        Stage::Time => "timing".into(),
    }
}
