//! The answer: what `summary.json` holds and what every report is made from.

use super::Solved;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// The smallest difference that would matter, where one was declared.
    #[serde(default)]
    pub margin: Option<f64>,
    /// Seeds planned; of sequential ones those that were needed so far.
    pub seeds: Vec<u64>,
    /// Where seeds are added until the comparisons are decided: from how many to how many.
    #[serde(default)]
    pub sequential: Option<[u64; 2]>,
    /// The kind of design, as in the file.
    pub design: String,
    /// What was made equal between the arms, in words, with the largest mismatch that is left; empty if nothing was.
    #[serde(default)]
    pub matched: Vec<String>,
    /// The command that makes these results again.
    pub command: String,
    /// Base first, then the arms in the order of the file.
    pub arms: Vec<ArmSummary>,
    /// Main effects and interactions of a factorial design: its comparisons.
    #[serde(default)]
    pub effects: Vec<EffectSummary>,
    /// Loss against size, in a ladder of sizes.
    #[serde(default)]
    pub scaling: Option<ScalingSummary>,
    /// What the base reaches with other budgets, and what compute the arms are worth by that.
    #[serde(default)]
    pub compute: Option<ComputeSummary>,
    /// How each arm's settings were tuned; empty if they were not.
    #[serde(default)]
    pub tuning: Vec<TuningSummary>,
    /// Which of the factors that were drawn matter. Exploratory.
    #[serde(default)]
    pub factors: Vec<FactorSummary>,
    /// Orders that others found, held against these results.
    #[serde(default)]
    pub published: Vec<PublishedSummary>,
    /// Cells of the design that were left out, or are the same as another, in words.
    #[serde(default)]
    pub left_out: Vec<String>,
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
    /// Training tokens of a run.
    #[serde(default)]
    pub tokens: u64,
    /// Whether it only shows what the base reaches at another size or budget.
    #[serde(default)]
    pub role: Role,
    /// Levels of the factors, in designs that have them: name of the factor, value.
    #[serde(default)]
    pub levels: BTreeMap<String, Value>,
    /// What all runs of it cost so far, tuning and failed attempts included.
    #[serde(default)]
    pub cost: Cost,
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
    /// What was solved so that the arms are equal, and the mismatch that is left.
    #[serde(default)]
    pub solved: Vec<Solved>,
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
    /// How alike the two arms rank the seeds: Pearson's correlation over the pairs. Pairing gains where it is high.
    #[serde(default)]
    pub correlation: Option<f64>,
    /// The same by Welch's test, which ignores the pairs.
    #[serde(default)]
    pub welch: Option<WelchSummary>,
    /// Two-sided p of the exact sign-flip test; none for fewer than six pairs.
    #[serde(default)]
    pub p_sign_flip: Option<f64>,
    /// The test for a difference smaller than the margin, where one was declared.
    #[serde(default)]
    pub equivalence: Option<EquivalenceSummary>,
    /// What would change the verdict, in a sentence.
    #[serde(default)]
    pub would_change: Option<String>,
    /// Pairs with which a true difference as large as the one seen would be found with 80 % probability; none if it is found
    /// already, or would take more than anybody trains.
    #[serde(default)]
    pub pairs_needed: Option<usize>,
}

/// Welch's t test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WelchSummary {
    /// 95 % interval of the difference.
    pub ci95: [f64; 2],
    /// Two-sided p.
    pub p: f64,
}

/// Two one-sided tests against the margin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EquivalenceSummary {
    /// p of "the difference is the margin or more".
    pub p: f64,
    /// After the correction.
    pub p_adjusted: f64,
    /// Interval of the difference at level 1 - 2α: within the margin where p is at most α.
    pub interval: [f64; 2],
}

/// An effect of a factorial design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectSummary {
    /// Name: `norm: layer`, `norm: layer × position: rope`.
    pub name: String,
    /// Factors that take part: one of a main effect, two of an interaction.
    pub factors: Vec<String>,
    /// Their levels, against the base's.
    pub levels: Vec<String>,
    /// Effects that these cells cannot tell from it.
    pub aliases: Vec<String>,
    /// The contrast of the cells, averaged over everything else, as a comparison; its reference is the base's level.
    pub comparison: Comparison,
    /// The effect in words.
    pub text: String,
}

/// Loss against size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingSummary {
    /// A curve per arm, the base's first.
    pub curves: Vec<ScalingCurve>,
    /// How the difference of each arm to the base changes with size.
    pub trends: Vec<ScalingTrend>,
}

/// An arm's loss against size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingCurve {
    /// The arm.
    pub arm: String,
    /// Size in words, non-embedding parameters, mean of the metric.
    pub points: Vec<(String, u64, f64)>,
    /// `L(N) = floor + factor · N^-exponent`, where enough sizes were run.
    pub fit: Option<ScalingFit>,
    /// Why there is no fit.
    pub note: Option<String>,
}

