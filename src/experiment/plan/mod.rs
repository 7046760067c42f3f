//! The plan: what every arm is, what it costs, and which runs are missing. A pure function of experiment and records.

mod build;

pub(super) use build::lower_is_better;

use super::{
    Difference, Job, Record, Role, TuningSummary,
    design::Effect,
    matching::{Quantity, Solved},
    paths,
    price::Price,
    sentence::{percent, short, signed},
    spec::{BASE, Design, PublishedConfig, RetuneConfig},
    wanted::wanted,
};
use crate::{
    ops::{Activations, OperatorPath},
    settings::{Error, Result},
    stats,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything about an experiment that its results are read with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name.
    pub name: String,
    /// The question.
    pub question: String,
    /// Where the question comes from.
    pub source: Option<String>,
    /// What the source found.
    pub expected: Option<String>,
    /// The metric that decides.
    pub metric: String,
    /// Whether smaller is better.
    pub lower_is_better: bool,
    /// Further metrics.
    pub metrics: Vec<String>,
    /// Level of the family of comparisons.
    pub alpha: f64,
    /// The smallest difference that would matter.
    #[serde(default)]
    pub margin: Option<f64>,
    /// Seeds; of sequential ones all that may be needed.
    pub seeds: Vec<u64>,
    /// Where seeds are added until the comparisons are decided: from how many to how many.
    #[serde(default)]
    pub sequential: Option<[u64; 2]>,
    /// How the arms relate.
    pub design: Design,
    /// What was made equal between the arms, in words.
    #[serde(default)]
    pub matched: Vec<String>,
    /// Largest relative mismatch of what was made equal; none where nothing was, and in plans of versions that did not tell.
    #[serde(default)]
    pub tolerance: Option<f64>,
    /// How every arm is tuned.
    #[serde(default)]
    pub retune: Option<RetuneConfig>,
    /// The comparisons of a factorial design.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// What the design asked for and is not run, in words.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// Orders of arms that others found.
    #[serde(default)]
    pub published: Vec<PublishedConfig>,
    /// The command that makes the results again.
    pub command: String,
    /// Training tokens per parameter of the base.
    pub tokens_per_parameter: f64,
    /// What all runs cost, done or not; of sequential seeds all that may be needed.
    #[serde(default)]
    pub price: Price,
    /// The base, then the arms in the order of the design.
    pub arms: Vec<PlannedArm>,
}

/// What can be made equal, as the words of `matched` begin.
const MATCHED: [(Quantity, &str); 4] = [
    (Quantity::Parameters, "parameters"),
    (Quantity::FlopsPerToken, "FLOPs per token"),
    (Quantity::Flops, "training FLOPs"),
    (Quantity::Time, "training time"),
];

