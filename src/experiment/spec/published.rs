//! Orders that others found.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order of arms that a source found, to hold the results against.
///
/// ```toml
/// [[published]]
/// source = "Shazeer 2020, table 1"
/// order  = [["swiglu", "geglu"], ["reglu"], ["bilinear"], ["glu", "gelu"], ["base"]]   # better first; ties together
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedConfig {
    /// Paper, table.
    pub source: String,
    /// Groups of arms, better ones first. What the source cannot tell apart stands in one group.
    pub order: Vec<Vec<String>>,
}

impl PublishedConfig {
    /// The broken rules, under `at` (`published[0]`).
    pub(super) fn problems(&self, at: &str) -> Vec<Problem> {
        let key = format!("{at}.order");
        if self.order.len() < 2 || self.order.iter().any(Vec::is_empty) {
            let help = "for example order = [[\"swiglu\", \"geglu\"], [\"relu\"]], better first";
            return vec![Problem::new(key, "an order needs two groups of arms or more").help(help)];
        }
        let names: Vec<&String> = self.order.iter().flatten().collect();
        let twice = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name));
        twice.map(|(_, name)| Problem::new(key, format!("names `{name}` twice")).help("an arm has one place")).into_iter().collect()
    }
}
