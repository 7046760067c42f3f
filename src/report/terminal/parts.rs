//! What stands below the verdicts: tuning, size, compute, cost, a line each.

use crate::{
    experiment::{Summary, TuningSummary},
    report::{number, page::total, words},
};

/// Lines of a part that are shown; of more, the page shows the rest.
const LINES: usize = 40;

/// The parts that this experiment has, each with a title.
pub fn parts(summary: &Summary) -> Vec<(&'static str, Vec<String>)> {
    let equal: Vec<String> = summary.matched.clone();
    let tuning = summary.tuning.iter().map(tuned).collect();
    let mut sizes = Vec::new();
    if let Some(scaling) = &summary.scaling {
        for curve in &scaling.curves {
            let interval = |fit: [f64; 2]| format!(" ({} to {})", number::fixed(fit[0], 3), number::fixed(fit[1], 3));
            sizes.push(match (&curve.fit, &curve.note) {
                (Some(fit), _) => format!(
                    "{}: exponent {}{}{}",
                    curve.arm,
                    number::fixed(fit.exponent, 3),
                    fit.exponent_ci95.map(interval).unwrap_or_default(),
                    fit.floor.map(|floor| format!(", floor {}", number::fixed(floor, 3))).unwrap_or_default()
                ),
                (None, Some(note)) => format!("{}: no fit: {note}", curve.arm),
                (None, None) => format!("{}: no fit", curve.arm),
            });
        }
        sizes.extend(scaling.trends.iter().map(|trend| format!("{}: {}", trend.arm, trend.text)));
    }
    let compute = summary.compute.iter().flat_map(|compute| &compute.arms).map(|worth| format!("{}: {}", worth.arm, worth.text)).collect();
    let left_out = match summary.left_out.len() {
        0 => vec![],
        n => vec![format!("{}: {}", words::plural(n, "cell"), words::some(&summary.left_out, 4))],
    };
    let mut parts = vec![
        ("Made equal between the arms", equal),
        ("Tuning", tuning),
        ("Loss against size", sizes),
        ("What the arms' compute is worth", compute),
        ("What others found", summary.published.iter().map(|order| order.text.clone()).collect()),
        ("Which factors matter", summary.factors.iter().map(|factor| factor.text.clone()).collect()),
        ("Left out of the design", left_out),
        ("Cost", cost(summary).into_iter().collect()),
    ];
    parts.retain(|(_, lines)| !lines.is_empty());
    for (_, lines) in &mut parts {
        let more = lines.len().saturating_sub(LINES);
        lines.truncate(LINES);
        lines.extend((more > 0).then(|| format!("and {more} more, in report.html")));
    }
    parts
}

/// What was chosen for an arm, and whether it lies on an edge.
fn tuned(tuning: &TuningSummary) -> String {
    let Some(trial) = words::chosen(tuning) else { return format!("{}: not decided yet", tuning.arm) };
    let edges = match tuning.edges.as_slice() {
        [] => String::new(),
        edges => format!("; on the edge: {}", edges.join(", ")),
    };
    format!("{}: {}{edges}", tuning.arm, words::settings(trial).join(", "))
}

fn cost(summary: &Summary) -> Option<String> {
    let cost = total(summary);
    let tuning = if cost.tuning_runs > 0 { format!(", {} of them tuning", cost.tuning_runs) } else { String::new() };
    let memory = cost.peak_memory_bytes.map(|bytes| format!(", at most {} in a run", number::bytes(bytes))).unwrap_or_default();
    (cost.runs > 0).then(|| {
        format!(
            "{}{tuning}, {} tokens, {} FLOPs, {}{memory}",
            words::plural(cost.runs, "run"),
            number::short(cost.tokens as f64),
            number::short(cost.flops),
            number::duration(cost.seconds)
        )
    })
}