/// An arm in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedArm {
    /// Name.
    pub name: String,
    /// What it is there for.
    #[serde(default)]
    pub role: Role,
    /// Levels of the factors.
    #[serde(default)]
    pub levels: BTreeMap<String, Value>,
    /// The size, in a ladder of sizes; none for the base's own.
    #[serde(default)]
    pub size: Option<String>,
    /// Learned numbers.
    pub parameters: u64,
    /// Learned numbers without token embedding, learned positions and untied head.
    pub non_embedding_parameters: u64,
    /// Training FLOPs per token.
    pub flops_per_token: f64,
    /// What is kept of a forward pass.
    #[serde(default)]
    pub activations: Activations,
    /// Bytes that the fused operators keep of a micro-batch's forward pass, at their most while the backward pass runs.
    #[serde(default)]
    pub kept_bytes: f64,
    /// Training FLOPs per token on top of `flops_per_token`, for products that the backward pass repeats.
    #[serde(default)]
    pub recomputed_flops_per_token: f64,
    /// Bytes of the checkpoints that one run leaves.
    #[serde(default)]
    pub checkpoint_bytes: u64,
    /// Training tokens of one run.
    pub tokens: u64,
    /// Optimizer steps of one run.
    #[serde(default)]
    pub steps: usize,
    /// The arm it is compared with; none for the base.
    pub reference: Option<String>,
    /// All arms it is compared with: the reference first; in a ladder, the base second.
    pub references: Vec<String>,
    /// Share of the parameters that start from the same noise as the reference's.
    pub paired_parameters: Option<f64>,
    /// Parameters that an arm it is compared with has in another shape, by that arm; all others of equal name start from the
    /// same noise. None in plans of versions that did not tell.
    #[serde(default)]
    pub reshaped: Option<BTreeMap<String, BTreeSet<String>>>,
    /// The keys that the arm itself names.
    pub named: Vec<String>,
    /// Whether it is an A/A control: none of these has a numerical effect.
    pub control: bool,
    /// What differs from the base: named, matched, tuned and derived keys.
    pub differences: Vec<Difference>,
    /// What was solved, and the mismatch that is left.
    #[serde(rename = "match", default, deserialize_with = "none_one_or_many")]
    pub solved: Vec<Solved>,
    /// How it was tuned so far.
    #[serde(default)]
    pub tuning: Option<TuningSummary>,
    /// How each of its operators is computed on this device, and why; empty in plans of versions that did not tell.
    #[serde(default)]
    pub operators: Vec<OperatorPath>,
    /// Seconds that one run takes on this device, by the last run on it; none if unknown.
    pub seconds_per_run: Option<f64>,
    /// A remark for the reader.
    pub note: Option<String>,
    /// Hash of the specification with seed 0, before tuning and timing.
    pub spec: String,
    /// Runs that tune or time it, before it can be compared.
    #[serde(default)]
    pub preparation: Vec<Job>,
    /// Hash of the run of each seed; empty while it is being tuned or timed.
    pub runs: BTreeMap<u64, String>,
}

impl Plan {
    /// The arm of a name.
    pub fn arm(&self, name: &str) -> Option<&PlannedArm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// All runs that are asked for by what is on record, done or not: those that tune or time first, then seed by seed.
    pub fn jobs(&self, records: &[Record]) -> Vec<Job> {
        wanted(self, records)
    }

    /// What differs between an arm and its reference: in a ladder, less than what differs from the base.
    pub fn changes(&self, arm: &PlannedArm) -> Vec<Difference> {
        let reference = arm.reference.as_ref().and_then(|name| self.arm(name));
        let before = |key: &str| reference.and_then(|other| other.differences.iter().find(|change| change.key == key));
        let mut changes: Vec<Difference> = arm
            .differences
            .iter()
            .filter(|change| before(&change.key).is_none_or(|old| old.arm != change.arm))
            .map(|change| match before(&change.key) {
                Some(old) => Difference { base: old.arm.clone(), ..change.clone() },
                None => change.clone(),
            })
            .collect();
        // Undone: the reference differs from the base there, the arm does not.
        let undone = reference
            .into_iter()
            .flat_map(|other| &other.differences)
            .filter(|old| !arm.differences.iter().any(|change| change.key == old.key));
        changes.extend(undone.map(|old| Difference { base: old.arm.clone(), arm: old.base.clone(), ..old.clone() }));
        changes
    }

    /// What makes comparisons of its arms less than they seem, as far as it is known before anything trains.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = paths::mixed(self, |name| self.arm(name).map_or(&[], |arm| &arm.operators));
        warnings.extend(self.short_curves());
        warnings
    }

    /// What was made equal, in words, each with the largest mismatch that is left.
    pub fn matched_within(&self) -> Vec<String> {
        let left = |words: &String| {
            let (quantity, _) = MATCHED.iter().find(|(_, what)| words.starts_with(&format!("{what}, ")))?;
            let solved = self.arms.iter().flat_map(|arm| arm.solved.iter().map(move |solved| (arm, solved)));
            let (arm, solved) = solved
                .filter(|(_, solved)| solved.quantity == *quantity && solved.residual != 0.0)
                .max_by(|(_, a), (_, b)| a.residual.abs().total_cmp(&b.residual.abs()))?;
            let percent = 100.0 * solved.residual;
            Some(format!(", within {} % (most: {} {} %)", short(percent.abs()), arm.name, signed(percent)))
        };
        self.matched.iter().map(|words| format!("{words}{}", left(words).unwrap_or_default())).collect()
    }

    /// Refuses arms that no number of steps gives the time that was measured, within the tolerance.
    ///
    /// # Errors
    ///
    /// The first of them, with what could be had.
    pub fn check_time(&self) -> Result<()> {
        let times = self.arms.iter().flat_map(|arm| arm.solved.iter().map(move |solved| (arm, solved)));
        let mut times = times.filter(|(_, solved)| solved.quantity == Quantity::Time);
        let Some(tolerance) = self.tolerance else { return Ok(()) };
        let Some((arm, solved)) = times.find(|(_, solved)| solved.residual.abs() > tolerance) else { return Ok(()) };
        let message = format!(
            "cannot have its base's training time: the nearest is {} = {} with {} s ({} %, tolerance {})",
            solved.key,
            solved.value,
            short(solved.achieved),
            signed(100.0 * solved.residual),
            percent(tolerance)
        );
        Err(Error::input(format!("arm `{}`", arm.name), message, "raise match.tolerance, or train longer: more steps match more finely"))
    }

    /// Every comparison of two arms, in the order of the arms. Together with the effects they are the family that the
    /// correction covers.
    pub fn comparisons(&self) -> impl Iterator<Item = (&PlannedArm, &str)> {
        self.arms.iter().flat_map(|arm| arm.references.iter().map(move |reference| (arm, reference.as_str())))
    }
}

