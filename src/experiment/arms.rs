//! An experiment as resolved: every arm explicit, matched and proven.

use super::{
    Difference, Role,
    design::{Effect, Layer},
    matching::Solved,
    resolve::{Resolved, resolve},
    spec::{BASE, ExperimentConfig, PublishedConfig, Seeds},
};
use crate::{
    settings::{Document, Error, Problem, Result},
    train::{RunConfig, RunSpec},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What the command line changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--set`: values for the base and all arms, below what the arms name.
    pub set: Vec<String>,
    /// `--steps`: optimizer steps; warm-up, decay and evaluation in proportion. Sizes, budgets and rungs of tuning that name
    /// steps of their own are rescaled by the same factor.
    pub steps: Option<usize>,
    /// `--seeds`: so many seeds.
    pub seeds: Option<u64>,
    /// `--only`: train only these arms, and the base.
    pub only: Vec<String>,
}

/// An experiment as resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// As written.
    pub config: ExperimentConfig,
    /// Its file, as the user named it.
    pub file: PathBuf,
    /// What the command line changed.
    pub overrides: Overrides,
    /// The seeds; of sequential ones all that may be needed.
    pub seeds: Vec<u64>,
    /// The base, then the arms in the order of the design.
    pub arms: Vec<Arm>,
    /// The comparisons of a factorial design.
    pub effects: Vec<Effect>,
    /// What the design asked for and is not run, in words.
    pub left_out: Vec<String>,
    /// What `--steps` does to every number of steps that is written.
    pub(super) scale: f64,
}

/// An arm as resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Name.
    pub name: String,
    /// A remark for the reader.
    pub note: Option<String>,
    /// What it is there for.
    pub role: Role,
    /// Levels of the factors.
    pub levels: BTreeMap<String, Value>,
    /// The size, in a ladder of sizes; none for the base's own.
    pub size: Option<String>,
    /// The keys that the arm itself sets.
    pub named: Vec<String>,
    /// Whether none of these has a numerical effect.
    pub control: bool,
    /// The arms it is compared with, its own reference first; in a ladder, the base second. Empty where nothing is compared.
    pub references: Vec<String>,
    /// The arm whose time it is matched to; none where time is not matched.
    pub timed_by: Option<String>,
    /// The run with seed 0, before tuning, and before the number of steps is solved for time.
    pub spec: RunSpec,
    /// The same as written, for runs of other lengths.
    pub written: RunConfig,
    /// Hash of `spec`.
    pub(super) id: String,
    /// The changes that it makes.
    pub(super) layers: Vec<Layer>,
    /// What differs from the base.
    pub differences: Vec<Difference>,
    /// What was solved.
    pub solved: Vec<Solved>,
    /// Share of the parameters that start from the same noise as the reference's.
    pub paired_parameters: Option<f64>,
    /// What tuning tries; empty without tuning.
    pub trials: Vec<Trial>,
}

/// Settings that tuning tries.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Values by key.
    pub settings: BTreeMap<String, Value>,
    /// The run with these settings as written.
    pub written: RunConfig,
}

/// A run of another length and seed. A configuration that resolves at one length resolves at any other: warm-up and decay
/// shrink with it.
pub(super) fn run_of(written: &RunConfig, steps: usize, seed: u64) -> RunSpec {
    let mut written = written.clone();
    written.rescale(steps);
    written.train.seed = seed;
    written.resolve().expect("what resolves at one length resolves at another")
}

impl Experiment {
    /// Reads an experiment and resolves every arm. Trains nothing and runs no tokenizer.
    ///
    /// # Errors
    ///
    /// Everything wrong in the files or on the command line; an arm that changes nothing, cannot be matched, or differs
    /// from the base in anything that was not named.
    pub fn load(file: &Path, overrides: &Overrides) -> Result<Self> {
        let document = Document::load(file)?;
        let config: ExperimentConfig = document.parse()?;
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(document.locate(problems));
        }
        let seeds = seeds(&config.seeds, overrides.seeds)?;
        let resolved = resolve(&document, &config, overrides)?;
        let names: Vec<&str> = resolved.arms.iter().map(|arm| arm.name.as_str()).collect();
        if let Some(unknown) = overrides.only.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(Error::input(format!("--only {unknown}"), "no such arm", format!("the arms are {}", names.join(", "))));
        }
        check_metrics(&document, &config, &resolved.arms[0].spec)?;
        check_published(&document, &config, &names)?;
        let Resolved { arms, effects, left_out, scale } = resolved;
        Ok(Self { config, file: file.to_path_buf(), overrides: overrides.clone(), seeds, arms, effects, left_out, scale })
    }

    /// The base.
    pub fn base(&self) -> &Arm {
        &self.arms[0]
    }

    /// The arm of a name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }
}

fn seeds(written: &Seeds, count: Option<u64>) -> Result<Vec<u64>> {
    let wrong = |count: u64, message: String| Err(Error::input(format!("--seeds {count}"), message, "a verdict needs 3 seeds or more"));
    match (written, count) {
        (_, Some(0)) => wrong(0, "zero seeds train nothing".into()),
        (Seeds::List(list), Some(count)) if count as usize > list.len() => {
            wrong(count, format!("the experiment lists {} seeds", list.len()))
        }
        (Seeds::List(list), Some(count)) => Ok(list[..count as usize].to_vec()),
        (_, Some(count)) if count > 10_000 => wrong(count, "more than 10,000 seeds".into()),
        (Seeds::Count(_), Some(count)) => Ok(Seeds::Count(count).list()),
        (Seeds::Sequential(_), Some(count)) => wrong(count, "this experiment adds seeds until its comparisons are decided".into()),
        (written, None) => Ok(written.list()),
    }
}

fn check_metrics(document: &Document, config: &ExperimentConfig, base: &RunSpec) -> Result<()> {
    let known = base.metrics();
    let help = format!("evaluated are {}; `evaluation.context_multiples` adds contexts", known.join(", "));
    let asked = std::iter::once(("metric".to_string(), &config.metric))
        .chain(config.metrics.iter().enumerate().map(|(i, metric)| (format!("metrics[{i}]"), metric)));
    let problems: Vec<Problem> = asked
        .filter(|(_, metric)| !known.contains(metric))
        .map(|(key, metric)| Problem::new(key, format!("no run evaluates `{metric}`")).help(&help))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(document.locate(problems)) }
}

/// Published orders rank arms of the experiment.
fn check_published(document: &Document, config: &ExperimentConfig, names: &[&str]) -> Result<()> {
    let unknown = |(i, order): (usize, &PublishedConfig)| {
        let name = order.order.iter().flatten().find(|name| !names.contains(&name.as_str()))?;
        Some(
            Problem::new(format!("published[{i}].order"), format!("there is no arm `{name}`"))
                .help(format!("the arms are {}", names.join(", "))),
        )
    };
    let problems: Vec<Problem> = config.published.iter().enumerate().filter_map(unknown).collect();
    if problems.is_empty() { Ok(()) } else { Err(document.locate(problems)) }
}

/// How an arm is spoken of.
pub(super) fn described(name: &str) -> String {
    if name == BASE { "the base".into() } else { format!("`{name}`") }
}