/// A fit of loss against size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingFit {
    /// The loss that no size goes below; none where three sizes could not tell it.
    pub floor: Option<f64>,
    /// Factor of the power.
    pub factor: f64,
    /// Exponent of the power.
    pub exponent: f64,
    /// 95 % interval of the exponent over seeds; it takes the law as true.
    pub exponent_ci95: Option<[f64; 2]>,
    /// 95 % interval of the floor over seeds.
    pub floor_ci95: Option<[f64; 2]>,
    /// Largest relative distance of a mean from the curve.
    pub residual: f64,
}

/// How a difference changes with size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingTrend {
    /// The arm.
    pub arm: String,
    /// Change of the difference per tenfold size.
    pub slope: f64,
    /// 95 % interval.
    pub slope_ci95: Option<[f64; 2]>,
    /// Two-sided p of "it does not change"; exploratory, outside the family of comparisons.
    pub p: Option<f64>,
    /// The difference at the smallest and at the largest size, on the line through all.
    pub ends: [f64; 2],
    /// In words: shrinks, grows, changes its sign, or undecided.
    pub text: String,
}

/// The base at several budgets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComputeSummary {
    /// Training FLOPs of a run and mean of the metric of the base, ascending.
    pub base: Vec<(f64, f64)>,
    /// What the compute of each arm is worth.
    pub arms: Vec<Multiplier>,
}

/// What the compute of an arm is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Multiplier {
    /// The arm.
    pub arm: String,
    /// Compute with which the base reaches the arm's value, over the arm's; none beyond the base's budgets.
    pub multiplier: Option<f64>,
    /// 95 % interval over seeds.
    pub ci95: Option<[f64; 2]>,
    /// In words.
    pub text: String,
}

/// How an arm's settings were tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningSummary {
    /// The arm.
    pub arm: String,
    /// The trials, in order of rungs.
    pub rungs: Vec<Rung>,
    /// Index of the trial that was chosen; none while the tuning goes on.
    pub chosen: Option<usize>,
    /// Settings whose best value is the first or the last that was tried.
    pub edges: Vec<String>,
}

/// A round of trials of equal length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Steps of each trial: a complete schedule.
    pub steps: usize,
    /// The trials.
    pub trials: Vec<TrialSummary>,
}

/// One setting that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialSummary {
    /// Index among all combinations of the values.
    pub trial: usize,
    /// The values by key.
    pub settings: BTreeMap<String, Value>,
    /// The primary metric by tuning seed; none where the run diverged or failed, or is missing.
    pub values: BTreeMap<u64, Option<f64>>,
    /// Mean over the seeds; none if one of them has no value.
    pub mean: Option<f64>,
}

/// How the metric goes with a factor that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorSummary {
    /// The factor.
    pub name: String,
    /// Spearman's rank correlation between its values and the arms' means.
    pub correlation: f64,
    /// Two-sided p.
    pub p: f64,
    /// Arms with a value.
    pub arms: usize,
    /// In a sentence.
    pub text: String,
}

/// An order that others found, held against these results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishedSummary {
    /// Paper, table.
    pub source: String,
    /// Groups of arms, better ones first.
    pub order: Vec<Vec<String>>,
    /// What these runs say of every pair that the source ranks. Exploratory; corrected within the order.
    pub claims: Vec<Claim>,
    /// Kendall's rank correlation between the order and the means.
    pub tau: Option<f64>,
    /// In a sentence.
    pub text: String,
}

/// A pair of arms that a source ranks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The better one, says the source.
    pub better: String,
    /// The worse one.
    pub worse: String,
    /// Mean paired difference, the better one less the worse one.
    pub delta: Option<f64>,
    /// 95 % interval.
    pub ci95: Option<[f64; 2]>,
    /// p after Holm's correction over the order's pairs.
    pub p_adjusted: Option<f64>,
    /// Better where it holds here, worse where it is the other way round, else open.
    pub verdict: Verdict,
}

/// What the runs of an arm cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Runs, all attempts.
    pub runs: usize,
    /// Of these, tuning and timing.
    pub tuning_runs: usize,
    /// Training tokens.
    pub tokens: u64,
    /// Training FLOPs, by the model's accounting.
    pub flops: f64,
    /// Wall-clock seconds of training.
    pub seconds: f64,
    /// Largest memory of a run's process in bytes, where it is known.
    pub peak_memory_bytes: Option<u64>,
}

/// What an arm is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is compared with another arm.
    #[default]
    Compared,
    /// The base.
    Base,
    /// The base at another size, which the arms of that size are compared with.
    BaseOfSize,
    /// The base with another budget.
    BaseOfBudget,
    /// A cell of a factorial design: its effects are compared, not the cell.
    Cell,
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
    /// The difference is smaller than the declared margin.
    Equivalent,
    /// None found with this many seeds.
    #[serde(rename = "no difference found")]
    NoDifference,
    /// Fewer than two pairs of finished runs.
    Undecided,
    /// No comparison with it was declared.
    #[serde(rename = "not compared")]
    NotCompared,
}