/// The runs that are not done: those that tune or time first, then seed by seed, so that what is there at any time can be
/// compared in pairs.
///
/// A run is done if it finished or diverged (it would again); one that failed is tried again. Only records of the same
/// arm, seed, stage and hash count. `only` names the arms to train besides the base; all if empty.
pub fn missing(plan: &Plan, records: &[Record], only: &[String]) -> Vec<Job> {
    let asked: BTreeSet<&str> = std::iter::once(BASE).chain(only.iter().map(String::as_str)).collect();
    let ended = |record: &&Record| record.result.outcome.is_final();
    let done: BTreeSet<_> = records.iter().filter(ended).map(Record::key).collect();
    wanted(plan, records)
        .into_iter()
        .filter(|job| only.is_empty() || asked.contains(job.arm.as_str()))
        .filter(|job| !done.contains(&job.key()))
        .collect()
}

impl Plan {
    /// Curves that a design asks for and cannot have: too few sizes or budgets.
    fn short_curves(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let budgets: BTreeSet<u64> =
            self.arms.iter().filter(|arm| matches!(arm.role, Role::Base | Role::BaseOfBudget)).map(|arm| arm.tokens).collect();
        if self.arms.iter().any(|arm| arm.role == Role::BaseOfBudget) && budgets.len() < stats::FEWEST_BUDGETS {
            warnings.push(format!(
                "the base has {} budgets, its own included: it takes {} to say what the arms' compute is worth; add some to `budgets`",
                budgets.len(),
                stats::FEWEST_BUDGETS
            ));
        }
        let sizes: BTreeSet<Option<&String>> = self.arms.iter().map(|arm| arm.size.as_ref()).collect();
        if self.design == Design::LadderOfSizes && sizes.len() < stats::FLOOR_SIZES - 1 {
            warnings.push(format!(
                "the ladder has {} sizes, the base's own included: a fit of loss against size takes {}; add a [[size]]",
                sizes.len(),
                stats::FLOOR_SIZES - 1
            ));
        }
        warnings
    }
}

