//! `report.html`: the summary as one page that needs nothing else.

use super::{
    curves::{self, ArmCurves},
    number,
    provenance::Provenance,
    svg::{Forest, LinePlot, Mark, Series, swatch},
    words,
};
use crate::experiment::{ArmSummary, Comparison, Summary, Verdict};
use minijinja::{Environment, Value, context};
use std::path::Path;

/// The page. Everything that a user wrote passes through the template's escaping.
pub fn render(folder: &Path, summary: &Summary) -> String {
    let mut environment = Environment::new();
    for (name, text) in [
        ("report.html", include_str!("html/report.html")),
        ("tables.html", include_str!("html/tables.html")),
        ("style.css", include_str!("html/style.css")),
        ("copy.js", include_str!("html/copy.js")),
    ] {
        environment.add_template(name, text).expect("the templates are part of the program and tested");
    }
    let provenance = Provenance::read(folder, summary);
    let values = context! {
        name => &summary.name,
        question => &summary.question,
        answer => words::answer(summary),
        source => &summary.source,
        expected => &summary.expected,
        metric => words::metric(&summary.metric),
        better => if summary.lower_is_better { "lower" } else { "higher" },
        reading => words::reading(summary),
        coverage => words::coverage(summary),
        pilot => words::pilot(summary),
        warnings => &summary.warnings,
        post_hoc => &summary.post_hoc,
        command => &summary.command,
        version => &summary.version,
        arms => summary.arms.iter().enumerate().map(|(index, arm)| arm_row(summary, index, arm)).collect::<Vec<_>>(),
        forest => forest(summary),
        curves => plots(summary, &curves::read(folder, summary)),
        further => further(summary),
        seeds => summary.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        by_seed => by_seed(summary, &provenance),
        facts => provenance.facts(summary).into_iter().map(|(name, value)| context! { name, value }).collect::<Vec<_>>(),
    };
    let template = environment.get_template("report.html").expect("added above");
    template.render(values).expect("the template uses what is given above, and is tested")
}

/// Cells of the main table and of the list of differences.
fn arm_row(summary: &Summary, index: usize, arm: &ArmSummary) -> Value {
    let (decimals, delta_decimals) = words::decimals(summary);
    let differences: Vec<Value> =
        arm.differences.iter().map(|d| context! { key => &d.key, base => &d.base, arm => &d.arm, origin => &d.origin }).collect();
    context! {
        name => &arm.name,
        swatch => Value::from_safe_string(swatch(index)),
        is_base => arm.verdict == Verdict::Base,
        reference => &arm.reference,
        parameters => number::count(arm.parameters),
        flops => number::short(arm.flops_per_token),
        mean => plus_minus(arm.mean, arm.ci95, decimals, false),
        finished => arm.seeds,
        planned => summary.seeds.len(),
        delta => plus_minus(arm.delta, arm.delta_ci95, delta_decimals, true),
        interval => number::interval(arm.delta_ci95, delta_decimals),
        p => number::p_value(arm.p),
        p_adjusted => number::p_value(arm.p_adjusted),
        speed => number::short(arm.tokens_per_second.unwrap_or(f64::NAN)),
        diverged => arm.diverged,
        failed => arm.failed,
        verdict => words::verdict(arm.verdict),
        class => class(arm.verdict),
        text => &arm.verdict_text,
        differences,
        paired => arm.paired_parameters.filter(|share| share.is_finite()).map(|share| format!("{:.1} %", share * 100.0)),
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Base | Verdict::Equivalent | Verdict::NoDifference | Verdict::Undecided | Verdict::NotCompared => "open",
    }
}

/// `1.234 ± 0.012`; without an interval only the number.
fn plus_minus(x: Option<f64>, interval: Option<[f64; 2]>, decimals: usize, sign: bool) -> String {
    let Some(x) = x.filter(|x| x.is_finite()) else { return number::NONE.into() };
    if sign && number::exact_zero(Some(x), interval) {
        return "0 ± 0".into();
    }
    let value = if sign { number::signed(x, decimals) } else { number::fixed(x, decimals) };
    match interval.map(number::half).filter(|half| half.is_finite()) {
        Some(half) => format!("{value} ± {}", number::fixed(half, decimals)),
        None => value,
    }
}

