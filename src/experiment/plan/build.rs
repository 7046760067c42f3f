//! Making a plan of an experiment and what is on record.

use super::{
    super::{Difference, Experiment, Quantity, Record, arms::Arm, decided::decide, price::price},
    MATCHED, Plan, PlannedArm,
};
use crate::{device::DeviceName, settings::written, train::calibration::Calibration};
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// The plan of an experiment on a device, given what is on record; `calibration` prices its runs.
    pub fn new(experiment: &Experiment, device: &DeviceName, calibration: Option<&Calibration>, records: &[Record]) -> Self {
        let config = &experiment.config;
        let mut arms: Vec<PlannedArm> = experiment.arms.iter().map(|arm| planned(experiment, arm, records, device, calibration)).collect();
        tell_tuned(&mut arms);
        Self {
            name: config.name.clone(),
            question: config.question.clone(),
            source: config.source.clone(),
            expected: config.expected.clone(),
            metric: config.metric.clone(),
            lower_is_better: lower_is_better(&config.metric),
            metrics: config.metrics.clone(),
            alpha: config.alpha,
            margin: config.margin,
            seeds: experiment.seeds.clone(),
            sequential: config.seeds.rule().map(|rule| [rule.min, rule.max]),
            design: config.design.kind,
            matched: matched(experiment),
            tolerance: config.matching.as_ref().map(|matching| matching.tolerance),
            retune: config.retune.clone(),
            effects: experiment.effects.clone(),
            left_out: experiment.left_out.clone(),
            published: config.published.clone(),
            command: command(experiment),
            tokens_per_parameter: arms[0].tokens as f64 / arms[0].parameters as f64,
            price: price(experiment, &arms),
            arms,
        }
    }
}

/// What was made equal, in words.
fn matched(experiment: &Experiment) -> Vec<String> {
    let Some(matching) = &experiment.config.matching else { return vec![] };
    let key = |quantity: Quantity| match quantity {
        Quantity::Parameters => &matching.parameters,
        Quantity::FlopsPerToken => &matching.flops_per_token,
        Quantity::Flops => &matching.flops,
        Quantity::Time => &matching.time,
    };
    MATCHED.iter().filter_map(|(quantity, what)| Some(format!("{what}, by {}", key(*quantity).as_ref()?))).collect()
}

/// Adds the keys that tuning changed to what differs from the base.
fn tell_tuned(arms: &mut [PlannedArm]) {
    let settings = |arm: &PlannedArm| {
        let tuning = arm.tuning.as_ref()?;
        let trials = &tuning.rungs.last()?.trials;
        trials.iter().find(|trial| Some(trial.trial) == tuning.chosen).map(|trial| trial.settings.clone())
    };
    let Some(base) = settings(&arms[0]) else { return };
    for arm in &mut arms[1..] {
        for (key, value) in settings(arm).unwrap_or_default() {
            if base.get(&key) != Some(&value) {
                let before = base.get(&key).map(written);
                arm.differences.retain(|difference| difference.key != key);
                arm.differences.push(Difference { key, base: before, arm: Some(written(&value)), origin: "tuned".into() });
            }
        }
    }
}

fn planned(experiment: &Experiment, arm: &Arm, records: &[Record], device: &DeviceName, calibration: Option<&Calibration>) -> PlannedArm {
    let decided = decide(experiment, arm, records);
    let spec = decided.spec.as_ref().unwrap_or(&arm.spec);
    let cost = spec.model.account(spec.model.context);
    let activations = spec.train.activations;
    let kept = spec.model.kept(spec.model.context, activations);
    let tokens = spec.tokens_per_step() * spec.train.steps as u64;
    let id = |seed: u64| {
        let mut run = spec.clone();
        run.train.seed = seed;
        run.id()
    };
    let runs = if decided.spec.is_some() { experiment.seeds.iter().map(|seed| (*seed, id(*seed))).collect() } else { BTreeMap::new() };
    PlannedArm {
        name: arm.name.clone(),
        role: arm.role,
        levels: arm.levels.clone(),
        size: arm.size.clone(),
        parameters: cost.parameters,
        non_embedding_parameters: spec.model.non_embedding_parameters(),
        flops_per_token: cost.flops_per_token,
        activations,
        kept_bytes: (kept.bytes_per_token + kept.passing_bytes_per_token) * spec.tokens_per_step() as f64 / spec.train.accumulation as f64,
        checkpoint_bytes: spec.checkpoint_bytes(),
        recomputed_flops_per_token: kept.recomputed_flops_per_token,
        tokens,
        steps: spec.train.steps,
        reference: arm.references.first().cloned(),
        references: arm.references.clone(),
        paired_parameters: arm.paired_parameters,
        reshaped: Some(reshaped(experiment, arm)),
        named: arm.named.clone(),
        control: arm.control,
        differences: arm.differences.clone(),
        solved: arm.solved.iter().cloned().chain(decided.solved).collect(),
        tuning: decided.tuning,
        operators: spec.operators(device),
        seconds_per_run: calibration
            .map(|known| (cost.flops_per_token + kept.recomputed_flops_per_token) * tokens as f64 / known.flops_per_second),
        note: arm.note.clone(),
        spec: arm.id.clone(),
        preparation: decided.jobs,
        runs,
    }
}

/// Parameters that the arms it is compared with have in another shape.
fn reshaped(experiment: &Experiment, arm: &Arm) -> BTreeMap<String, BTreeSet<String>> {
    let own: BTreeMap<String, Vec<usize>> = arm.spec.model.parameter_shapes().into_iter().collect();
    let of = |reference: &String| {
        let theirs = experiment.arm(reference)?.spec.model.parameter_shapes();
        let other = theirs.into_iter().filter(|(path, shape)| own.get(path).is_some_and(|own| own != shape));
        let paths: BTreeSet<String> = other.map(|(path, _)| path).collect();
        (!paths.is_empty()).then(|| (reference.clone(), paths))
    };
    arm.references.iter().filter_map(of).collect()
}

/// Whether a smaller value of the metric is better; so it is for all losses.
pub(in super::super) fn lower_is_better(metric: &str) -> bool {
    !metric.contains("accuracy")
}

fn command(experiment: &Experiment) -> String {
    let overrides = &experiment.overrides;
    let mut words = vec!["ablate run".to_string(), quoted(&experiment.file.display().to_string())];
    words.extend(overrides.set.iter().map(|set| format!("--set {}", quoted(set))));
    words.extend(overrides.steps.map(|steps| format!("--steps {steps}")));
    words.extend(overrides.seeds.map(|seeds| format!("--seeds {seeds}")));
    words.join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_shell() {
        assert_eq!(quoted("a/b.toml"), "a/b.toml");
        assert_eq!(quoted("model.norm={ kind = \"rms\" }"), "'model.norm={ kind = \"rms\" }'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
