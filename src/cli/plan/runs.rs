//! The runs of a plan for people and programs.

use crate::cli::text::{self, bytes, duration, grouped, right};
use ablate::experiment::{Job, Plan, Stage};
use comfy_table::Cell;
use std::collections::BTreeSet;

/// Every run: its id, what it is for, and what it costs.
pub(super) fn table(plan: &Plan, jobs: &[Job], left: &[Job]) -> String {
    let mut table = text::table(&["run", "arm", "changes", "seed", "for", "tokens", "FLOPs", "time", "disk", ""]);
    for job in jobs {
        let price = plan.price_of(job);
        table.add_row([
            Cell::new(&job.id),
            Cell::new(&job.arm),
            Cell::new(changes(plan, job)),
            right(job.seed),
            Cell::new(purpose(job.stage)),
            right(grouped(price.tokens)),
            right(format!("{:.2e}", price.flops)),
            right(price.seconds.map_or("unknown".into(), duration)),
            right(bytes(price.disk_bytes as f64)),
            Cell::new(if left.contains(job) { "" } else { "done" }),
        ]);
    }
    format!("\n{table}\n{}", more(plan, jobs.len()))
}

/// How many runs are not known yet, and what decides them.
pub(super) fn more(plan: &Plan, known: usize) -> String {
    let open = plan.arms.iter().filter(|arm| arm.runs.is_empty());
    let stages: BTreeSet<&str> = open.flat_map(|arm| &arm.preparation).map(|job| word(job.stage)).collect();
    let decided: Vec<&str> = stages.into_iter().chain(plan.sequential.map(|_| "looks at the results")).collect();
    let more = plan.price.runs.saturating_sub(known);
    if more == 0 || decided.is_empty() {
        return String::new();
    }
    let most = if plan.sequential.is_some() { "at most " } else { "" };
    format!("{most}{more} more {}: decided by {}\n", if more == 1 { "follows" } else { "follow" }, decided.join(", then by "))
}

/// What a run changes against its arm's reference, by the last two parts of each key; of a trial, what it tries.
fn changes(plan: &Plan, job: &Job) -> String {
    let Some(arm) = plan.arm(&job.arm) else { return String::new() };
    let short = |key: &str| key.rsplitn(3, '.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(".");
    let named = plan.changes(arm).into_iter().filter(|change| matches!(change.origin.as_str(), "named" | "tuned"));
    let mut parts: Vec<String> = named.map(|change| short(&change.key)).collect();
    if let Stage::Tune { rung, trial } = job.stage {
        let rung = arm.tuning.as_ref().and_then(|tuning| tuning.rungs.get(rung));
        let tried = rung.and_then(|rung| rung.trials.iter().find(|tried| tried.trial == trial));
        parts.extend(tried.iter().flat_map(|tried| &tried.settings).map(|(key, value)| format!("{} = {value}", short(key))));
    }
    parts.join(", ")
}

/// A run as JSON.
pub(super) fn json(plan: &Plan, job: &Job, done: bool) -> serde_json::Value {
    serde_json::json!({ "job": job, "changes": changes(plan, job), "price": plan.price_of(job), "done": done })
}

fn purpose(stage: Stage) -> String {
    match stage {
        Stage::Tune { rung, trial } => format!("tuning, rung {rung}, trial {trial}"),
        Stage::Compare | Stage::Time => word(stage).into(),
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Compare => "comparison",
        Stage::Tune { .. } => "tuning",
        Stage::Time => "timing",
    }
}
