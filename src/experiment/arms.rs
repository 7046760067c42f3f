//! From an experiment as written to arms as resolved: every arm explicit, matched and proven.

use super::{
    Difference,
    matching::{self, Refusal, Solved, solve},
    proof::prove,
    spec::{BASE, Design, ExperimentConfig, MatchConfig, Seeds},
    tree,
};
use crate::{
    data::PATH_KEYS,
    model::paired_share,
    settings::{Document, Error, Problem, Result},
    train::{RunConfig, RunSpec, is_numerical},
};
use std::path::{Path, PathBuf};

/// What the command line changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--set`: values for the base and all arms, below what the arms name.
    pub set: Vec<String>,
    /// `--steps`: optimizer steps; warm-up, decay and evaluation in proportion.
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
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The base, then the arms in the order of the file.
    pub arms: Vec<Arm>,
}

/// An arm as resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Name.
    pub name: String,
    /// A remark for the reader.
    pub note: Option<String>,
    /// The keys that the arm itself sets.
    pub named: Vec<String>,
    /// Whether none of these has a numerical effect.
    pub control: bool,
    /// The arms it is compared with: its reference first; in a ladder, the base second. Empty for the base.
    pub references: Vec<String>,
    /// The run, with seed 0.
    pub spec: RunSpec,
    /// What differs from the base.
    pub differences: Vec<Difference>,
    /// The size that was solved.
    pub solved: Option<Solved>,
    /// Share of the parameters that start from the same noise as the reference's.
    pub paired_parameters: Option<f64>,
}

impl Arm {
    /// The run of a seed.
    pub fn run(&self, seed: u64) -> RunSpec {
        let mut spec = self.spec.clone();
        spec.train.seed = seed;
        spec
    }
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
        refuse_seeds(&document, &config, overrides)?;
        let seeds = seeds(&config.seeds, overrides.seeds)?;
        let names: Vec<&str> = std::iter::once(BASE).chain(config.arms.iter().map(|arm| arm.name.as_str())).collect();
        if let Some(unknown) = overrides.only.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(Error::input(format!("--only {unknown}"), "no such arm", format!("the arms are {}", names.join(", "))));
        }
        let arms = Arms { document: &document, config: &config, overrides }.resolve()?;
        check_metrics(&document, &config, &arms[0].spec)?;
        Ok(Self { config, file: file.to_path_buf(), overrides: overrides.clone(), seeds, arms })
    }
}

/// Refuses a seed among the values of arms: it would have no effect.
fn refuse_seeds(document: &Document, config: &ExperimentConfig, overrides: &Overrides) -> Result<()> {
    const KEY: &str = "train.seed";
    const MESSAGE: &str = "every arm runs with the experiment's seeds";
    const HELP: &str = "remove it and use `seeds`";
    if let Some(set) = overrides.set.iter().find(|set| set.split('=').next().is_some_and(|key| key.trim() == KEY)) {
        return Err(Error::input(format!("--set {set}"), MESSAGE, "use --seeds"));
    }
    let tables = std::iter::once("set".to_string()).chain((0..config.arms.len()).map(|arm| format!("arm[{arm}].set")));
    let sets_it = |table: &String| document.overrides(table).is_some_and(|set| set.written_keys().iter().any(|key| key == KEY));
    let problems: Vec<Problem> = tables.filter(sets_it).map(|table| Problem::new(table, format!("{KEY}: {MESSAGE}")).help(HELP)).collect();
    if problems.is_empty() { Ok(()) } else { Err(document.locate(problems)) }
}

fn seeds(written: &Seeds, count: Option<u64>) -> Result<Vec<u64>> {
    let wrong = |count: u64, message: String| Err(Error::input(format!("--seeds {count}"), message, "a verdict needs 3 seeds or more"));
    match (written, count) {
        (_, Some(0)) => wrong(0, "zero seeds train nothing".into()),
        (Seeds::List(list), Some(count)) if count as usize > list.len() => {
            wrong(count, format!("the experiment lists {} seeds", list.len()))
        }
        (Seeds::List(list), Some(count)) => Ok(list[..count as usize].to_vec()),
        (Seeds::Count(_), Some(count)) if count > 10_000 => wrong(count, "more than 10,000 seeds".into()),
        (Seeds::Count(_), Some(count)) => Ok(Seeds::Count(count).list()),
        (written, None) => Ok(written.list()),
    }
}

