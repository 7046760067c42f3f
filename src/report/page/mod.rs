//! `report.html`: the summary as one page that needs nothing else. A file here is a section there.

mod arms;
mod cost;
mod curves;
mod differences;
mod interactions;
mod metrics;
mod published;
mod scaling;
mod tuning;

pub use cost::total;

use super::{curves as runs, provenance::Provenance, svg::swatch, words};
use crate::experiment::{Summary, Verdict};
use minijinja::{Environment, Value, context};
use std::{collections::BTreeSet, path::Path};

/// Arms up to which all curves are shown at first, and long tables are open.
const FEW: usize = 24;
/// Arms whose curves are shown at first where there are more.
const SHOWN: usize = 12;

const TEMPLATES: [(&str, &str); 14] = [
    ("report.html", include_str!("../html/report.html")),
    ("style.css", include_str!("../html/style.css")),
    ("page.js", include_str!("../html/page.js")),
    ("macros.html", include_str!("../html/macros.html")),
    ("results.html", include_str!("../html/results.html")),
    ("differences.html", include_str!("../html/differences.html")),
    ("interactions.html", include_str!("../html/interactions.html")),
    ("curves.html", include_str!("../html/curves.html")),
    ("tuning.html", include_str!("../html/tuning.html")),
    ("scaling.html", include_str!("../html/scaling.html")),
    ("published.html", include_str!("../html/published.html")),
    ("tables.html", include_str!("../html/tables.html")),
    ("limits.html", include_str!("../html/limits.html")),
    ("plots.css", include_str!("../html/plots.css")),
];

/// The page. Everything that a user wrote passes through the template's escaping.
pub fn render(folder: &Path, summary: &Summary) -> String {
    let mut environment = Environment::new();
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).expect("the templates are part of the program and tested");
    }
    let provenance = Provenance::read(folder, summary);
    let curves = runs::read(folder, summary);
    let values = context! {
        name => &summary.name,
        question => &summary.question,
        answer => words::answer(summary),
        source => &summary.source,
        expected => &summary.expected,
        metric => words::metric(&summary.metric),
        better => if summary.lower_is_better { "lower" } else { "higher" },
        reading => words::reading(summary),
        limits => words::limits(summary),
        pilot => words::pilot(summary),
        warnings => &summary.warnings,
        post_hoc => &summary.post_hoc,
        matched => &summary.matched,
        left_out => &summary.left_out,
        command => &summary.command,
        version => &summary.version,
        many => summary.arms.len() > FEW,
        arms => arms::rows(summary),
        results => arms::columns(summary),
        hidden => hidden(summary),
        differences => differences::section(summary),
        interactions => interactions::section(summary),
        curves => curves::section(summary, &curves),
        tuning => tuning::section(summary),
        scaling => scaling::sizes(summary),
        compute => scaling::budgets(summary),
        published => published::section(summary),
        factors => summary.factors.iter().map(|factor| factor.text.clone()).collect::<Vec<_>>(),
        cost => cost::section(summary),
        further => metrics::further(summary),
        seeds => summary.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        by_seed => metrics::by_seed(summary, &provenance),
        facts => provenance.facts(summary).into_iter().map(|(name, value)| context! { name, value }).collect::<Vec<_>>(),
    };
    let template = environment.get_template("report.html").expect("added above");
    template.render(values).expect("the template uses what is given above, and is tested")
}

/// Places of the arms whose curves are not shown at first: where there are many, all but the base and the best.
fn hidden(summary: &Summary) -> Vec<usize> {
    if summary.arms.len() <= FEW {
        return vec![];
    }
    let sign = if summary.lower_is_better { 1.0 } else { -1.0 };
    let rank = |at: &usize| match (&summary.arms[*at].verdict, summary.arms[*at].mean) {
        (Verdict::Base, _) => f64::NEG_INFINITY,
        (_, Some(mean)) if mean.is_finite() => sign * mean,
        _ => f64::INFINITY,
    };
    let mut order: Vec<usize> = (0..summary.arms.len()).collect();
    order.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    let mut hidden = order.split_off(SHOWN);
    hidden.sort_unstable();
    hidden
}

/// Entries of a legend: those of these arms, the ones that are shown at first before the others.
fn legend(summary: &Summary, has: impl Fn(&str) -> bool) -> Vec<Value> {
    let hidden: BTreeSet<usize> = hidden(summary).into_iter().collect();
    let mut entries: Vec<(bool, usize)> =
        (0..summary.arms.len()).filter(|at| has(&summary.arms[*at].name)).map(|at| (hidden.contains(&at), at)).collect();
    entries.sort_unstable();
    let entry = |(hidden, at): (bool, usize)| context! { at, hidden, name => &summary.arms[at].name, swatch => drawing(swatch(at)) };
    entries.into_iter().map(entry).collect()
}

/// The colour class of a verdict.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equal",
        Verdict::Base | Verdict::NoDifference | Verdict::Undecided | Verdict::NotCompared => "open",
    }
}

/// Place of an arm by its name: its colour.
fn place(summary: &Summary, name: &str) -> usize {
    summary.arms.iter().position(|arm| arm.name == name).unwrap_or(0)
}

/// A drawing is text of the page, written by us with every name escaped.
fn drawing(svg: String) -> Value {
    Value::from_safe_string(svg)
}
