//! The settings of a run that a tracker shows beside its metrics.

use crate::{
    experiment::Plan,
    settings::{Error, Result},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// Which keys of a resolved specification are told.
pub enum Parameters {
    /// All: of a run on its own nobody knows what matters.
    All,
    /// Those in which the arms differ and those that are tuned: of the others a tracker would only show a wall of columns.
    Some(BTreeSet<String>),
}

impl Parameters {
    /// Those of the runs of an experiment.
    pub fn of(plan: &Plan) -> Self {
        let differing = plan.arms.iter().flat_map(|arm| &arm.differences).map(|difference| difference.key.clone());
        let tuned = plan.retune.iter().flat_map(|retune| retune.values.keys().cloned());
        Self::Some(differing.chain(tuned).collect())
    }

    /// The settings of the run in a folder, by dotted key, in the order of its file.
    ///
    /// # Errors
    ///
    /// A specification that cannot be read.
    pub fn read(&self, run: &Path) -> Result<Vec<(String, Value)>> {
        let mut leaves = Vec::new();
        flatten("", &specification(run)?, &mut leaves);
        if let Self::Some(keys) = self {
            // A difference may be about a whole section that one of the arms does not have.
            let under = |key: &str, section: &String| key.strip_prefix(section.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
            leaves.retain(|(key, _)| keys.contains(key) || keys.iter().any(|section| under(key, section)));
        }
        Ok(leaves)
    }
}

/// The seed of the run in a folder.
///
/// # Errors
///
/// A specification that cannot be read.
pub fn seed(run: &Path) -> Result<u64> {
    Ok(specification(run)?["train"]["seed"].as_u64().unwrap_or_default())
}

fn specification(run: &Path) -> Result<Value> {
    let path = run.join("spec.toml");
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let damaged = |error| Error::input(path.display(), format!("no resolved run: {error}"), "`ablate run` writes it again");
    toml::from_str(&text).map_err(damaged)
}

/// Numbers, truth values, texts and lists; a list is one value, as its text.
fn flatten(key: &str, value: &Value, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, into);
            }
        }
        Value::Array(_) => into.push((key.into(), Value::String(value.to_string()))),
        _ => into.push((key.into(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_told_with_the_kinds_of_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let spec = "[model]\nspans = [\"full\", 4]\n[model.norm]\nkind = \"rms\"\neps = 1e-5\n[model.normal]\na = 1\n[train]\nseed = 7\nfast = true\n";
        fs::write(folder.path().join("spec.toml"), spec).unwrap();
        let all = Parameters::All.read(folder.path()).unwrap();
        let expected = [
            ("model.spans", json!("[\"full\",4]")),
            ("model.norm.kind", json!("rms")),
            ("model.norm.eps", json!(1e-5)),
            ("model.normal.a", json!(1)),
            ("train.seed", json!(7)),
            ("train.fast", json!(true)),
        ];
        assert_eq!(all, expected.map(|(key, value)| (key.to_string(), value)));
        let some = Parameters::Some(["model.norm".into(), "train.fast".into(), "absent".into()].into());
        let keys: Vec<String> = some.read(folder.path()).unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["model.norm.kind", "model.norm.eps", "train.fast"]);
        assert_eq!(seed(folder.path()).unwrap(), 7);
        fs::write(folder.path().join("spec.toml"), "x = ").unwrap();
        assert!(seed(folder.path()).unwrap_err().to_string().contains("spec.toml"));
    }
}