/// The metrics that a run of this specification evaluates.
fn evaluated(spec: &RunSpec) -> Vec<String> {
    const NAME: &str = "valid/bits_per_byte";
    let multiples = spec.evaluation.context_multiples.iter().map(|multiple| format!("{NAME}@{multiple}x"));
    std::iter::once(NAME.to_string()).chain(multiples).collect()
}

fn check_metrics(document: &Document, config: &ExperimentConfig, base: &RunSpec) -> Result<()> {
    let known = evaluated(base);
    let help = format!("evaluated are {}; `evaluation.context_multiples` adds contexts", known.join(", "));
    let asked = std::iter::once(("metric".to_string(), &config.metric))
        .chain(config.metrics.iter().enumerate().map(|(i, metric)| (format!("metrics[{i}]"), metric)));
    let problems: Vec<Problem> = asked
        .filter(|(_, metric)| !known.contains(metric))
        .map(|(key, metric)| Problem::new(key, format!("no run evaluates `{metric}`")).help(&help))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(document.locate(problems)) }
}

/// What resolving needs to see.
struct Arms<'a> {
    document: &'a Document,
    config: &'a ExperimentConfig,
    overrides: &'a Overrides,
}

impl Arms<'_> {
    fn resolve(&self) -> Result<Vec<Arm>> {
        let base = self.spec(&self.layers(&[])?)?;
        let mut arms = vec![Arm {
            name: BASE.into(),
            note: None,
            named: vec![],
            control: false,
            references: vec![],
            spec: base,
            differences: vec![],
            solved: None,
            paired_parameters: None,
        }];
        for index in 0..self.config.arms.len() {
            let arm = self.arm(index, &arms)?;
            arms.push(arm);
        }
        Ok(arms)
    }

    /// The base's file, the common values, the command line, then the given arms' values.
    fn layers(&self, arms: &[usize]) -> Result<Document> {
        let mut layers = self.document.load_at("base")?;
        if let Some(common) = self.document.overrides("set") {
            layers.overlay(&common);
        }
        for assignment in &self.overrides.set {
            layers.set(assignment, "--set")?;
        }
        for arm in arms {
            if let Some(set) = self.document.overrides(&format!("arm[{arm}].set")) {
                layers.overlay(&set);
            }
        }
        layers.make_paths_absolute(&PATH_KEYS)?;
        Ok(layers)
    }

    fn written(&self, layers: &Document) -> Result<RunConfig> {
        let mut written: RunConfig = layers.parse()?;
        if let Some(steps) = self.overrides.steps {
            written.rescale(steps);
        }
        written.train.seed = 0;
        Ok(written)
    }

    fn spec(&self, layers: &Document) -> Result<RunSpec> {
        self.written(layers)?.resolve().map_err(|problems| layers.locate(problems))
    }

    fn arm(&self, index: usize, before: &[Arm]) -> Result<Arm> {
        let written = &self.config.arms[index];
        let ladder = self.config.design.kind == Design::Ladder;
        let first = if ladder { 0 } else { index };
        let used: Vec<usize> = (first..=index).collect();
        let (base, reference) = (&before[0], if ladder { &before[before.len() - 1] } else { &before[0] });

        let mut layers = self.layers(&used)?;
        let named = self.named(index);
        let control = named.iter().all(|key| !is_numerical(key));
        let solved = match &self.config.matching {
            Some(matching) => Some(self.solve(matching, index, &named, &layers, base, reference)?),
            None => None,
        };
        if let Some(solved) = &solved {
            let value = i64::try_from(solved.value).expect("sizes are far smaller");
            layers.set_value(&solved.key, toml::Value::Integer(value), "[match]");
        }
        let spec = self.spec(&layers)?;

        if !control && spec.id() == reference.spec.id() {
            let key = format!("arm[{index}].set");
            let message = format!("arm `{}` changes nothing: {} has these values already", written.name, described(reference));
            let help = "remove the arm, or change another key; for an A/A control set only `train.log_every`";
            return Err(self.document.locate(vec![Problem::new(key, message).help(help)]));
        }
        let matched = solved.as_ref().map(|solved| solved.key.as_str());
        let proven = |from: &Arm, named: &[String]| prove(&from.spec, &spec, named, matched).map_err(|problems| layers.locate(problems));
        // In a ladder a difference to the base may come from any rung so far, one to the rung before only from this one.
        let all: Vec<String> = used.iter().flat_map(|arm| self.named(*arm)).collect();
        proven(reference, &named)?;
        let differences = proven(base, &all)?;

        let mut references = vec![reference.name.clone()];
        if reference.name != base.name {
            references.push(base.name.clone());
        }
        Ok(Arm {
            name: written.name.clone(),
            note: written.note.clone(),
            named,
            control,
            references,
            paired_parameters: Some(paired_share(&spec.model, &reference.spec.model)),
            spec,
            differences,
            solved,
        })
    }

    /// The keys that an arm sets, each a list or a scalar.
    fn named(&self, index: usize) -> Vec<String> {
        self.document.overrides(&format!("arm[{index}].set")).map(|set| set.written_keys()).unwrap_or_default()
    }

    fn solve(
        &self,
        matching: &MatchConfig,
        index: usize,
        named: &[String],
        layers: &Document,
        base: &Arm,
        reference: &Arm,
    ) -> Result<Solved> {
        let key = &matching.parameters;
        let arm = &self.config.arms[index].name;
        let refuse = |key: &str, message: String, help: &str| Err(self.document.locate(vec![Problem::new(key, message).help(help)]));
        let set_by_arm = named.iter().any(|name| tree::is_within(name, key));
        if set_by_arm && layers.value(key) != Some("matched".into()) {
            let help = "leave it to [match], or write \"matched\"";
            return refuse(&format!("arm[{index}].set"), format!("arm `{arm}` sets `{key}`, which [match] solves"), help);
        }
        let model = self.written(layers)?.model;
        let size = |arm: &Arm| tree::flatten(&arm.spec).get(key).and_then(serde_json::Value::as_u64);
        let (Some(base_size), Some(reference_size)) = (size(base), size(reference)) else {
            return refuse(
                "match.parameters",
                format!("`{key}` is no size of the model"),
                "for example \"model.feed_forward.hidden\" or \"model.width\"",
            );
        };
        if matching::with_size(&model, key, base_size).is_none() {
            return refuse("match.parameters", format!("`{key}` takes no number in arm `{arm}`"), "match another size");
        }
        let vocab = Some(base.spec.model.vocab);
        let vocab = self.written(layers)?.data.resolve().map(|data| Some(data.vocab)).unwrap_or(vocab);
        let target = matching::parameters(&base.spec.model, matching.count);
        let count = |value: u64| {
            let resolved = matching::with_size(&model, key, value)?.resolve(vocab).ok()?;
            Some(matching::parameters(&resolved, matching.count))
        };
        solve(matching, target, &[reference_size, base_size], count).or_else(|refusal| {
            let (message, help) = match refusal {
                Refusal::TooCoarse(nearest) => (
                    format!(
                        "arm `{arm}` cannot have the base's {} parameters: the nearest is {key} = {} with {} ({:+.2} %, tolerance {} %)",
                        nearest.target,
                        nearest.value,
                        nearest.parameters,
                        100.0 * nearest.residual,
                        100.0 * matching.tolerance
                    ),
                    "raise match.tolerance, match a finer size, or use a larger model",
                ),
                Refusal::NotMonotone => (format!("the parameters of arm `{arm}` do not grow with {key}"), "match another size"),
                Refusal::NoValidSize => {
                    // What is wrong whatever the size is the better message.
                    let sized = matching::with_size(&model, key, base_size).unwrap_or(model.clone());
                    if let Err(problems) = sized.resolve(vocab) {
                        return Err(layers.locate(problems));
                    }
                    (format!("no value of {key} gives a valid model in arm `{arm}`"), "match another size")
                }
            };
            refuse("match", message, help)
        })
    }
}

fn described(arm: &Arm) -> String {
    if arm.name == BASE { "the base".into() } else { format!("the rung before, `{}`,", arm.name) }
}
