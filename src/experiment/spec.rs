//! An experiment as written.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the base is called in tables, folders and references.
pub const BASE: &str = "base";

/// An experiment as written: what a file under `experiments/` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Name; also the name of the folder of the results.
    pub name: String,
    /// The question, in a sentence.
    pub question: String,
    /// Where the question comes from: paper, section.
    #[serde(default)]
    pub source: Option<String>,
    /// What the source found.
    #[serde(default)]
    pub expected: Option<String>,
    /// Path of the configuration that the arms change, relative to this file.
    pub base: String,
    /// Seeds: how many (0, 1, …), or a list. Every arm runs once per seed, and a seed is a pair.
    #[serde(default)]
    pub seeds: Seeds,
    /// The metric that decides.
    #[serde(default = "bits_per_byte")]
    pub metric: String,
    /// Further metrics to show, exploratory: no correction, no verdict.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// Chance of any false discovery in the whole experiment, if no arm differs.
    #[serde(default = "five_hundredths")]
    pub alpha: f64,
    /// Values for the base and all arms, above the base's file: `"train.steps" = 300`.
    #[serde(default)]
    pub set: BTreeMap<String, serde_json::Value>,
    /// A size that is solved so that every arm has the base's number of parameters.
    #[serde(default, rename = "match")]
    pub matching: Option<MatchConfig>,
    /// How the arms relate.
    #[serde(default)]
    pub design: DesignConfig,
    /// The arms, in the order of the tables.
    #[serde(default, rename = "arm")]
    pub arms: Vec<ArmConfig>,
}

fn bits_per_byte() -> String {
    "valid/bits_per_byte".into()
}
fn five_hundredths() -> f64 {
    0.05
}

/// One arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmConfig {
    /// Name; also the name of the folder of its runs.
    pub name: String,
    /// What it changes: `{ "model.norm.kind" = "layer" }`. An arm that sets only keys without numerical effect, such as
    /// `train.log_every`, is an A/A control.
    #[serde(default)]
    pub set: BTreeMap<String, serde_json::Value>,
    /// A remark for the reader.
    #[serde(default)]
    pub note: Option<String>,
}

/// Seeds as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Seeds {
    /// So many, from 0.
    Count(u64),
    /// These.
    List(Vec<u64>),
}

impl Default for Seeds {
    fn default() -> Self {
        Self::Count(5)
    }
}

impl Seeds {
    /// The seeds, in order.
    pub fn list(&self) -> Vec<u64> {
        match self {
            Self::Count(count) => (0..*count).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }
}

/// A size that is solved so that every arm has the base's number of parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    /// The key that is solved: a size of the model, such as `model.feed_forward.hidden` or `model.width`.
    pub parameters: String,
    /// Which parameters count.
    #[serde(default)]
    pub count: Count,
    /// Largest relative mismatch; an arm that cannot come as close is refused.
    #[serde(default = "half_a_percent")]
    pub tolerance: f64,
}

fn half_a_percent() -> f64 {
    0.005
}

/// Which parameters count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// All.
    #[default]
    Total,
    /// All but token embedding, learned positions and untied head.
    NonEmbedding,
}

/// How the arms relate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DesignConfig {
    /// The kind of design.
    #[serde(default)]
    pub kind: Design,
}

/// The kind of design.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// Every arm changes the base and is compared with it.
    #[default]
    List,
    /// Every arm adds to the one before and is compared with it, and with the base.
    Ladder,
}

impl std::fmt::Display for Design {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Ladder => "ladder",
        })
    }
}

