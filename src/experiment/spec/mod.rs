//! An experiment as written.

mod design;
mod matching;
mod published;
mod retune;
mod seeds;

pub use design::{Design, DesignConfig, FactorConfig, LevelConfig, Scale, SizeConfig};
pub use matching::{Count, MatchConfig, STEPS};
pub use published::PublishedConfig;
pub use retune::{RetuneConfig, TUNING_SEED};
pub use seeds::{Seeds, SequentialSeeds, Until};

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
    /// Seeds: how many (0, 1, …), a list, or as many as it takes: `{ min = 3, max = 10, until = "decided" }`. Every arm runs
    /// once per seed, and a seed is a pair.
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
    /// The smallest difference of the metric that would matter: arms that are shown to differ by less are equivalent.
    #[serde(default)]
    pub margin: Option<f64>,
    /// Values for the base and all arms, above the base's file: `"train.steps" = 300`.
    #[serde(default)]
    pub set: BTreeMap<String, serde_json::Value>,
    /// What is made equal between the arms.
    #[serde(default, rename = "match")]
    pub matching: Option<MatchConfig>,
    /// Each arm's own best settings, found before the comparison.
    #[serde(default)]
    pub retune: Option<RetuneConfig>,
    /// How the arms relate.
    #[serde(default)]
    pub design: DesignConfig,
    /// What every arm must satisfy, e.g. `["params <= 20e6"]`; arms made from factors that do not are left out.
    #[serde(default)]
    pub require: Vec<String>,
    /// Further lengths of training of the base, in steps, each a run of its own with a finished schedule: what tells how much
    /// compute an arm is worth.
    #[serde(default)]
    pub budgets: Vec<usize>,
    /// Orders of arms that others found, to hold the results against.
    #[serde(default)]
    pub published: Vec<PublishedConfig>,
    /// The arms, in the order of the tables.
    #[serde(default, rename = "arm")]
    pub arms: Vec<ArmConfig>,
    /// What varies, in designs that make their arms from factors.
    #[serde(default, rename = "factor")]
    pub factors: Vec<FactorConfig>,
    /// Further sizes of the model, in a ladder of sizes.
    #[serde(default, rename = "size")]
    pub sizes: Vec<SizeConfig>,
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
    /// Run it only where this holds of what it changes, e.g. `"model.position.kind == 'rope'"`.
    #[serde(default)]
    pub when: Option<String>,
    /// A remark for the reader.
    #[serde(default)]
    pub note: Option<String>,
}

pub(super) const NAMES: &str = "use letters, digits, `-`, `_`, `+` and `.`, beginning with a letter or digit, 64 at most";

impl ExperimentConfig {
    /// The broken rules that need no look at the base; keys as in the file.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.seeds.problems();
        problems.extend(self.matching.iter().flat_map(MatchConfig::problems));
        problems.extend(self.retune.iter().flat_map(|retune| retune.problems(&self.seeds.list())));
        problems.extend(self.design.problems(&self.factors));
        problems.extend(self.published.iter().enumerate().flat_map(|(i, order)| order.problems(&format!("published[{i}]"))));
        problems.extend(self.factors.iter().enumerate().flat_map(|(i, factor)| factor.problems(&format!("factor[{i}]"), &self.design)));
        let mut add = |key: String, message: String, help: &str| problems.push(Problem::new(key, message).help(help));
        if !is_name(&self.name) {
            add("name".into(), "is no name of a folder".into(), NAMES);
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            add("alpha".into(), "must lie between 0 and 0.5".into(), "0.05 is usual");
        }
        if self.margin.is_some_and(|margin| !(margin > 0.0 && margin.is_finite())) {
            add("margin".into(), "must be more than 0".into(), "in units of the metric: 0.01 bits per byte, for example");
        }
        if self.retune.is_some() && self.matching.as_ref().is_some_and(|matching| matching.time.is_some()) {
            let help = "match flops, or tune in an experiment of its own and set the values found";
            add(
                "match.time".into(),
                "cannot be combined with [retune]: the time of an arm is measured with its final settings".into(),
                help,
            );
        }
        if self.budgets.contains(&0) || self.budgets.windows(2).any(|pair| pair[0] >= pair[1]) {
            add("budgets".into(), "must ascend from 1 step or more".into(), "for example budgets = [150, 300, 1200]");
        }
        self.parts(&mut add);
        self.names(&mut add);
        problems
    }

    /// Arms, factors and sizes belong to designs.
    fn parts(&self, add: &mut impl FnMut(String, String, &str)) {
        let kind = self.design.kind;
        if kind.has_factors() {
            if self.factors.is_empty() {
                add("factor".into(), format!("a {kind} design has nothing to vary"), "add [[factor]] with `name`, `key` and `values`");
            }
            if !self.arms.is_empty() {
                add("arm[0]".into(), format!("a {kind} design makes its arms from factors"), "write [[factor]], or another design.kind");
            }
        } else {
            if self.arms.is_empty() {
                add("arm".into(), "there is no arm to compare with the base".into(), "add [[arm]] with `name` and `set`");
            }
            if !self.factors.is_empty() {
                let help = "use design.kind = \"one-at-a-time\", \"factorial\", \"zip\", \"random\" or \"halton\"";
                add("factor[0]".into(), format!("a {kind} design has no factors"), help);
            }
        }
        match (kind == Design::LadderOfSizes, self.sizes.is_empty()) {
            (true, true) => add("size".into(), "there is no other size than the base's".into(), "add [[size]] with `name` and `set`"),
            (false, false) => add("size[0]".into(), format!("a {kind} design has no sizes"), "use design.kind = \"ladder-of-sizes\""),
            _ => {}
        }
        if kind == Design::Zip && self.factors.windows(2).any(|pair| pair[0].levels() != pair[1].levels()) {
            add(
                "factor".into(),
                "paired factors have different numbers of levels".into(),
                "give all the same number: the first go together, and so on",
            );
        }
    }

    /// Names of arms, factors and sizes: each its own.
    fn names(&self, add: &mut impl FnMut(String, String, &str)) {
        for (i, arm) in self.arms.iter().enumerate() {
            if arm.set.is_empty() {
                let help = "name what it changes, e.g. set = { \"model.norm.kind\" = \"layer\" }; for an A/A control set `train.log_every`";
                add(format!("arm[{i}]"), format!("arm `{}` sets nothing", arm.name), help);
            }
        }
        for (i, size) in self.sizes.iter().enumerate() {
            if size.set.is_empty() {
                add(format!("size[{i}]"), format!("size `{}` sets nothing", size.name), "for example set = { \"model.width\" = 256 }");
            }
        }
        let arms: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        let factors: Vec<&str> = self.factors.iter().map(|factor| factor.name.as_str()).collect();
        let sizes: Vec<&str> = self.sizes.iter().map(|size| size.name.as_str()).collect();
        for (what, names) in [("arm", arms), ("factor", factors), ("size", sizes)] {
            for (i, name) in names.iter().enumerate() {
                let key = format!("{what}[{i}].name");
                if !is_name(name) {
                    add(key, "is no name of a folder".into(), NAMES);
                } else if what != "factor" && name.eq_ignore_ascii_case(BASE) {
                    add(key, "is the name of the base itself".into(), "the base always runs; choose another name");
                } else if let Some(other) = names[..i].iter().find(|other| other.eq_ignore_ascii_case(name)) {
                    add(key, format!("is the name of two {what}s (`{other}` is taken)"), "give each its own name");
                }
            }
        }
    }
}

/// Whether a name can be a folder on every system, and is not one of the files that lie beside it.
pub(super) fn is_name(name: &str) -> bool {
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
