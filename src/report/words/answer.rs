//! The answer to the question, in sentences made from the verdicts.

use super::{compared::Compared, comparisons, decimals, enumerate, lost, number, plural};
use crate::experiment::{Summary, Verdict};
use std::collections::BTreeSet;

/// Comparisons of one verdict that are named; of more, the largest.
const NAMED: usize = 8;

const GROUPS: [(Verdict, &str); 5] = [
    (Verdict::Better, "Better"),
    (Verdict::Worse, "Worse"),
    (Verdict::Equivalent, "Equivalent"),
    (Verdict::NoDifference, "No difference found"),
    (Verdict::Undecided, "Undecided"),
];

/// The answer, one sentence per element.
pub fn answer(summary: &Summary) -> Vec<String> {
    let all: Vec<Compared> = comparisons(summary).into_iter().filter(|compared| !compared.further).collect();
    if all.is_empty() {
        return vec!["There is nothing to compare: the experiment has no arm besides its base.".into()];
    }
    let references: BTreeSet<&str> = all.iter().filter_map(|compared| compared.reference).collect();
    let effects = references.is_empty();
    let against = match references.iter().next() {
        Some(one) if references.len() == 1 => format!("than {one}"),
        Some(_) => "than the arm each is compared with".into(),
        None => "than the base's level or the sum of single effects".into(),
    };
    let mut counts: Vec<String> = Vec::new();
    for (verdict, _) in GROUPS {
        let n = all.iter().filter(|compared| compared.comparison.verdict == verdict).count();
        let (is, than) = (if n == 1 { "is" } else { "are" }, if counts.is_empty() { format!(" {against}") } else { String::new() });
        counts.extend((n > 0).then(|| match verdict {
            Verdict::Better => format!("{n} {is} better{than}"),
            Verdict::Worse => format!("{n} {is} worse{than}"),
            Verdict::Equivalent => format!("for {n} the difference is smaller than the margin"),
            Verdict::NoDifference => format!("for {n} no difference was found"),
            _ => format!("{n} {is} undecided"),
        }));
    }
    let what = if effects { plural(all.len(), "effect") } else { plural(all.len(), "arm") };
    let mut sentences = vec![format!("Of {what}, {}.", enumerate(&counts))];

    let decimals = decimals(summary).1;
    for (verdict, label) in GROUPS {
        let mut group: Vec<&Compared> = all.iter().filter(|compared| compared.comparison.verdict == verdict).collect();
        if group.is_empty() {
            continue;
        }
        let left = group.len().saturating_sub(NAMED);
        if left > 0 {
            let size = |compared: &&Compared| compared.comparison.delta.filter(|delta| delta.is_finite()).map_or(0.0, f64::abs);
            group.sort_by(|a, b| size(b).total_cmp(&size(a)));
            group.truncate(NAMED);
        }
        let mut items: Vec<String> = group.iter().map(|compared| item(compared, decimals, references.len() > 1)).collect();
        items.extend((left > 0).then(|| format!("{left} more, smaller")));
        sentences.push(format!("{label}: {}.", items.join("; ")));
    }
    let (diverged, failed) = lost(summary);
    if diverged + failed > 0 {
        sentences.push(format!(
            "{} diverged and {} failed; they are counted, and their pairs are missing from the differences.",
            plural(diverged, "run"),
            failed
        ));
    }
    if !summary.post_hoc.is_empty() {
        sentences.push("The plan was changed after it was frozen, so these results are post hoc.".into());
    }
    sentences
}

fn item(compared: &Compared, decimals: usize, with_reference: bool) -> String {
    let Compared { name, comparison, reference, .. } = compared;
    let against = match reference {
        Some(reference) if with_reference => format!(" against {reference}"),
        _ => String::new(),
    };
    let Some(delta) = comparison.delta.filter(|delta| delta.is_finite()) else {
        return format!("{name} (no pair of finished runs{against})");
    };
    let size = if number::exact_zero(comparison.delta, comparison.delta_ci95) {
        "exactly 0 in every pair".into()
    } else {
        number::plus_minus(Some(delta), comparison.delta_ci95, decimals, true)
    };
    let detectable = comparison.detectable.filter(|d| d.is_finite() && *d > 0.0);
    let power = match (comparison.verdict, detectable) {
        (Verdict::NoDifference, Some(d)) => format!(", smallest detectable {}", number::fixed(d, decimals)),
        _ => String::new(),
    };
    format!("{name} ({size}{against}{power})")
}
