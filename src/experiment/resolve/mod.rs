//! From what a design asks for to arms: layers, conditions, matching, proof.

mod draws;
mod layers;
mod sizes;
mod trials;

use super::{
    arms::{Arm, Overrides, described},
    design::{Cells, Effect, Expansion, Layer, Variant, expand},
    proof::prove,
    spec::{BASE, ExperimentConfig, MatchConfig, STEPS},
    summary::Role,
};
use crate::{
    model::paired_share,
    settings::{Document, Error, Problem, Result},
    train::{RunSpec, is_numerical},
};
use layers::Resolver;
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
    resolver.refuse_long_rungs(&base)?;
    let mut changes =
        |layer: &Layer| -> std::result::Result<bool, Wrong> { Ok(resolver.spec(&resolver.layers(&[layer])?)?.id() != base.id) };
    let Expansion { variants, cells } = expand(config, &mut changes).map_err(|wrong| match wrong {
        Wrong::Located(error) => error,
        Wrong::Problem(problem) => document.locate(vec![problem]),
    })?;
    let fraction = cells.as_ref().is_some_and(Cells::is_fraction);
    let mut arms = vec![base];
    let mut left_out = Vec::new();
    // The first draw that breaks a rule: what to say if none is left.
    let mut broken = None;
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
        if fraction && variant.role == Role::Cell {
            resolver.refuse_dropped(&variant)?;
        }
        let found = match resolver.arm(&variant, &arms) {
            Err(error) if config.design.kind.is_sampled() && variant.generated => {
                let why = resolver.why_not(&variant, error, &mut broken)?;
                Found::LeftOut(why)
            }
            found => found?,
        };
        match found {
            Found::Arm(arm) => arms.push(*arm),
            Found::Same(other) if fraction && variant.role == Role::Cell => {
                let message = format!("the cells {} and {other} are the same run, and every cell of a fraction counts", variant.name);
                return Err(resolver.refuse("design.resolution", message, ALL_CELLS));
            }
            Found::Same(other) => {
                left_out.push(format!("{} is the same run as {other}", variant.name));
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
    if !arms.iter().any(|arm| matches!(arm.role, Role::Compared | Role::Cell)) {
        let message = format!("no arm is left to compare with the base: {}", left_out.join("; "));
        let key = if config.design.kind.has_factors() { "factor" } else { "arm" };
        return Err(broken.unwrap_or_else(|| resolver.refuse(key, message, "mend the conditions or the requirements")));
    }
    let effects = cells.map_or(Ok(vec![]), |cells| cells.effects(&stands_for)).map_err(|problem| document.locate(vec![problem]))?;
    Ok(Resolved { arms, effects, left_out, scale: resolver.scale })
}

/// What to do where a fraction has cells that are none.
const ALL_CELLS: &str = "leave design.resolution out for all cells, or remove the condition";

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

impl Resolver<'_> {
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
            trials: self.trials(&layers, &spec)?,
            id: spec.id(),
            spec,
            written,
            layers: vec![],
            differences: vec![],
            solved: vec![],
            paired_parameters: None,
        })
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
            layers.set_value(&found.key, toml::Value::Integer(value), &self.origin(key));
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
        let trials = self.trials(&layers, &spec)?;
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
        let id = spec.id();
        if variant.generated || variant.role == Role::BaseOfBudget {
            return Ok(before.iter().find(|arm| arm.id == id).map(|arm| arm.name.clone()));
        }
        // Two arms may be one run where they answer different questions: the base of a size, and an arm of the base's size.
        let one_question = |arm: &&Arm| {
            let sizes = arm.role == Role::BaseOfSize && variant.role == Role::BaseOfSize;
            sizes || variant.references.iter().any(|name| *name == arm.name || arm.references.contains(name))
        };
        let (message, help) = if id == reference.id {
            let message = format!("arm `{}` changes nothing: {} has these values already", variant.name, described(&reference.name));
            (message, "remove the arm, or change another key; for an A/A control set only `train.log_every`")
        } else if let Some(same) = before.iter().filter(|arm| arm.id == id).find(one_question) {
            let message = format!("arm `{}` is the same run as {}", variant.name, described(&same.name));
            (message, "remove one of them; for an A/A control set only `train.log_every`")
        } else {
            return Ok(None);
        };
        let key = if variant.role == Role::Compared { format!("{}.set", variant.at) } else { variant.at.clone() };
        Err(self.refuse(&key, message, help))
    }
}
