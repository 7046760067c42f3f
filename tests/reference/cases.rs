//! `cases.toml`, resolved by the library.

use ablate::model::{ModelConfig, ModelSpec};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One tiny model.
#[derive(Serialize)]
pub struct Case {
    pub name: String,
    pub batch: usize,
    pub sequence: usize,
    pub spec: ModelSpec,
    pub parameters: Vec<(String, Vec<usize>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    batch: usize,
    sequence: usize,
    model: ModelConfig,
}

/// A file beside this one.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

/// Every case, in the order of the file.
pub fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(file("cases.toml")).unwrap();
    let mut document: toml::Table = text.parse().unwrap();
    let base = document.remove("base").unwrap();
    let toml::Value::Table(cases) = document.remove("cases").unwrap() else { panic!("cases is a table") };
    cases
        .into_iter()
        .map(|(name, changes)| {
            let mut value = base.clone();
            lay_over(&mut value, changes);
            let Written { batch, sequence, model } = value.try_into().unwrap_or_else(|error| panic!("{name}: {error}"));
            let spec = model.resolve(None).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            Case { name, batch, sequence, parameters: spec.parameter_shapes(), spec }
        })
        .collect()
}

fn lay_over(base: &mut toml::Value, changes: toml::Value) {
    match (base, changes) {
        (toml::Value::Table(base), toml::Value::Table(changes)) => {
            for (key, change) in changes {
                match base.get_mut(&key) {
                    Some(value) => lay_over(value, change),
                    None => {
                        base.insert(key, change);
                    }
                }
            }
        }
        (base, change) => *base = change,
    }
}

/// What `cases.json` should hold: one case a line.
pub fn json(cases: &[Case]) -> String {
    let lines: Vec<_> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
