//! A run as written and as resolved.

mod evaluation;
mod identity;
mod metrics;
mod operators;
mod optimizer;
mod probe;
mod schedule;
mod training;

pub use evaluation::{EvaluationConfig, EvaluationSpec};
pub use identity::{NON_NUMERICAL_KEYS, NUMERICS, is_numerical};
pub use metrics::{ACCURACY, BITS_PER_BYTE, LOSS, SEQUENCE_ACCURACY};
pub use optimizer::{AdafactorConfig, AdamConfig, AdamWConfig, DecayRule, LionConfig, MuonConfig, OptimizerConfig, SgdConfig};
pub use probe::{ProbeConfig, ProbeSpec};
pub use schedule::{ScheduleConfig, ScheduleSpec};
pub use training::{TrainConfig, TrainSpec};

use crate::{
    data::{DataConfig, DataSpec},
    model::{ModelConfig, ModelSpec},
    parallel::{ParallelConfig, indivisible},
    settings::Problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run as written: what a file under `configs/` holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The model.
    pub model: ModelConfig,
    /// The data.
    pub data: DataConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule.
    pub schedule: ScheduleConfig,
    /// The training loop.
    pub train: TrainConfig,
    /// The evaluation.
    pub evaluation: EvaluationConfig,
    /// Looks inside the model.
    pub probe: ProbeConfig,
    /// How the run lies on several devices.
    pub parallel: ParallelConfig,
}

/// A run as resolved: everything it needs and nothing else. Hashed, stored and run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// SHA-256 of the parameters that it starts from, where these are given and not drawn.
    // Left out where they are drawn, so that runs from before there was a choice keep their identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The model.
    pub model: ModelSpec,
    /// The data.
    pub data: DataSpec,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule, warm-up and decay in steps.
    pub schedule: ScheduleSpec,
    /// The training loop.
    pub train: TrainSpec,
    /// The evaluation.
    pub evaluation: EvaluationSpec,
    /// Looks inside the model.
    // Runs from before there were any are read as runs without.
    #[serde(default)]
    pub probe: ProbeSpec,
    /// How the run lies on several devices.
    #[serde(default, skip_serializing_if = "ParallelConfig::is_alone")]
    pub parallel: ParallelConfig,
}

impl RunConfig {
    /// Sets the number of steps and rescales warm-up, decay, evaluation, checkpoints and probes in proportion.
    ///
    /// Warm-up and decay are rounded down, so that what fitted into the steps before fits after.
    pub fn rescale(&mut self, steps: usize) {
        let from = self.train.steps;
        self.train.steps = steps;
        if from == 0 || from == steps {
            return;
        }
        let floor = |count: usize| (count as u128 * steps as u128 / from as u128) as usize;
        // An interval of 0 is a mistake that `resolve` reports, or means never.
        let interval = |count: usize| if count == 0 { 0 } else { ((count as f64 * steps as f64 / from as f64).round() as usize).max(1) };
        self.schedule.map_steps(floor);
        self.evaluation.every = self.evaluation.every.map(interval);
        self.train.checkpoint_every = self.train.checkpoint_every.map(interval);
        self.probe.every = interval(self.probe.every);
    }

    /// Checks every rule and fills every size.
    ///
    /// # Errors
    ///
    /// All broken rules at once, by key.
    pub fn resolve(&self) -> Result<RunSpec, Vec<Problem>> {
        self.resolve_for(None)
    }

