//! How arms come from what is written.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the arms relate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DesignConfig {
    /// The kind of design.
    #[serde(default)]
    pub kind: Design,
    /// `factorial`: a fraction of the cells in which no main effect is aliased with an effect of fewer than so many factors
    /// less one: 3 keeps main effects apart, 4 also from interactions of two, 5 also these from each other. All cells if absent.
    pub resolution: Option<usize>,
    /// `factorial`: also test the interactions of two factors.
    #[serde(default = "yes")]
    pub interactions: bool,
    /// `random`, `halton`: how many arms.
    pub count: Option<usize>,
    /// `random`: seed of the draws.
    #[serde(default)]
    pub seed: u64,
}

fn yes() -> bool {
    true
}

impl Default for DesignConfig {
    fn default() -> Self {
        Self { kind: Design::default(), resolution: None, interactions: true, count: None, seed: 0 }
    }
}

/// The kind of design.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Every `[[arm]]` changes the base and is compared with it.
    #[default]
    List,
    /// Every `[[arm]]` adds to the one before and is compared with it, and with the base.
    Ladder,
    /// An arm with the changes of all `[[arm]]`s, compared with the base, and one without each, compared with that.
    LeaveOneOut,
    /// Every level of every `[[factor]]` alone, compared with the base.
    OneAtATime,
    /// The levels of all `[[factor]]`s in all combinations; main effects and interactions are compared.
    Factorial,
    /// The first levels of all `[[factor]]`s together, then the second ones, and so on; each compared with the base.
    Zip,
    /// Draws from the ranges of the `[[factor]]`s, each compared with the base.
    Random,
    /// The same from a Halton sequence, which covers the ranges more evenly.
    Halton,
    /// Every `[[arm]]`, and the base, at the base's size and at every `[[size]]`; compared within each size.
    LadderOfSizes,
}

impl Design {
    /// Whether the arms are made from factors.
    pub fn has_factors(self) -> bool {
        matches!(self, Self::OneAtATime | Self::Factorial | Self::Zip | Self::Random | Self::Halton)
    }

    /// Whether arms are drawn from ranges.
    pub fn is_sampled(self) -> bool {
        matches!(self, Self::Random | Self::Halton)
    }
}

impl std::fmt::Display for Design {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Ladder => "ladder",
            Self::LeaveOneOut => "leave-one-out",
            Self::OneAtATime => "one-at-a-time",
            Self::Factorial => "factorial",
            Self::Zip => "zip",
            Self::Random => "random",
            Self::Halton => "halton",
            Self::LadderOfSizes => "ladder-of-sizes",
        })
    }
}

/// Something that varies, with its levels or its range. The base's own value is a level of every factor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorConfig {
    /// Name, for arms and tables.
    pub name: String,
    /// The key whose values are the levels.
    pub key: Option<String>,
    /// Levels: values of `key`.
    #[serde(default)]
    pub values: Vec<serde_json::Value>,
    /// Levels that set several keys.
    #[serde(default, rename = "level")]
    pub levels: Vec<LevelConfig>,
    /// `random`, `halton`: lowest value of `key`.
    pub min: Option<f64>,
    /// `random`, `halton`: highest value of `key`.
    pub max: Option<f64>,
    /// `random`, `halton`: how the range is covered.
    #[serde(default)]
    pub scale: Scale,
    /// `random`, `halton`: round to whole numbers.
    #[serde(default)]
    pub int: bool,
    /// Vary it only where this holds, e.g. `"model.position.kind == 'rope'"`; elsewhere the base's value stays. Asked after all
    /// factors without a condition and those with one that stand before it.
    pub when: Option<String>,
}

/// A level that sets several keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelConfig {
    /// Name.
    pub name: String,
    /// What it sets.
    pub set: BTreeMap<String, serde_json::Value>,
}

/// How a range is covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in the logarithm.
    Log,
}

/// A size of the model in a ladder of sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeConfig {
    /// Name.
    pub name: String,
    /// What it sets: width, layers, steps.
    pub set: BTreeMap<String, serde_json::Value>,
}

/// More arms than anybody means to write.
pub(super) const MOST_ARMS: usize = 10_000;

