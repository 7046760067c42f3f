//! A recipe as written.

use super::{
    Ablated,
    ablated::no_step,
    step::{STEP_PATHS, StepConfig},
};
use crate::{
    data::{
        CratesPart,
        pipeline::formats::{Format, Limits},
    },
    settings::{Document, Error, Problem, Result},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// From files to clean documents: what `ablate data build` does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// A name, for reports.
    pub name: String,
    /// What is read, in order: of documents that are the same, that of the first source stays.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// What is done with the documents of all sources together, after what each source does with its own.
    #[serde(rename = "step", default)]
    pub steps: Vec<Step>,
    /// What is written.
    #[serde(default)]
    pub output: OutputConfig,
    /// Rejected documents that are kept for reading, for each rule of each step, chosen by a hash of their ids. 10 by default. A build that is
    /// finished keeps those that it has.
    #[serde(default = "rejected")]
    pub rejected: usize,
    /// Bounds on what files may ask for.
    #[serde(default)]
    pub limits: Limits,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name, in documents and reports.
    pub name: String,
    /// Paths, globs or folders, relative to the recipe.
    #[serde(default)]
    pub paths: Vec<String>,
    /// What the files hold; by default what their names say.
    #[serde(default)]
    pub format: Option<Format>,
    /// Instead of paths: training documents of the default corpus.
    #[serde(default)]
    pub crates: Option<CratesPart>,
    /// What happens where a file is damaged. Refused by default.
    #[serde(default)]
    pub damage: OnDamage,
    /// Whether it may hold no document.
    #[serde(default)]
    pub allow_empty: bool,
    /// What is done with its documents, in order.
    #[serde(rename = "step", default)]
    pub steps: Vec<Step>,
}

/// What happens where a file is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDamage {
    /// The build ends, and says where.
    #[default]
    Refuse,
    /// What is damaged is passed over and counted.
    Skip,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name in reports and for `without`; by default its kind.
    #[serde(default)]
    pub name: Option<String>,
    /// What is done.
    pub apply: StepConfig,
    /// What is no mistake although it looks like one.
    #[serde(default)]
    pub allow: Vec<Allowed>,
}

/// An outcome of a step that is refused unless it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// The step has neither dropped nor changed a document.
    Nothing,
    /// The step has dropped all documents.
    Everything,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutputConfig {
    /// How the files of documents are packed. Zstandard by default.
    pub packing: OutputPacking,
    /// Bytes of text of a file, about: documents end to end are cut so, each whole. 256 MiB by default.
    pub file_bytes: u64,
    /// A `tokenizer.json`, or a SentencePiece model: with it token shards in Megatron's format are written, too.
    pub tokenizer: Option<String>,
}

/// How files are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputPacking {
    /// `.jsonl`.
    None,
    /// `.jsonl.gz`.
    Gzip,
    /// `.jsonl.zst`.
    #[default]
    Zstd,
}

impl OutputPacking {
    /// The ending of names of files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::None => "jsonl",
            Self::Gzip => "jsonl.gz",
            Self::Zstd => "jsonl.zst",
        }
    }
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self { packing: OutputPacking::default(), file_bytes: 256 << 20, tokenizer: None }
    }
}

fn rejected() -> usize {
    10
}

impl Step {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.apply.kind())
    }

    /// Whether an outcome is no mistake.
    pub fn allows(&self, outcome: Allowed) -> bool {
        self.allow.contains(&outcome)
    }
}

/// Keys that hold paths, relative to the file that names them.
const PATH_KEYS: [&str; 2] = ["source.*.paths", "output.tokenizer"];

impl Recipe {
    /// The recipe of a document, with what an ablation changes.
    ///
    /// # Errors
    ///
    /// Unknown keys, values out of range, names that no step has.
    pub fn parse(mut document: Document, ablated: &Ablated<'_>) -> Result<Self> {
        ablated.apply(&mut document)?;
        document.make_paths_absolute(&PATH_KEYS)?;
        for key in STEP_PATHS.iter().filter_map(|path| Some(path.split_once('.')?.1)) {
            document.make_paths_absolute(&[&format!("source.*.step.*.apply.{key}"), &format!("step.*.apply.{key}")])?;
        }
        let recipe: Self = document.parse()?;
        let problems = recipe.problems();
        if !problems.is_empty() {
            return Err(document.locate(problems));
        }
        recipe.without(ablated.without).map_err(|problem| {
            let help = problem.help.unwrap_or_default();
            Error::input("--without", problem.message, help)
        })
    }

    /// The recipe without the steps of some names: an ablation of its own.
    ///
    /// # Errors
    ///
    /// A name that no step has.
    pub fn without(mut self, names: &[String]) -> Result<Self, Problem> {
        if let Some(unknown) = names.iter().find(|name| !self.all_steps().any(|step| step.name() == *name)) {
            let (message, help) = no_step(unknown, self.all_steps().map(Step::name));
            return Err(Problem::new("without", message).help(help));
        }
        let keep = |step: &Step| !names.iter().any(|name| name == step.name());
        self.sources.iter_mut().for_each(|source| source.steps.retain(keep));
        self.steps.retain(keep);
        Ok(self)
    }

    /// The steps of all sources, and those of all sources together.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.sources.iter().flat_map(|source| &source.steps).chain(&self.steps)
    }

    /// Broken rules.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        let mut wrong = |key: String, message: &str, help: &str| problems.push(Problem::new(key, message).help(help));
        if self.sources.is_empty() {
            wrong("source".into(), "names no source", "write [[source]] with name and paths");
        }
        let mut names = BTreeSet::new();
        for (number, source) in self.sources.iter().enumerate() {
            let key = |name: &str| format!("source[{number}].{name}");
            if source.name.is_empty() || !source.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                wrong(key("name"), "is no name", "use letters, digits, -, _ and .");
            }
            if !names.insert(&source.name) {
                wrong(key("name"), "is the name of another source, too", "give each source its own");
            }
            match (source.paths.is_empty(), source.crates) {
                (true, None) => wrong(key("paths"), "names no file", "name files, globs or folders; or crates = \"all\""),
                (false, Some(_)) => wrong(key("crates"), "stands beside paths", "keep one of them"),
                (true, Some(_)) if source.format.is_some() => wrong(key("format"), "says nothing of crates", "leave it out"),
                _ => {}
            }
        }
        if self.output.file_bytes == 0 {
            wrong("output.file_bytes".into(), "is zero", "leave it out for 256 MiB");
        }
        problems
    }
}
