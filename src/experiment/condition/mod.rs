//! Conditions on a resolved run: `model.position.kind == 'rope' && params <= 20e6`.
//!
//! Names are the keys of a resolved run, and `params`, `non_embedding_params`, `flops_per_token`, `tokens` and `flops`.
//! There are numbers, strings in single or double quotes, `true`, `false` and `null` (what an option of another kind is),
//! lists, `+ - * /`, `== != < <= > >=`, `in`, `!`, `&&`, `||` and parentheses.

mod evaluate;
mod parse;
mod token;

use crate::{
    settings::{flatten, keys, nearest},
    train::{RunConfig, RunSpec},
};
use parse::Node;
use serde_json::Value;
use std::collections::BTreeMap;

/// A condition as read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    text: String,
    root: Node,
}

/// Quantities beside the keys of a run.
const DERIVED: [&str; 5] = ["params", "non_embedding_params", "flops_per_token", "tokens", "flops"];

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// What is wrong and where, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.into(), root: parse::parse(text)? })
    }

    /// The condition as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds of a run.
    ///
    /// # Errors
    ///
    /// A name that no run has, or an operation that its values do not allow, in words.
    pub fn holds(&self, run: &RunSpec) -> Result<bool, String> {
        let values = names(run);
        match evaluate::evaluate(&self.root, &|name| look_up(&values, name))? {
            Value::Bool(truth) => Ok(truth),
            other => Err(format!("`{}` is {other}, neither true nor false", self.text)),
        }
    }
}

/// Every name that a condition can use, with its value in this run.
fn names(run: &RunSpec) -> BTreeMap<String, Value> {
    let mut values = flatten(run);
    let cost = run.model.account(run.model.context);
    let tokens = run.tokens_per_step() * run.train.steps as u64;
    let derived = [
        Value::from(cost.parameters),
        Value::from(run.model.non_embedding_parameters()),
        Value::from(cost.flops_per_token),
        Value::from(tokens),
        Value::from(cost.flops_per_token * tokens as f64),
    ];
    values.extend(DERIVED.iter().map(ToString::to_string).zip(derived));
    values
}

fn look_up(values: &BTreeMap<String, Value>, name: &str) -> Result<Value, String> {
    if let Some(value) = values.get(name) {
        return Ok(value.clone());
    }
    // An option of another kind, or one that is absent.
    let written = keys::<RunConfig>();
    if written.iter().any(|key| key == name) {
        return Ok(Value::Null);
    }
    let known = values.keys().map(String::as_str).chain(written.iter().map(String::as_str));
    let help = nearest(name, known).map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
    Err(format!("no run has `{name}`{help}"))
}