impl ExperimentConfig {
    /// The broken rules that need no look at the base; keys as in the file.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: String, message: String, help: &str| problems.push(Problem::new(key, message).help(help));
        const NAMES: &str = "use letters, digits, `-`, `_`, `+` and `.`, beginning with a letter or digit, 64 at most";
        if !is_name(&self.name) {
            add("name".into(), "is no name of a folder".into(), NAMES);
        }
        match &self.seeds {
            Seeds::Count(0) => add("seeds".into(), "zero seeds train nothing".into(), "use 3 or more; a verdict needs pairs of runs"),
            Seeds::Count(count) if *count > 10_000 => add("seeds".into(), "more than 10,000 seeds".into(), "write single seeds as a list"),
            Seeds::List(list) if list.is_empty() => add("seeds".into(), "an empty list trains nothing".into(), "use 3 seeds or more"),
            Seeds::List(list) => {
                if let Some(twice) = list.iter().enumerate().find(|(i, seed)| list[..*i].contains(seed)) {
                    add("seeds".into(), format!("seed {} is listed twice", twice.1), "a seed is one pair; list it once");
                }
                if list.iter().any(|seed| i64::try_from(*seed).is_err()) {
                    add("seeds".into(), "a seed is not less than 2^63".into(), "use smaller seeds");
                }
            }
            Seeds::Count(_) => {}
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            add("alpha".into(), "must lie between 0 and 0.5".into(), "0.05 is usual");
        }
        if let Some(matching) = &self.matching {
            if !matching.parameters.starts_with("model.") {
                add("match.parameters".into(), "is no size of the model".into(), "for example \"model.feed_forward.hidden\"");
            }
            if !(0.0..=0.5).contains(&matching.tolerance) {
                add("match.tolerance".into(), "must lie between 0 and 0.5".into(), "0.005 is half a percent");
            }
        }
        if self.arms.is_empty() {
            add("arm".into(), "there is no arm to compare with the base".into(), "add [[arm]] with `name` and `set`");
        }
        for (i, arm) in self.arms.iter().enumerate() {
            let key = format!("arm[{i}].name");
            if !is_name(&arm.name) {
                add(key, "is no name of a folder".into(), NAMES);
            } else if arm.name.eq_ignore_ascii_case(BASE) {
                add(key, "is the name of the base itself".into(), "the base always runs; give the arm another name");
            } else if let Some(other) = self.arms[..i].iter().find(|other| other.name.eq_ignore_ascii_case(&arm.name)) {
                add(key, format!("is the name of two arms (`{}` is taken)", other.name), "give every arm its own name");
            }
            if arm.set.is_empty() {
                let help = "name what it changes, e.g. set = { \"model.norm.kind\" = \"layer\" }; for an A/A control set `train.log_every`";
                add(format!("arm[{i}]"), format!("arm `{}` sets nothing", arm.name), help);
            }
        }
        problems
    }
}

/// Whether a name can be a folder on every system, and is not one of the files that lie beside it.
fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let all = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_+.".contains(c));
    let taken = ["plan.json", "records.jsonl", "summary.json", "summary.csv", "report.html"].contains(&name);
    first && all && name.len() <= 64 && !name.ends_with('.') && !taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ExperimentConfig {
        toml::from_str(&format!("name = \"x\"\nquestion = \"?\"\nbase = \"b.toml\"\n{text}")).unwrap()
    }

    fn keys(text: &str) -> Vec<String> {
        config(text).problems().into_iter().map(|problem| problem.key).collect()
    }

    const ARM: &str = "[[arm]]\nname = \"a\"\nset = { \"model.norm.kind\" = \"layer\" }\n";

    #[test]
    fn defaults_are_the_documented_ones() {
        let experiment = config(ARM);
        assert_eq!(experiment.problems(), []);
        assert_eq!(experiment.seeds.list(), [0, 1, 2, 3, 4]);
        assert_eq!((experiment.alpha, experiment.design.kind), (0.05, Design::List));
        assert_eq!(experiment.metric, "valid/bits_per_byte");
        let matched = config(&format!("match.parameters = \"model.width\"\n{ARM}")).matching.unwrap();
        assert_eq!((matched.count, matched.tolerance), (Count::Total, 0.005));
    }

    #[test]
    fn every_rule_has_its_key() {
        for (text, key) in [
            ("seeds = 0\n", "seeds"),
            ("seeds = []\n", "seeds"),
            ("seeds = [3, 1, 3]\n", "seeds"),
            ("alpha = 0.0\n", "alpha"),
            ("match.parameters = \"train.batch\"\n", "match.parameters"),
            ("match = { parameters = \"model.width\", tolerance = -1.0 }\n", "match.tolerance"),
        ] {
            assert_eq!(keys(&format!("{text}{ARM}")), [key], "{text}");
        }
        assert_eq!(keys(""), ["arm"]);
        assert_eq!(keys("[[arm]]\nname = \"a\"\n"), ["arm[0]"]);
        assert_eq!(keys(&format!("{ARM}{ARM}")), ["arm[1].name"]);
        for name in ["base", "BASE", "", "a/b", "..", ".hidden", "a b", "plan.json", "é"] {
            assert_eq!(keys(&format!("[[arm]]\nname = \"{name}\"\nset = {{ \"a.b\" = 1 }}\n")), ["arm[0].name"], "{name:?}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<ExperimentConfig>("name = \"x\"\nquestion = \"?\"\nbase = \"b\"\nseed = 3\n").is_err());
    }
}
