//! How each arm's settings were tuned: sensitivity by key and rung, and what was chosen.

use super::{drawing, legend, place};
use crate::{
    experiment::{Rung, Summary, TuningSummary},
    report::{
        number,
        svg::{Sensitivity, SensitivityPlot, Tried},
        words,
    },
    settings::written,
};
use minijinja::{Value, context};
use serde_json::Value as Setting;
use std::{cmp::Ordering, collections::BTreeSet};

/// Most drawings; a grid with more keys is cut, and says so.
const PLOTS: usize = 24;

/// A drawing per key and rung, and a row per arm.
pub fn section(summary: &Summary) -> Value {
    let keys: BTreeSet<&str> = trials(summary).flat_map(|trial| trial.settings.keys().map(String::as_str)).collect();
    let rungs = summary.tuning.iter().map(|tuning| tuning.rungs.len()).max().unwrap_or(0);
    // A row per key, a drawing per rung.
    let rows = keys
        .iter()
        .take(PLOTS / rungs.max(1))
        .enumerate()
        .map(|(row, key)| (0..rungs).filter_map(|rung| plot(summary, row * rungs + rung, key, rung)).map(drawing).collect::<Vec<_>>());
    let plots: Vec<Vec<Value>> = rows.filter(|row| !row.is_empty()).collect();
    context! {
        plots,
        cut => keys.len().saturating_sub(PLOTS / rungs.max(1)),
        legend => legend(summary, |name| summary.tuning.iter().any(|tuning| tuning.arm == name)),
        keys => keys.len(),
        rungs,
        lost => trials(summary).any(|trial| trial.mean.is_none()),
        rows => summary.tuning.iter().map(|tuning| row(summary, tuning)).collect::<Vec<_>>(),
        edges => summary.tuning.iter().any(|tuning| !tuning.edges.is_empty()),
    }
}

fn trials(summary: &Summary) -> impl Iterator<Item = &crate::experiment::TrialSummary> {
    summary.tuning.iter().flat_map(|tuning| &tuning.rungs).flat_map(|rung| &rung.trials)
}

fn plot(summary: &Summary, at: usize, key: &str, rung: usize) -> Option<String> {
    let mut values: Vec<&Setting> = trials(summary).filter_map(|trial| trial.settings.get(key)).collect();
    values.sort_by(|a, b| order(a, b));
    values.dedup();
    let arms = summary.tuning.iter().filter_map(|tuning| {
        let chosen = words::chosen(tuning).and_then(|trial| trial.settings.get(key));
        let of = tuning.rungs.get(rung)?;
        let last = rung + 1 == tuning.rungs.len();
        Some(Sensitivity {
            name: &tuning.arm,
            index: place(summary, &tuning.arm),
            tried: values.iter().enumerate().filter_map(|(at, value)| tried(of, key, value, at, summary.lower_is_better)).collect(),
            chosen: chosen.filter(|_| last).and_then(|chosen| values.iter().position(|value| *value == chosen)),
        })
    });
    let arms: Vec<Sensitivity> = arms.collect();
    let steps = summary.tuning.iter().find_map(|tuning| tuning.rungs.get(rung)).map_or(0, |rung| rung.steps);
    let metric = words::metric(&summary.metric);
    SensitivityPlot {
        id: &format!("sensitivity-{at}"),
        title: &format!("{metric} against {key}, trials of {} steps", number::count(steps as u64)),
        key: &format!("{key}, {} steps", number::count(steps as u64)),
        quantity: &metric,
        lower_is_better: summary.lower_is_better,
        values: values.iter().map(|value| (value.as_f64(), written(value))).collect(),
        arms,
    }
    .draw()
}

/// The best of a rung's trials with this value, over all others; none where it was not tried.
fn tried(rung: &Rung, key: &str, value: &Setting, at: usize, lower_is_better: bool) -> Option<Tried> {
    let with = || rung.trials.iter().filter(|trial| trial.settings.get(key) == Some(value));
    with().next()?;
    let pick = if lower_is_better { f64::min } else { f64::max };
    Some(Tried { value: at, metric: with().filter_map(|trial| trial.mean).filter(|mean| mean.is_finite()).reduce(pick) })
}

fn order(a: &Setting, b: &Setting) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.to_string().cmp(&b.to_string()),
    }
}

fn row(summary: &Summary, tuning: &TuningSummary) -> Value {
    let tried = || tuning.rungs.iter().flat_map(|rung| &rung.trials);
    let seeds: usize = tried().map(|trial| trial.values.len()).sum();
    let lost: usize = tried().map(|trial| trial.values.values().filter(|value| value.is_none()).count()).sum();
    let decimals = words::decimals(summary).0;
    let chosen = words::chosen(tuning);
    let mean =
        chosen.and_then(|trial| tuning.rungs.iter().rev().find_map(|rung| rung.trials.iter().find(|t| t.trial == trial.trial)?.mean));
    context! {
        arm => &tuning.arm,
        chosen => chosen.map(words::settings),
        mean => mean.map(|mean| number::fixed(mean, decimals)).unwrap_or_else(|| number::NONE.into()),
        trials => tuning.rungs.first().map_or(0, |rung| rung.trials.len()),
        runs => seeds,
        lost => (tuning.chosen.is_some() && lost > 0).then_some(lost),
        edges => &tuning.edges,
    }
}