    /// [`RunConfig::resolve`], with a model that is given instead of the one that is written, if there is one.
    ///
    /// # Errors
    ///
    /// All broken rules at once, by key.
    pub fn resolve_for(&self, given: Option<ModelSpec>) -> Result<RunSpec, Vec<Problem>> {
        let mut problems = self.problems();
        let data = self.data.resolve().map_err(|found| problems.extend(found)).ok();
        // Without a tokenizer the rules of the model are still checked, at a vocabulary that breaks none of them.
        let vocab = data.as_ref().map(|data| data.vocab).or(self.model.vocab).unwrap_or(4096);
        let written = self.model.resolve(Some(vocab)).map_err(|found| problems.extend(found)).ok();
        problems.extend(written.iter().filter(|_| given.is_none()).filter_map(window_problem));
        let model = given.or(written);
        if let (Some(model), Some(data)) = (&model, &data) {
            let longest = self.evaluation.context_multiples.iter().copied().max().unwrap_or(1);
            problems.extend(data.problems(model.context, longest));
            problems.extend(readout_problem(model, data));
            problems.extend(division_problems(model, &self.optimizer, self.parallel.tensor));
            if !data.has_text() && !data.is_synthetic() && self.probe.every > 0 {
                problems.push(
                    Problem::new("probe.every", "probes look at validation text, and batches of a file have none").help("set it to 0"),
                );
            }
        }
        match (model, data) {
            (Some(model), Some(data)) if problems.is_empty() => Ok(RunSpec {
                start: None,
                model,
                data,
                optimizer: self.optimizer.clone(),
                schedule: self.schedule.clone(),
                train: self.train.clone(),
                evaluation: self.evaluation.resolve(self.train.steps),
                probe: self.probe.clone(),
                parallel: self.parallel.clone(),
            }),
            _ => Err(problems),
        }
    }

    /// The broken rules of the sections `optimizer`, `schedule`, `train`, `evaluation`, `probe` and `parallel`.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.train.problems();
        problems.extend(self.optimizer.problems());
        problems.extend(self.schedule.problems(self.train.steps));
        problems.extend(self.evaluation.problems());
        if self.model.mup.is_some() {
            problems.extend(self.optimizer.mup_problem());
        }
        problems.extend(self.probe.problems());
        problems.extend(self.parallel.problems(self.train.batch / self.train.accumulation.max(1)));
        problems
    }
}

impl RunSpec {
    /// Tokens of one optimizer step.
    pub fn tokens_per_step(&self) -> u64 {
        (self.train.batch * self.model.context) as u64
    }

    /// Bytes of the checkpoints that a run leaves when it is over, by its parameters: the last, the best if it is kept, and
    /// at most as many older ones as are kept, with the optimizer's state. All are float32.
    pub fn checkpoint_bytes(&self) -> u64 {
        let model = 4 * self.model.account(self.model.context).parameters;
        let older = self.train.keep_last.saturating_sub(1) as u64 * (1 + self.optimizer.state_per_parameter());
        model * (1 + u64::from(self.train.keep_best) + older)
    }
}

/// Compression is read from the last position; everything else from each, which must not see the last.
fn readout_problem(model: &ModelSpec, data: &DataSpec) -> Option<Problem> {
    let help = |kind: &str| format!("set model.readout.kind = \"{kind}\"");
    match (data.is_compression(), model.readout.is_each()) {
        (true, true) => Some(Problem::new("model.readout.kind", "compression is read from the last position").help(help("last"))),
        (false, false) => Some(Problem::new("model.readout.kind", "only compression is read from the last position").help(help("each"))),
        _ => None,
    }
}

/// What cannot be divided among devices that divide layers.
fn division_problems(model: &ModelSpec, optimizer: &OptimizerConfig, tensor: usize) -> Vec<Problem> {
    if tensor == 0 {
        return vec![];
    }
    let undivided: Vec<_> = model.undivided().into_iter().chain(optimizer.undivided()).collect();
    let mut reasons = indivisible(&model.divided(), &undivided, tensor);
    // Parts of the vocabulary may differ in size.
    if model.vocab < tensor {
        reasons.push(format!("{} entries of the vocabulary cannot be divided by {tensor}", model.vocab));
    }
    let problem = |reason| Problem::new("parallel.tensor", reason).help("let fewer neighbours divide layers, or 1 for none");
    reasons.into_iter().map(problem).collect()
}