impl FactorConfig {
    /// Whether it is a range.
    pub fn is_range(&self) -> bool {
        self.min.is_some() || self.max.is_some()
    }

    /// How many levels are written.
    pub fn levels(&self) -> usize {
        self.values.len() + self.levels.len()
    }

    /// The broken rules, under `key` (`factor[0]`).
    pub(super) fn problems(&self, at: &str, design: &DesignConfig) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: String, message: &str, help: &str| problems.push(Problem::new(key, message).help(help));
        if !super::is_name(&self.name) {
            add(format!("{at}.name"), "is no name", super::NAMES);
        }
        if self.is_range() {
            if !design.kind.is_sampled() {
                add(at.into(), "a range can only be drawn from", "list `values`, or use design.kind = \"random\" or \"halton\"");
            }
            if self.levels() > 0 {
                add(at.into(), "has both a range and levels", "write one of them");
            }
            if self.key.is_none() {
                add(at.into(), "a range needs a `key`", "for example key = \"optimizer.lr\"");
            }
            match (self.min, self.max) {
                (Some(min), Some(max)) if min < max && min.is_finite() && max.is_finite() => {
                    if self.scale == Scale::Log && min <= 0.0 {
                        add(
                            format!("{at}.min"),
                            "a logarithmic range has no 0 and nothing below",
                            "use a positive `min`, or scale = \"linear\"",
                        );
                    }
                }
                _ => add(at.into(), "needs `min` less than `max`", "for example min = 1e-4, max = 1e-2, scale = \"log\""),
            }
        } else {
            match (&self.key, self.values.len(), self.levels.len()) {
                (Some(_), 0, _) => add(at.into(), "has no `values`", "list them: values = [\"rms\", \"layer\"]"),
                (None, 1.., _) => add(at.into(), "has `values` of no `key`", "for example key = \"model.norm.kind\""),
                (None, 0, 0) => add(at.into(), "has no levels", "write key and values, or [[factor.level]] with name and set"),
                (Some(_), 1.., 1..) => add(at.into(), "has both `values` and levels", "write one of them"),
                _ => {}
            }
        }
        for (i, level) in self.levels.iter().enumerate() {
            if !super::is_name(&level.name) {
                add(format!("{at}.level[{i}].name"), "is no name", super::NAMES);
            }
            if level.set.is_empty() {
                add(format!("{at}.level[{i}]"), "sets nothing", "name what it changes, or leave the level out: the base is one");
            }
            if self.levels[..i].iter().any(|other| other.name == level.name) {
                add(format!("{at}.level[{i}].name"), "is the name of two levels", "give every level its own name");
            }
        }
        problems
    }
}

impl DesignConfig {
    /// The broken rules that the number of factors decides.
    pub(super) fn problems(&self, factors: &[FactorConfig]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: &str, message: String, help: &str| problems.push(Problem::new(key, message).help(help));
        let kind = self.kind;
        match self.resolution {
            Some(_) if kind != Design::Factorial => add("design.resolution", format!("a {kind} design has none"), "remove it"),
            Some(resolution) if !(3..=5).contains(&resolution) => {
                add("design.resolution", "must be 3, 4 or 5".into(), "4 keeps main effects apart from interactions of two factors");
            }
            Some(_) if factors.iter().any(|factor| factor.levels() > 2) => {
                let help = "leave `resolution` out for all cells; with the base's, a factor of a fraction has two levels";
                add("design.resolution", "only factors of two levels can be run in fractions".into(), help);
            }
            _ => {}
        }
        match self.count {
            None if kind.is_sampled() => add("design", format!("a {kind} design needs `count`"), "for example count = 20"),
            Some(_) if !kind.is_sampled() => add("design.count", format!("a {kind} design has none"), "remove it"),
            Some(count) if count == 0 || count > MOST_ARMS => add("design.count", "must be 1 to 10,000".into(), "20 is a start"),
            _ => {}
        }
        if i64::try_from(self.seed).is_err() {
            add("design.seed", "must be less than 2^63".into(), "use a smaller seed");
        }
        problems
    }
}