/// Plans of older versions had one match, or null.
fn none_one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Solved>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Solutions {
        Many(Vec<Solved>),
        One(Solved),
        None(()),
    }
    Ok(match Solutions::deserialize(deserializer)? {
        Solutions::Many(solved) => solved,
        Solutions::One(solved) => vec![solved],
        Solutions::None(()) => vec![],
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::Stage, *};
    use crate::train::{Outcome, RunResult};

    /// A plan of `base` and the given arms, each compared with the base, over so many seeds.
    pub fn plan(arms: &[&str], seeds: u64) -> Plan {
        let arm = |name: &str| PlannedArm {
            name: name.into(),
            role: if name == BASE { Role::Base } else { Role::Compared },
            levels: Default::default(),
            size: None,
            parameters: 1000,
            non_embedding_parameters: 800,
            flops_per_token: 6000.0,
            activations: Activations::All,
            kept_bytes: 1e6,
            checkpoint_bytes: 4000,
            recomputed_flops_per_token: 0.0,
            tokens: 50_000,
            steps: 10,
            reference: (name != BASE).then(|| BASE.into()),
            references: if name == BASE { vec![] } else { vec![BASE.into()] },
            paired_parameters: (name != BASE).then_some(1.0),
            reshaped: Some(Default::default()),
            named: vec!["model.norm.kind".into()],
            control: false,
            differences: vec![],
            solved: vec![],
            tuning: None,
            preparation: vec![],
            operators: vec![],
            seconds_per_run: None,
            note: None,
            spec: format!("spec-{name}"),
            runs: (0..seeds).map(|seed| (seed, format!("{name}-{seed}"))).collect(),
        };
        Plan {
            name: "test".into(),
            question: "?".into(),
            source: None,
            expected: None,
            metric: "valid/bits_per_byte".into(),
            lower_is_better: true,
            metrics: vec![],
            alpha: 0.05,
            margin: None,
            seeds: (0..seeds).collect(),
            sequential: None,
            design: Design::List,
            matched: vec![],
            tolerance: None,
            retune: None,
            effects: vec![],
            left_out: vec![],
            published: vec![],
            price: Price::default(),
            command: "ablate run test.toml".into(),
            tokens_per_parameter: 50.0,
            arms: std::iter::once(&BASE).chain(arms).map(|name| arm(name)).collect(),
        }
    }

    /// The record of a run that ended as given.
    pub fn record(arm: &str, seed: u64, outcome: Outcome, value: f64) -> Record {
        let result = RunResult {
            id: format!("{arm}-{seed}"),
            outcome,
            reason: None,
            steps: 10,
            tokens: 100,
            metrics: [("valid/bits_per_byte".to_string(), value)].into_iter().collect(),
            tokens_per_second: Some(1000.0),
            seconds: 1.0,
            device: "flex".into(),
            path: "composed".into(),
            operators: vec![],
            threads: 2,
            version: "0".into(),
            data_hash: format!("order-{seed}"),
            data_marks: Default::default(),
            noise: Default::default(),
            peak_memory_bytes: None,
            waited_seconds: None,
            notes: vec![],
            parallel: None,
        };
        let job = Job::new(arm, seed, Stage::Compare, result.id.clone());
        Record { ended: "2025-01-01T00:00:00Z".into(), ..Record::new(&job, result) }
    }

    fn names(jobs: &[Job]) -> Vec<String> {
        jobs.iter().map(|job| job.folder.clone()).collect()
    }

    #[test]
    fn asking_again_until_nothing_is_missing() {
        let plan = plan(&["a"], 2);
        let mut records = vec![];
        let all = missing(&plan, &records, &[]);
        assert_eq!(names(&all), ["base/seed-0", "a/seed-0", "base/seed-1", "a/seed-1"]);
        assert_eq!(all, missing(&plan, &records, &[]), "pure");
        records.push(record("base", 0, Outcome::Finished, 2.0));
        records.push(record("a", 0, Outcome::Diverged, f64::NAN));
        records.push(record("a", 1, Outcome::Failed, f64::NAN));
        assert_eq!(names(&missing(&plan, &records, &[])), ["base/seed-1", "a/seed-1"]);
        records.push(record("base", 1, Outcome::Finished, 2.0));
        records.push(record("a", 1, Outcome::Finished, 2.0));
        assert_eq!(missing(&plan, &records, &[]), []);
    }

    #[test]
    fn records_of_another_specification_do_not_count() {
        let plan = plan(&[], 1);
        let mut other = record("base", 0, Outcome::Finished, 2.0);
        other.result.id = "another".into();
        assert_eq!(missing(&plan, &[other], &[]).len(), 1);
        // Nor does an equal run under another name: controls are trained.
        let mut control = record("a", 0, Outcome::Finished, 2.0);
        control.result.id = "base-0".into();
        assert_eq!(missing(&plan, &[control], &[]).len(), 1);
    }

    #[test]
    fn only_some_arms() {
        let plan = plan(&["a", "b"], 1);
        assert_eq!(names(&missing(&plan, &[], &["b".into()])), ["base/seed-0", "b/seed-0"]);
    }
}
