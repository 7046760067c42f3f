//! What an ablation of data changes in a recipe.

use crate::settings::{Document, Error, Origin, Result};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Options of steps, by the names of the steps.
pub type StepOptions = BTreeMap<String, Map<String, Value>>;

/// A recipe, changed.
#[derive(Clone, Copy, Debug)]
pub struct Ablated<'a> {
    /// Steps that are left out.
    pub without: &'a [String],
    /// Options that are others.
    pub steps: &'a StepOptions,
    /// Who changes them; paths are relative to its folder.
    pub asked: &'a Origin,
}

impl Ablated<'_> {
    /// Lays the options over those that the recipe has: over every step of a name.
    pub(super) fn apply(&self, document: &mut Document) -> Result<()> {
        let places = places(document);
        for (name, options) in self.steps {
            let keys: Vec<&String> = places.iter().filter(|(_, step)| step == name).map(|(key, _)| key).collect();
            if keys.is_empty() {
                let (message, help) = no_step(name, places.iter().map(|(_, step)| step.as_str()));
                return Err(Error::input(&self.asked.file, message, help));
            }
            let unlike = |error: toml::ser::Error| Error::input(&self.asked.file, format!("{name}: {error}"), "write a value of TOML");
            let table = toml::Value::try_from(options).map_err(unlike)?;
            for key in keys {
                document.set_value(&format!("{key}.apply"), table.clone(), self.asked);
            }
        }
        Ok(())
    }
}

/// What is said of a name that no step has.
pub(super) fn no_step<'a>(name: &str, steps: impl Iterator<Item = &'a str>) -> (String, String) {
    let known: BTreeSet<&str> = steps.collect();
    (format!("{name} is no step of the recipe"), format!("steps are {}", known.into_iter().collect::<Vec<_>>().join(", ")))
}

/// Where steps are written, and their names.
fn places(document: &Document) -> Vec<(String, String)> {
    let steps = |key: String| (0..document.len_of(&key)).map(move |at| format!("{key}[{at}]"));
    let sources = (0..document.len_of("source")).flat_map(|at| steps(format!("source[{at}].step")));
    let name = |key: &str| {
        let text = |name: &str| document.value(&format!("{key}.{name}"))?.as_str().map(str::to_string);
        text("name").or_else(|| text("apply.kind")).unwrap_or_default()
    };
    sources.chain(steps("step".into())).map(|key| (key.clone(), name(&key))).collect()
}

/// `gopher_quality.min_words=60` as an option of a step, if the recipe has a step of that name.
pub fn of_step(document: &Document, assignment: &str) -> Result<Option<(String, Map<String, Value>)>> {
    let Some((name, rest)) = assignment.split_once('.') else { return Ok(None) };
    if !places(document).iter().any(|(_, step)| step == name) {
        return Ok(None);
    }
    let mut options = Document::new("--set");
    options.set(&format!("step.{rest}"), "--set")?;
    Ok(options.value("step").and_then(|value| value.as_object().cloned()).map(|options| (name.to_string(), options)))
}
