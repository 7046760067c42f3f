//! Interactions of a factorial design: the mean of the cells at the levels of two factors.

use super::drawing;
use crate::{
    experiment::{ArmSummary, EffectSummary, Summary},
    report::{
        svg::{InteractionPlot, LevelLine},
        words,
    },
    settings::written,
};
use minijinja::{Value, context};

/// Most drawings: those of the largest effects.
const PLOTS: usize = 12;
/// What an arm's level is called where it has the base's.
const BASE: &str = "base";
/// From this many characters on a level's name may be the beginning of its value.
const LONG: usize = 64;

/// A drawing per pair of factors, the largest interaction first, with what the effects say.
pub fn section(summary: &Summary) -> Value {
    let mut pairs: Vec<(&[String], f64)> = Vec::new();
    for effect in summary.effects.iter().filter(|effect| effect.factors.len() == 2) {
        let size = effect.comparison.delta.filter(|delta| delta.is_finite()).map_or(0.0, f64::abs);
        match pairs.iter_mut().find(|(factors, _)| *factors == effect.factors.as_slice()) {
            Some((_, largest)) => *largest = largest.max(size),
            None => pairs.push((&effect.factors, size)),
        }
    }
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
    let plots = pairs.iter().take(PLOTS).enumerate().filter_map(|(at, (factors, _))| plot(summary, at, factors));
    context! { plots => plots.collect::<Vec<_>>(), cut => pairs.len().saturating_sub(PLOTS) }
}

fn plot(summary: &Summary, at: usize, factors: &[String]) -> Option<Value> {
    let [across, by] = factors else { return None };
    let (levels, others) = (levels(summary, across), levels(summary, by));
    let line = |other: &String| LevelLine {
        level: other.clone(),
        means: levels.iter().map(|level| mean(summary, [(across, level), (by, other)])).collect(),
    };
    let metric = words::metric(&summary.metric);
    let svg = InteractionPlot {
        id: &format!("interaction-{at}"),
        title: &format!("{metric} by {across}, a line for each {by}"),
        across,
        levels: &levels,
        quantity: &metric,
        lines: others.iter().map(line).collect(),
    }
    .draw()?;
    let text = |effect: &EffectSummary| context! { name => &effect.name, text => &effect.text };
    let effects = summary.effects.iter().filter(|effect| effect.factors == factors).map(text);
    Some(context! { plot => drawing(svg), across, by, effects => effects.collect::<Vec<_>>() })
}

/// The base's level, and the others in the order of the effects.
fn levels(summary: &Summary, factor: &str) -> Vec<String> {
    let mut levels = vec![BASE.to_string()];
    for effect in &summary.effects {
        for (_, level) in effect.factors.iter().zip(&effect.levels).filter(|(other, _)| *other == factor) {
            if !levels.contains(level) {
                levels.push(level.clone());
            }
        }
    }
    levels
}

/// Mean over the cells at these levels; none if one of them has no result, since the others are not the same mixture.
fn mean(summary: &Summary, at: [(&String, &String); 2]) -> Option<f64> {
    let cells = summary.arms.iter().filter(|arm| at.iter().all(|(factor, level)| has(arm, factor, level)));
    let means: Vec<f64> = cells.map(|arm| arm.mean.filter(|mean| mean.is_finite())).collect::<Option<_>>()?;
    (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
}

/// Whether an arm has a factor at this level: the value itself, or its name, which holds no signs and is not long.
fn has(arm: &ArmSummary, factor: &str, level: &str) -> bool {
    let Some(value) = arm.levels.get(factor) else { return level == BASE };
    let text = written(value);
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    text == level || plain == level || (level.len() >= LONG && plain.starts_with(level))
}
