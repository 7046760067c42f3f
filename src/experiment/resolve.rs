//! From what a design asks for to arms: layers, conditions, matching, proof.

use super::{
    arms::{Arm, Overrides, Trial, described},
    condition::Condition,
    design::{Change, Effect, Expansion, Layer, Variant, expand},
    matching::{self, Quantity, Refusal, Solved, Task},
    proof::prove,
    spec::{BASE, ExperimentConfig, MatchConfig, STEPS},
    summary::Role,
    tree,
};
use crate::{
    data::PATH_KEYS,
    model::paired_share,
    settings::{Document, Error, Problem, Result},
    train::{RunConfig, RunSpec, is_numerical},
};
use std::collections::BTreeMap;

/// What a design became.
pub(super) struct Resolved {
    /// The base, then the others.
    pub arms: Vec<Arm>,
    pub effects: Vec<Effect>,
    pub left_out: Vec<String>,
    pub scale: f64,
}

/// Resolves every arm of an experiment.
///
/// # Errors
///
/// As [`super::Experiment::load`].
pub(super) fn resolve(document: &Document, config: &ExperimentConfig, overrides: &Overrides) -> Result<Resolved> {
    let resolver = Resolver::new(document, config, overrides)?;
    resolver.refuse_seeds()?;
    let base = resolver.base()?;
    let mut changes =
        |layer: &Layer| -> std::result::Result<bool, Wrong> { Ok(resolver.spec(&resolver.layers(&[layer])?)?.id() != base.id) };
    let Expansion { variants, mut effects } = expand(config, &mut changes).map_err(|wrong| match wrong {
        Wrong::Located(error) => error,
        Wrong::Problem(problem) => document.locate(vec![problem]),
    })?;
    let mut arms = vec![base];
    let mut left_out = Vec::new();
    // What stands for an arm that is not run: the one that it equals, or the one it would have been compared with.
    let mut stands_for: BTreeMap<String, String> = BTreeMap::new();
    for mut variant in variants {
        let replace = |name: &String| stands_for.get(name).unwrap_or(name).clone();
        variant.home = variant.home.as_ref().map(replace);
        let references: Vec<String> = variant.references.iter().map(replace).collect();
        variant.references = vec![];
        for reference in references {
            if !variant.references.contains(&reference) {
                variant.references.push(reference);
            }
        }
        match resolver.arm(&variant, &arms)? {
            Found::Arm(arm) => arms.push(*arm),
            Found::Same(other) => {
                left_out.push(format!("{} is the same run as {other}", variant.name));
                effects.iter_mut().for_each(|effect| effect.merge(&variant.name, &other));
                stands_for.insert(variant.name, other);
            }
            Found::LeftOut(why) => {
                if variant.role == Role::Cell {
                    let help = "a factorial design needs all its cells; use one-at-a-time or zip, or change the requirement";
                    let message = format!("leaves the cell {} out: {why}", variant.name);
                    return Err(document.locate(vec![Problem::new("require", message).help(help)]));
                }
                left_out.push(format!("{}: {why}", variant.name));
                stands_for.insert(variant.name, variant.references.first().cloned().unwrap_or(BASE.into()));
            }
        }
    }
    effects.retain(|effect| !effect.weights.is_empty());
    if arms.len() == 1 {
        let message = format!("no arm is left to compare with the base: {}", left_out.join("; "));
        return Err(document.locate(vec![Problem::new("design", message).help("mend the conditions or the requirements")]));
    }
    Ok(Resolved { arms, effects, left_out, scale: resolver.scale })
}

/// What expanding a design can fail with.
enum Wrong {
    Located(Error),
    Problem(Problem),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Located(error)
    }
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What became of an arm.
enum Found {
    Arm(Box<Arm>),
    /// It is the same run as another.
    Same(String),
    /// It is not run, and why.
    LeftOut(String),
}

/// What resolving needs to see.
struct Resolver<'a> {
    document: &'a Document,
    config: &'a ExperimentConfig,
    overrides: &'a Overrides,
    /// The base's file, the common values, the command line.
    common: Document,
    /// What `--steps` does to every number of steps that is written.
    scale: f64,
    require: Vec<(String, Condition)>,
}

