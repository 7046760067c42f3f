//! Layers of configuration: the base, the common values, the command line, and the changes of an arm.

use super::{
    super::{
        arms::Overrides,
        condition::Condition,
        design::{Change, Layer, Variant},
        spec::ExperimentConfig,
    },
    ALL_CELLS,
};
use crate::{
    data::PATH_KEYS,
    settings::{Document, Error, Origin, Problem, Result},
    train::{RunConfig, RunSpec},
};

/// What resolving needs to see.
pub(super) struct Resolver<'a> {
    pub document: &'a Document,
    pub config: &'a ExperimentConfig,
    pub overrides: &'a Overrides,
    /// The base's file, the common values, the command line.
    pub common: Document,
    /// What `--steps` does to every number of steps that is written.
    pub scale: f64,
    pub require: Vec<(String, Condition)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(document: &'a Document, config: &'a ExperimentConfig, overrides: &'a Overrides) -> Result<Self> {
        let mut common = document.load_at("base")?;
        if let Some(set) = document.overrides("set") {
            common.overlay(&set);
        }
        for assignment in &overrides.set {
            common.set(assignment, "--set")?;
        }
        if overrides.steps == Some(0) {
            return Err(Error::input("--steps 0", "zero steps train nothing", "use 1 step or more"));
        }
        let mut resolver = Self { document, config, overrides, common, scale: 1.0, require: vec![] };
        for (index, text) in config.require.iter().enumerate() {
            let key = format!("require[{index}]");
            let condition = resolver.condition(&key, text)?;
            resolver.require.push((key, condition));
        }
        if let Some(steps) = overrides.steps {
            let written: RunConfig = resolver.layers(&[])?.parse()?;
            resolver.scale = steps as f64 / written.train.steps.max(1) as f64;
        }
        Ok(resolver)
    }

    /// Refuses a seed among the values of arms: it would have no effect.
    pub(super) fn refuse_seeds(&self) -> Result<()> {
        const KEY: &str = "train.seed";
        const MESSAGE: &str = "every arm runs with the experiment's seeds";
        const HELP: &str = "remove it and use `seeds`";
        if let Some(set) = self.overrides.set.iter().find(|set| set.split('=').next().is_some_and(|key| key.trim() == KEY)) {
            return Err(Error::input(format!("--set {set}"), MESSAGE, "use --seeds"));
        }
        let list = |name: &str, count: usize| (0..count).map(move |at| format!("{name}[{at}].set")).collect::<Vec<_>>();
        let levels =
            self.config.factors.iter().enumerate().flat_map(|(at, factor)| list(&format!("factor[{at}].level"), factor.levels.len()));
        let tables = std::iter::once("set".to_string())
            .chain(list("arm", self.config.arms.len()))
            .chain(list("size", self.config.sizes.len()))
            .chain(levels);
        let sets_it = |table: &String| self.document.overrides(table).is_some_and(|set| set.written_keys().iter().any(|key| key == KEY));
        let keys = self.config.factors.iter().enumerate().filter(|(_, factor)| factor.key.as_deref() == Some(KEY));
        let tuned = self.config.retune.iter().filter(|retune| retune.values.contains_key(KEY)).map(|_| "retune.values".to_string());
        let found = tables.filter(sets_it).chain(keys.map(|(at, _)| format!("factor[{at}].key"))).chain(tuned);
        let problems: Vec<Problem> = found.map(|table| Problem::new(table, format!("{KEY}: {MESSAGE}")).help(HELP)).collect();
        if problems.is_empty() { Ok(()) } else { Err(self.document.locate(problems)) }
    }

    pub(super) fn condition(&self, key: &str, text: &str) -> Result<Condition> {
        Condition::parse(text)
            .map_err(|message| self.refuse(key, message, "for example \"model.position.kind == 'rope'\" or \"params <= 20e6\""))
    }

    pub(super) fn holds(&self, key: &str, condition: &Condition, run: &RunSpec) -> Result<bool> {
        condition
            .holds(run)
            .map_err(|message| self.refuse(key, message, "names are keys of a run, params, flops_per_token, tokens and flops"))
    }

    pub(super) fn refuse(&self, key: &str, message: String, help: &str) -> Error {
        self.document.locate(vec![Problem::new(key, message).help(help)])
    }

    /// Where the experiment asks for a value that the program computes.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.document.origin(key).unwrap_or_default()
    }

    /// The common values, then the given changes.
    pub(super) fn layers(&self, changes: &[&Layer]) -> Result<Document> {
        let mut layers = self.common.clone();
        changes.iter().for_each(|layer| self.overlay(&mut layers, layer));
        layers.make_paths_absolute(&PATH_KEYS)?;
        Ok(layers)
    }

    pub(super) fn overlay(&self, layers: &mut Document, layer: &Layer) {
        match &layer.change {
            Change::Table => {
                if let Some(set) = self.document.overrides(&layer.at) {
                    layers.overlay(&set);
                }
            }
            Change::Key(key) => {
                if let Some(set) = self.document.nested(&layer.at, key) {
                    layers.overlay(&set);
                }
            }
            Change::Drawn(key, value) => layers.set_value(key, value.clone(), &self.origin(&layer.at)),
        }
    }

    pub(super) fn written(&self, layers: &Document) -> Result<RunConfig> {
        let mut written: RunConfig = layers.parse()?;
        if self.overrides.steps.is_some() {
            let steps = self.scaled(written.train.steps);
            written.rescale(steps);
        }
        written.train.seed = 0;
        Ok(written)
    }

    /// A number of steps that is written, as `--steps` makes it.
    pub(super) fn scaled(&self, steps: usize) -> usize {
        match self.overrides.steps {
            Some(_) if steps > 0 => ((steps as f64 * self.scale).round() as usize).max(1),
            _ => steps,
        }
    }

    pub(super) fn spec(&self, layers: &Document) -> Result<RunSpec> {
        self.written(layers)?.resolve().map_err(|problems| layers.locate(problems))
    }

    /// The keys that a change sets, each a list or a scalar.
    pub(super) fn named(&self, layer: &Layer) -> Vec<String> {
        match &layer.change {
            Change::Table => self.document.overrides(&layer.at).map(|set| set.written_keys()).unwrap_or_default(),
            Change::Key(key) => self.document.nested(&layer.at, key).map(|set| set.written_keys()).unwrap_or_default(),
            Change::Drawn(key, _) => vec![key.clone()],
        }
    }

    /// The changes of an arm whose conditions hold, each seen with those before it.
    pub(super) fn applied<'v>(&self, variant: &'v Variant) -> Result<Vec<&'v Layer>> {
        let mut applied: Vec<&Layer> = Vec::new();
        for layer in &variant.layers {
            if let Some(key) = &layer.when {
                let text = self.document.value(key).and_then(|value| value.as_str().map(String::from)).unwrap_or_default();
                let condition = self.condition(key, &text)?;
                if !self.holds(key, &condition, &self.spec(&self.layers(&applied)?)?)? {
                    continue;
                }
            }
            applied.push(layer);
        }
        Ok(applied)
    }

    /// Refuses a cell of a fraction in which a condition does not hold: its weights would tell of a level that it has not.
    pub(super) fn refuse_dropped(&self, cell: &Variant) -> Result<()> {
        let applied = self.applied(cell)?;
        match cell.layers.iter().find(|layer| !applied.contains(layer)) {
            None => Ok(()),
            Some(layer) => {
                let key = layer.when.as_ref().unwrap_or(&layer.at);
                let message = format!("does not hold in the cell {}, and every cell of a fraction counts", cell.name);
                Err(self.refuse(key, message, ALL_CELLS))
            }
        }
    }
}
