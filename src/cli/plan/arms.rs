//! The arms of a plan for people.

use crate::cli::text::{self, bytes, duration, grouped, right};
use ablate::{
    experiment::{Difference, Plan, PlannedArm, Role},
    ops::Activations,
};
use comfy_table::Cell;

/// The question, every arm, what is compared, and what is left out.
pub(super) fn text(plan: &Plan) -> String {
    let mut table =
        text::table(&["arm", "changes, against its reference", "parameters", "FLOPs/token", "kept for backward", "paired", "time per run"]);
    for arm in &plan.arms {
        let residuals: String =
            arm.solved.iter().map(|solved| format!("\n({:+.2} % {})", 100.0 * solved.residual, solved.quantity)).collect();
        table.add_row([
            Cell::new(&arm.name),
            Cell::new(changes(plan, arm)),
            right(grouped(arm.parameters) + &residuals),
            right(format!("{:.3e}", arm.flops_per_token)),
            right(kept(arm)),
            right(arm.paired_parameters.map(|share| format!("{:.1} %", 100.0 * share)).unwrap_or_default()),
            right(arm.seconds_per_run.map_or("unknown".into(), duration)),
        ]);
    }
    let mut lines = vec![plan.question.clone(), table.to_string()];
    if !plan.effects.is_empty() {
        let mut table = text::table(&["effect", "cannot be told from"]);
        for effect in &plan.effects {
            table.add_row([effect.name.clone(), effect.aliases.join(", ")]);
        }
        lines.push(table.to_string());
    }
    lines.extend(plan.left_out.iter().map(|left| format!("left out: {left}")));
    lines.extend(plan.matched_within().iter().map(|matched| format!("equal in every arm: {matched}")));
    if let Some(retune) = &plan.retune {
        let values: Vec<String> = retune.values.iter().map(|(key, values)| format!("{key} of {}", serde_json::json!(values))).collect();
        lines.push(format!("every arm is tuned with the same budget first: {}", values.join(", ")));
    }
    let comparisons = plan.comparisons().count() + plan.effects.len();
    lines.push(format!(
        "{comparisons} comparison{} of {} ({} is better) at α = {}",
        if comparisons == 1 { "" } else { "s" },
        plan.metric,
        if plan.lower_is_better { "lower" } else { "higher" },
        plan.alpha
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

/// How the operators are computed: in a line where all arms have one path, else arm by arm with the reasons.
pub(super) fn operators(plan: &Plan) -> String {
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
    let mut table = text::table(&["arm", "path", "operators", "because"]);
    for (arm, groups) in &by_arm {
        for (index, ((path, reason), names)) in groups.iter().enumerate() {
            table.add_row([if index == 0 { arm.as_str() } else { "" }, path, &names.join(", "), reason]);
        }
    }
    format!("\n{table}\n")
}

fn changes(plan: &Plan, arm: &PlannedArm) -> String {
    if arm.control {
        return format!("nothing numerical (A/A control): {}", arm.named.join(", "));
    }
    if arm.role == Role::BaseOfBudget {
        return format!("{} tokens", grouped(arm.tokens));
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