impl<'a> Resolver<'a> {
    fn new(document: &'a Document, config: &'a ExperimentConfig, overrides: &'a Overrides) -> Result<Self> {
        let mut common = document.load_at("base")?;
        if let Some(set) = document.overrides("set") {
            common.overlay(&set);
        }
        for assignment in &overrides.set {
            common.set(assignment, "--set")?;
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
    fn refuse_seeds(&self) -> Result<()> {
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

    fn condition(&self, key: &str, text: &str) -> Result<Condition> {
        Condition::parse(text)
            .map_err(|message| self.refuse(key, message, "for example \"model.position.kind == 'rope'\" or \"params <= 20e6\""))
    }

    fn holds(&self, key: &str, condition: &Condition, run: &RunSpec) -> Result<bool> {
        condition
            .holds(run)
            .map_err(|message| self.refuse(key, message, "names are keys of a run, params, flops_per_token, tokens and flops"))
    }

    fn refuse(&self, key: &str, message: String, help: &str) -> Error {
        self.document.locate(vec![Problem::new(key, message).help(help)])
    }

    /// The common values, then the given changes.
    fn layers(&self, changes: &[&Layer]) -> Result<Document> {
        let mut layers = self.common.clone();
        changes.iter().for_each(|layer| self.overlay(&mut layers, layer));
        layers.make_paths_absolute(&PATH_KEYS)?;
        Ok(layers)
    }

    fn overlay(&self, layers: &mut Document, layer: &Layer) {
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
            Change::Drawn(key, value) => layers.set_value(key, value.clone(), &layer.at),
        }
    }

    fn written(&self, layers: &Document) -> Result<RunConfig> {
        let mut written: RunConfig = layers.parse()?;
        if self.overrides.steps.is_some() {
            let steps = self.scaled(written.train.steps);
            written.rescale(steps);
        }
        written.train.seed = 0;
        Ok(written)
    }

    /// A number of steps that is written, as `--steps` makes it.
    fn scaled(&self, steps: usize) -> usize {
        match self.overrides.steps {
            Some(_) if steps > 0 => ((steps as f64 * self.scale).round() as usize).max(1),
            _ => steps,
        }
    }

    fn spec(&self, layers: &Document) -> Result<RunSpec> {
        self.written(layers)?.resolve().map_err(|problems| layers.locate(problems))
    }

    /// The keys that a change sets, each a list or a scalar.
    fn named(&self, layer: &Layer) -> Vec<String> {
        match &layer.change {
            Change::Table => self.document.overrides(&layer.at).map(|set| set.written_keys()).unwrap_or_default(),
            Change::Key(key) => self.document.nested(&layer.at, key).map(|set| set.written_keys()).unwrap_or_default(),
            Change::Drawn(key, _) => vec![key.clone()],
        }
    }

    fn base(&self) -> Result<Arm> {
        let layers = self.layers(&[])?;
        let written = self.written(&layers)?;
        let spec = self.spec(&layers)?;
        for (key, condition) in &self.require {
            if !self.holds(key, condition, &spec)? {
                return Err(self.refuse(key, "does not hold of the base".into(), "change the base, or the requirement"));
            }
        }
        Ok(Arm {
            name: BASE.into(),
            note: None,
            role: Role::Base,
            levels: Default::default(),
            size: None,
            named: vec![],
            control: false,
            references: vec![],
            timed_by: None,
            trials: self.trials(&layers, None, &spec)?,
            id: spec.id(),
            spec,
            written,
            layers: vec![],
            differences: vec![],
            solved: vec![],
            paired_parameters: None,
        })
    }

    /// The changes of an arm whose conditions hold, each seen with those before it.
    fn applied<'v>(&self, variant: &'v Variant) -> Result<Vec<&'v Layer>> {
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

    fn arm(&self, variant: &Variant, before: &[Arm]) -> Result<Found> {
        let applied = self.applied(variant)?;
        // What somebody named is left out with its own condition, though that of what it builds on may hold.
        if !variant.generated && variant.layers.last().is_some_and(|layer| !applied.contains(&layer)) {
            return Ok(Found::LeftOut("its condition does not hold".into()));
        }
        let find = |name: &String| before.iter().find(|arm| arm.name == *name);
        let base = &before[0];
        let reference = variant.references.first().and_then(find).unwrap_or(base);
        let home = variant.home.as_ref().and_then(find);

        let mut layers = self.layers(&applied)?;
        let own = self.difference(&applied, reference);
        let control = !own.is_empty() && own.iter().all(|key| !is_numerical(key));
        let mut solved = Vec::new();
        if let (Some(matching), Some(home)) = (&self.config.matching, home)
            && let Some((key, size)) = matching.size()
        {
            let found = self.solve(matching, (key, size), variant, &own, &layers, home, reference)?;
            let value = i64::try_from(found.value).expect("sizes are far smaller");
            layers.set_value(&found.key, toml::Value::Integer(value), "[match]");
            solved.push(found);
        }
        let mut written = self.written(&layers)?;
        let mut spec = self.spec(&layers)?;
        if let Some(steps) = variant.steps {
            written.rescale(self.scaled(steps));
            spec = written.resolve().map_err(|problems| layers.locate(problems))?;
        }
        if let (Some(MatchConfig { flops: Some(_), tolerance, .. }), Some(home)) = (&self.config.matching, home) {
            let found = self.solve_steps(&spec, home, *tolerance, variant, &own)?;
            written.rescale(found.value as usize);
            spec = written.resolve().map_err(|problems| layers.locate(problems))?;
            solved.push(found);
        }
        for (key, condition) in &self.require {
            if !self.holds(key, condition, &spec)? {
                if variant.generated {
                    return Ok(Found::LeftOut(format!("`{}` does not hold", condition.text())));
                }
                let help = "change the arm, or the requirement";
                return Err(self.refuse(&variant.at, format!("`{}` does not hold of arm `{}`", condition.text(), variant.name), help));
            }
        }
        if let Some(same) = self.same(variant, &spec, control, reference, before)? {
            return Ok(Found::Same(same));
        }

        let matched: Vec<&str> = solved.iter().map(|solved| solved.key.as_str()).collect();
        let proven = |from: &Arm, named: &[String]| prove(&from.spec, &spec, named, &matched).map_err(|problems| layers.locate(problems));
        // A difference to the base may come from any change so far, one to the reference only from what is not in it too.
        let budget = variant.steps.iter().map(|_| STEPS.to_string());
        let own: Vec<String> = own.into_iter().chain(budget.clone()).collect();
        let all: Vec<String> = applied.iter().flat_map(|layer| self.named(layer)).chain(budget).collect();
        proven(reference, &own)?;
        let differences = proven(base, &all)?;
        let timed = self.config.matching.as_ref().is_some_and(|matching| matching.time.is_some());
        let trials = self.trials(&layers, variant.steps.or(solved.iter().find(|s| s.key == STEPS).map(|s| s.value as usize)), &spec)?;
        let compared = variant.role == Role::Compared;
        Ok(Found::Arm(Box::new(Arm {
            name: variant.name.clone(),
            note: variant.note.clone(),
            role: variant.role,
            levels: variant.levels.clone(),
            size: variant.size.clone(),
            named: own,
            control,
            references: variant.references.clone(),
            timed_by: variant.home.clone().filter(|_| timed),
            paired_parameters: compared.then(|| paired_share(&spec.model, &reference.spec.model)),
            id: spec.id(),
            spec,
            written,
            layers: applied.into_iter().cloned().collect(),
            differences,
            solved,
            trials,
        })))
    }

    /// The keys in which an arm may differ from its reference: those of the changes that only one of the two makes.
    fn difference(&self, applied: &[&Layer], reference: &Arm) -> Vec<String> {
        let own = applied.iter().copied().filter(|layer| !reference.layers.contains(layer));
        let theirs = reference.layers.iter().filter(|layer| !applied.contains(layer));
        let mut named = Vec::new();
        for key in own.chain(theirs).flat_map(|layer| self.named(layer)) {
            if !named.contains(&key) {
                named.push(key);
            }
        }
        named
    }

    /// The arm that this one would repeat. What somebody wrote down is refused then, unless it is a control.
    fn same(&self, variant: &Variant, spec: &RunSpec, control: bool, reference: &Arm, before: &[Arm]) -> Result<Option<String>> {
        if control {
            return Ok(None);
        }
        if variant.generated || variant.role == Role::BaseOfBudget {
            let id = spec.id();
            return Ok(before.iter().find(|arm| arm.id == id).map(|arm| arm.name.clone()));
        }
        if spec.id() != reference.id {
            return Ok(None);
        }
        let key = if variant.role == Role::Compared { format!("{}.set", variant.at) } else { variant.at.clone() };
        let message = format!("arm `{}` changes nothing: {} has these values already", variant.name, described(&reference.name));
        let help = "remove the arm, or change another key; for an A/A control set only `train.log_every`";
        Err(self.refuse(&key, message, help))
    }

    /// The trials of tuning; `steps` where they are not the written ones.
    fn trials(&self, layers: &Document, steps: Option<usize>, spec: &RunSpec) -> Result<Vec<Trial>> {
        let Some(retune) = &self.config.retune else { return Ok(vec![]) };
        let mut combinations: Vec<Vec<(String, usize)>> = vec![vec![]];
        for (key, values) in &retune.values {
            let extended = |chosen: &Vec<(String, usize)>| {
                let chosen = chosen.clone();
                (0..values.len()).map(move |at| [chosen.as_slice(), &[(key.clone(), at)]].concat())
            };
            combinations = combinations.iter().flat_map(extended).collect();
        }
        let mut trials = Vec::new();
        for chosen in combinations {
            let mut layers = layers.clone();
            for (key, at) in &chosen {
                if let Some(set) = self.document.nested(&format!("retune.values.\"{key}\"[{at}]"), key) {
                    layers.overlay(&set);
                }
            }
            let mut written = self.written(&layers)?;
            if let Some(steps) = steps {
                written.rescale(steps);
            }
            let resolved = written.resolve().map_err(|problems| layers.locate(problems))?;
            if resolved.model.account(spec.model.context).parameters != spec.model.account(spec.model.context).parameters {
                let message = "changes the number of parameters".into();
                return Err(self.refuse("retune.values", message, "tune settings of training; sizes are what [match] and arms are for"));
            }
            let settings = chosen.iter().map(|(key, at)| (key.clone(), retune.values[key][*at].clone())).collect();
            trials.push(Trial { settings, written });
        }
        Ok(trials)
    }

    fn solve_steps(&self, spec: &RunSpec, home: &Arm, tolerance: f64, variant: &Variant, named: &[String]) -> Result<Solved> {
        if named.iter().any(|key| tree::is_within(key, STEPS)) {
            let message = format!("arm `{}` sets `{STEPS}`, which [match] solves", variant.name);
            return Err(self.refuse(&format!("{}.set", variant.at), message, "leave it to [match]"));
        }
        let per_step = |spec: &RunSpec| spec.model.account(spec.model.context).flops_per_token * spec.tokens_per_step() as f64;
        let target = per_step(&home.spec) * home.spec.train.steps as f64;
        Task { key: STEPS, quantity: Quantity::Flops, target, tolerance }
            .steps(per_step(spec))
            .map_err(|refusal| self.refusal(refusal, variant, home, tolerance, "match.flops"))
    }

    #[allow(clippy::too_many_arguments)]
    fn solve(
        &self,
        matching: &MatchConfig,
        (at, size_key): (&str, &str),
        variant: &Variant,
        named: &[String],
        layers: &Document,
        home: &Arm,
        reference: &Arm,
    ) -> Result<Solved> {
        let arm = &variant.name;
        let set_by_arm = named.iter().any(|name| tree::is_within(name, size_key));
        if set_by_arm && layers.value(size_key) != Some("matched".into()) {
            let message = format!("arm `{arm}` sets `{size_key}`, which [match] solves");
            return Err(self.refuse(&format!("{}.set", variant.at), message, "leave it to [match], or write \"matched\""));
        }
        let written = self.written(layers)?;
        let model = &written.model;
        let size = |arm: &Arm| tree::flatten(&arm.spec).get(size_key).and_then(serde_json::Value::as_u64);
        let (Some(home_size), Some(reference_size)) = (size(home), size(reference)) else {
            let help = "for example \"model.feed_forward.hidden\" or \"model.width\"";
            return Err(self.refuse(at, format!("`{size_key}` is no size of the model"), help));
        };
        if matching::with_size(model, size_key, home_size).is_none() {
            return Err(self.refuse(at, format!("`{size_key}` takes no number in arm `{arm}`"), "match another size"));
        }
        let vocab = written.data.resolve().map_or(Some(home.spec.model.vocab), |data| Some(data.vocab));
        let amount = |value: u64| {
            if !value.is_multiple_of(matching.multiple_of) {
                return None;
            }
            let resolved = matching::with_size(model, size_key, value)?.resolve(vocab).ok()?;
            Some(matching::amount(&resolved, matching))
        };
        let quantity = if matching.parameters.is_some() { Quantity::Parameters } else { Quantity::FlopsPerToken };
        let target = matching::amount(&home.spec.model, matching);
        let task = Task { key: size_key, quantity, target, tolerance: matching.tolerance };
        task.size(&[reference_size, home_size], amount).map_err(|refusal| {
            // What is wrong whatever the size is the better message.
            let sized = matching::with_size(model, size_key, home_size).unwrap_or(model.clone());
            match (&refusal, sized.resolve(vocab)) {
                (Refusal::NoValidSize, Err(problems)) => layers.locate(problems),
                _ => self.refusal(refusal, variant, home, matching.tolerance, "match"),
            }
        })
    }

    fn refusal(&self, refusal: Refusal, variant: &Variant, home: &Arm, tolerance: f64, key: &str) -> Error {
        let arm = &variant.name;
        let (message, help) = match refusal {
            Refusal::TooCoarse(nearest) => (
                format!(
                    "arm `{arm}` cannot have the {} {} of {}: the nearest is {} = {} with {} ({:+.2} %, tolerance {} %)",
                    nearest.target,
                    nearest.quantity,
                    described(&home.name),
                    nearest.key,
                    nearest.value,
                    nearest.achieved,
                    100.0 * nearest.residual,
                    100.0 * tolerance
                ),
                "raise match.tolerance, match a finer size, or use a larger model",
            ),
            Refusal::NotMonotone => (format!("what is matched does not grow with the size in arm `{arm}`"), "match another size"),
            Refusal::NoValidSize => (format!("no value of the size gives a valid model in arm `{arm}`"), "match another size"),
        };
        self.refuse(key, message, help)
    }
}