/// The axis and a row per comparison: every arm with its reference, and in a ladder with the base as well.
fn forest(summary: &Summary) -> Value {
    let comparisons: Vec<(&ArmSummary, &Comparison)> =
        summary.arms.iter().flat_map(|arm| arm.comparisons.iter().map(move |comparison| (arm, comparison))).collect();
    let mark = |c: &Comparison| c.delta.map(|delta| Mark { delta, interval: c.delta_ci95, verdict: c.verdict });
    let marks: Vec<Mark> = comparisons.iter().filter_map(|(_, c)| mark(c)).collect();
    let axis = Forest::new(&marks);
    let decimals = number::decimals(comparisons.iter().filter_map(|(_, c)| c.delta_ci95).map(number::half));
    let rows: Vec<Value> = comparisons
        .iter()
        .map(|(arm, comparison)| {
            let mark = mark(comparison);
            let delta = plus_minus(comparison.delta, None, decimals, true);
            let interval = number::interval(comparison.delta_ci95, decimals);
            let label =
                format!("{} against {}: {delta} {interval}, {}", arm.name, comparison.reference, words::verdict(comparison.verdict));
            context! {
                arm => &arm.name,
                reference => &comparison.reference,
                further => arm.reference.as_ref() != Some(&comparison.reference),
                plot => Value::from_safe_string(axis.row(&label, mark.as_ref())),
                delta => if number::exact_zero(comparison.delta, comparison.delta_ci95) { "0".to_string() } else { delta },
                interval,
                p_adjusted => number::p_value(comparison.p_adjusted),
                detectable => comparison.detectable.map(|d| number::fixed(d, decimals)).unwrap_or_else(|| number::NONE.into()),
                pairs => comparison.pairs,
                verdict => words::verdict(comparison.verdict),
                class => class(comparison.verdict),
            }
        })
        .collect();
    context! {
        rows,
        head => Value::from_safe_string(axis.head(summary.lower_is_better)),
        axis => Value::from_safe_string(axis.axis()),
    }
}

/// Training loss and evaluations by step, with what the caption must say.
fn plots(summary: &Summary, curves: &[ArmCurves]) -> Value {
    let series = |curve: fn(&ArmCurves) -> &curves::Curve| {
        let each = summary.arms.iter().zip(curves).enumerate();
        each.map(|(index, (arm, curves))| Series { name: &arm.name, index, curve: curve(curves) }).collect()
    };
    let metric = words::metric(&summary.metric);
    let training =
        LinePlot { id: "training", title: "Training loss by step", quantity: "training loss, nats", series: series(|c| &c.training) };
    let title = format!("{metric} by step");
    let evaluation = LinePlot { id: "evaluation", title: &title, quantity: &metric, series: series(|c| &c.evaluation) };
    let missing: Vec<String> = summary
        .arms
        .iter()
        .zip(curves)
        .flat_map(|(arm, curves)| curves.missing.iter().map(move |seed| format!("{} seed {seed}", arm.name)))
        .collect();
    context! {
        cuts => training.cuts() || evaluation.cuts(),
        strays => curves.iter().any(|c| !c.training.strays.is_empty()),
        bands => curves.iter().any(|c| c.training.seeds > 1),
        plots => [training, evaluation].iter().filter_map(LinePlot::draw).map(Value::from_safe_string).collect::<Vec<_>>(),
        missing => words::enumerate(&missing),
    }
}

/// Metrics besides the primary one: a column each, "undefined" where an arm has none.
fn further(summary: &Summary) -> Value {
    let metrics = words::further_metrics(summary);
    let of = |key: &str| -> Vec<_> { summary.arms.iter().filter_map(|arm| arm.metrics.get(key)).collect() };
    let digits: Vec<(usize, usize)> = metrics
        .iter()
        .map(|key| {
            let found = of(key);
            let means = number::decimals(found.iter().filter_map(|m| m.ci95).map(number::half));
            (means, number::decimals(found.iter().filter_map(|m| m.delta_ci95).map(number::half)))
        })
        .collect();
    let rows: Vec<Value> = summary
        .arms
        .iter()
        .map(|arm| {
            let cells: Vec<Value> = metrics
                .iter()
                .zip(&digits)
                .map(|(key, (decimals, delta_decimals))| match arm.metrics.get(*key) {
                    Some(m) if m.mean.is_some() => context! {
                        mean => plus_minus(m.mean, m.ci95, *decimals, false),
                        delta => m.delta.map(|_| plus_minus(m.delta, m.delta_ci95, *delta_decimals, true)),
                    },
                    _ if arm.seeds == 0 => context! { mean => number::NONE },
                    _ => context! { mean => "undefined" },
                })
                .collect();
            context! { arm => &arm.name, cells }
        })
        .collect();
    context! { metrics => metrics.iter().map(|key| words::metric(key)).collect::<Vec<_>>(), rows }
}

/// The primary metric of every run; where there is none, how the run ended.
fn by_seed(summary: &Summary, provenance: &Provenance) -> Vec<Value> {
    let (means, deltas) = words::decimals(summary);
    let row = |arm: &ArmSummary| {
        let cells: Vec<Value> = summary
            .seeds
            .iter()
            .map(|seed| match (arm.values.get(seed).copied().flatten(), provenance.ending(&arm.name, *seed)) {
                (Some(value), _) if value.is_finite() => context! { text => number::fixed(value, means.max(deltas)) },
                (_, Some((word, reason))) => context! { text => word, lost => true, reason },
                (_, None) => context! { text => "no result", lost => true },
            })
            .collect();
        context! { arm => &arm.name, cells }
    };
    summary.arms.iter().map(row).collect()
}
