//! The answer: what `summary.json` holds and what every report is made from.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer to an experiment's question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the experiment.
    pub name: String,
    /// The question.
    pub question: String,
    /// Where the question comes from: paper, section.
    pub source: Option<String>,
    /// What the source found.
    pub expected: Option<String>,
    /// The primary metric.
    pub metric: String,
    /// Whether smaller is better.
    pub lower_is_better: bool,
    /// Level of the family of comparisons.
    pub alpha: f64,
    /// Seeds planned.
    pub seeds: Vec<u64>,
    /// Design: `list`, `ladder`.
    pub design: String,
    /// The command that makes these results again.
    pub command: String,
    /// Base first, then the arms in the order of the file.
    pub arms: Vec<ArmSummary>,
    /// What was changed after the plan was frozen; each makes the result post hoc.
    pub post_hoc: Vec<String>,
    /// What a reader must know: mixed devices, versions, threads; few seeds; missing runs.
    pub warnings: Vec<String>,
    /// Training tokens per parameter of the base.
    pub tokens_per_parameter: f64,
    /// Version of `ablate`.
    pub version: String,
}

/// One arm's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Name.
    pub name: String,
    /// The arm it is compared with; none for the base.
    pub reference: Option<String>,
    /// Learned numbers.
    pub parameters: u64,
    /// Training FLOPs per token.
    pub flops_per_token: f64,
    /// Seeds that finished.
    pub seeds: usize,
    /// Mean of the primary metric over finished seeds.
    pub mean: Option<f64>,
    /// 95 % interval of the mean over seeds (Student's t).
    pub ci95: Option<[f64; 2]>,
    /// Mean paired difference to the reference.
    pub delta: Option<f64>,
    /// 95 % interval of the paired difference.
    pub delta_ci95: Option<[f64; 2]>,
    /// Two-sided p of the paired t test.
    pub p: Option<f64>,
    /// The same after Holm's correction over all comparisons of the experiment.
    pub p_adjusted: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict in words, with the smallest difference this many seeds could have seen.
    pub verdict_text: String,
    /// Runs that diverged.
    pub diverged: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Median over runs.
    pub tokens_per_second: Option<f64>,
    /// All comparisons of this arm: the reference first; in a ladder, the base second.
    pub comparisons: Vec<Comparison>,
    /// The primary metric by seed; none where a run did not finish.
    pub values: BTreeMap<u64, Option<f64>>,
    /// Further metrics, exploratory: no correction, no verdict.
    pub metrics: BTreeMap<String, MetricSummary>,
    /// What differs from the base: named and derived keys.
    pub differences: Vec<Difference>,
    /// Share of the parameters that start from the same noise as the reference's.
    pub paired_parameters: Option<f64>,
    /// Folders of the runs by seed, relative to the experiment's, for curves.
    pub folders: BTreeMap<u64, String>,
}

/// One paired comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The other arm.
    pub reference: String,
    /// Pairs of finished runs.
    pub pairs: usize,
    /// Mean paired difference, this arm minus the other.
    pub delta: Option<f64>,
    /// 95 % interval of the difference.
    pub delta_ci95: Option<[f64; 2]>,
    /// Two-sided p of the paired t test.
    pub p: Option<f64>,
    /// After Holm's correction.
    pub p_adjusted: Option<f64>,
    /// Smallest difference that this many pairs detect with 80 % power at this level.
    pub detectable: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// A further metric of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Mean over finished seeds; none if undefined for this arm.
    pub mean: Option<f64>,
    /// 95 % interval of the mean.
    pub ci95: Option<[f64; 2]>,
    /// Mean paired difference to the reference.
    pub delta: Option<f64>,
    /// 95 % interval of the difference.
    pub delta_ci95: Option<[f64; 2]>,
}

/// A key whose resolved value differs from the base's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Dotted key.
    pub key: String,
    /// In the base; none if absent there.
    pub base: Option<String>,
    /// In the arm; none if absent there.
    pub arm: Option<String>,
    /// Named by the arm, solved by `[match]`, or derived from a named key.
    pub origin: String,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The base has nothing to be compared with.
    Base,
    /// The difference is real and in the metric's good direction.
    Better,
    /// The difference is real and in the bad direction.
    Worse,
    /// None found with this many seeds.
    #[serde(rename = "no difference found")]
    NoDifference,
    /// Fewer than two pairs of finished runs.
    Undecided,
}