/// No text of training reaches a window that is longer: an arm with one would be the same model. An imported one may have it.
fn window_problem(model: &ModelSpec) -> Option<Problem> {
    let window = model.attention.window.filter(|window| *window > model.context)?;
    let message = format!("window ({window}) must be at most context ({})", model.context);
    Some(Problem::new("model.attention.window", message).help("make it smaller, or leave it out with its \"window\" layers"))
}

/// Adds a problem of `key` unless `holds`.
fn require(problems: &mut Vec<Problem>, holds: bool, key: &str, message: impl FnOnce() -> String) {
    if !holds {
        problems.push(Problem::new(key, message()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(steps: usize) -> RunConfig {
        RunConfig {
            schedule: ScheduleConfig::Wsd { warmup: 100, decay: 200, floor: 0.0 },
            train: TrainConfig { steps, checkpoint_every: Some(500), ..TrainConfig::default() },
            evaluation: EvaluationConfig { every: Some(100), ..EvaluationConfig::default() },
            probe: ProbeConfig { every: 250, batch: 2 },
            ..RunConfig::default()
        }
    }

    #[test]
    fn rescaling_keeps_proportions() {
        let mut run = config(1000);
        run.rescale(100);
        assert_eq!(run.train.steps, 100);
        assert_eq!(run.schedule, ScheduleConfig::Wsd { warmup: 10, decay: 20, floor: 0.0 });
        assert_eq!(run.evaluation.every, Some(10));
        assert_eq!((run.train.checkpoint_every, run.probe.every), (Some(50), 25));
        run.rescale(1000);
        assert_eq!(run, config(1000));
    }

    #[test]
    fn rescaling_a_valid_run_gives_a_valid_run() {
        for warmup in [0, 1, 7, 99, 500, 799] {
            for steps in [1, 2, 3, 10, 333, 999, 1001, 5000] {
                let mut run = config(1000);
                run.schedule = ScheduleConfig::Wsd { warmup, decay: 1000 - warmup, floor: 0.0 };
                assert_eq!(run.problems(), vec![]);
                run.rescale(steps);
                assert_eq!(run.problems(), vec![], "warmup {warmup} steps {steps}");
            }
        }
    }

    #[test]
    fn all_broken_rules_are_named_at_once() {
        let run = RunConfig {
            optimizer: OptimizerConfig::Adamw(AdamWConfig { lr: 0.0, beta2: 1.0, eps: 0.0, weight_decay: -1.0, ..AdamWConfig::default() }),
            schedule: ScheduleConfig::Cosine { warmup: 20, floor: 1.5 },
            train: TrainConfig {
                steps: 20,
                batch: 6,
                accumulation: 4,
                gradient_clip: -1.0,
                log_every: 0,
                checkpoint_every: Some(0),
                checkpoint_minutes: -1.0,
                keep_last: 0,
                ..TrainConfig::default()
            },
            evaluation: EvaluationConfig { every: Some(0), batch: 0, context_multiples: vec![0] },
            probe: ProbeConfig { every: 0, batch: 0 },
            ..RunConfig::default()
        };
        let mut keys: Vec<_> = run.problems().into_iter().map(|problem| problem.key).collect();
        keys.sort();
        assert_eq!(
            keys,
            [
                "evaluation.batch",
                "evaluation.context_multiples",
                "evaluation.every",
                "optimizer.beta2",
                "optimizer.eps",
                "optimizer.lr",
                "optimizer.weight_decay",
                "probe.batch",
                "schedule.floor",
                "schedule.warmup",
                "train.accumulation",
                "train.checkpoint_every",
                "train.checkpoint_minutes",
                "train.gradient_clip",
                "train.keep_last",
                "train.log_every",
            ]
        );
        assert_eq!(RunConfig::default().problems(), vec![]);
    }
}
