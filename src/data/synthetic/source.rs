//! Instances by number, in an order that is a pure function; those of training and of validation are never the same.

use super::task::{Asked, TaskConfig, VERSION};
use crate::{
    data::{cache::hex, instance::Instance, order::Permutation},
    random::{Purpose, generator},
    settings::Problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Of all instances, one in so many belongs to validation.
const HELD_OUT: u64 = 8;

/// Draws after which a part is taken for empty. One that holds a hundredth of all instances is missed so often with a chance
/// below 1e-43.
const DRAWS: usize = 10_000;

/// Contexts at which a resolution draws instances.
const PROBED: usize = 1 << 16;

/// The largest vocabulary.
const LARGEST: usize = 1 << 24;

/// A synthetic corpus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticConfig {
    /// The task and its options.
    pub task: TaskConfig,
    /// Training instances, visited in another order in every epoch; 0: each instance is a new one. By default as many as the
    /// task's source has.
    pub instances: Option<u64>,
    /// Validation instances of each length; by default as many as the task's source has.
    pub validation: Option<u64>,
    /// Seed of the instances, of validation and of training. The seed of a run orders them; where each training instance is a
    /// new one, it also draws them.
    pub seed: u64,
}

/// Whether an instance belongs to validation: by its content alone, so that no instance belongs to both parts.
fn held_out(instance: &Instance) -> bool {
    let targets = instance.targets.iter().map(|target| u64::from(target.token) << 32 | target.position as u64);
    let words = instance.tokens.iter().map(|token| u64::from(*token)).chain(targets);
    let hash = words.fold(instance.tokens.len() as u64, |hash, word| mix(hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ word));
    hash.is_multiple_of(HELD_OUT)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// The instances of a synthetic corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    task: TaskConfig,
    instances: u64,
    validation: u64,
    seed: u64,
}

impl SyntheticConfig {
    /// The same with every number filled in.
    pub fn resolve(&self) -> Self {
        let published = self.task.task().published();
        Self {
            task: self.task.clone(),
            instances: self.instances.or(Some(published.train)),
            validation: self.validation.or(Some(published.validation)),
            seed: self.seed,
        }
    }

    /// Ids are below this.
    pub fn vocab(&self) -> usize {
        self.task.task().vocab()
    }

    /// SHA-256 of all that decides what the instances are.
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_string(&self.resolve()).expect("plain data");
        hex(&Sha256::digest(format!("synthetic {VERSION} {text}")))
    }

    /// What is wrong with the corpus in a model with a training context of `context` tokens, evaluated at up to `longest` of
    /// them.
    pub fn problems(&self, context: usize, longest: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.validation == Some(0) {
            problems.push(Problem::new("data.corpus.validation", "is zero").help("leave it out for the default"));
        }
        if self.vocab() > LARGEST {
            problems.push(Problem::new("data.corpus.task", format!("a vocabulary of {}", self.vocab())).help(format!("at most {LARGEST}")));
        }
        // TOML, which specifications are stored in, knows signed 64-bit integers only.
        for (key, value) in [("instances", self.instances), ("validation", self.validation), ("seed", Some(self.seed))] {
            if value.is_some_and(|value| i64::try_from(value).is_err()) {
                problems.push(Problem::new(format!("data.corpus.{key}"), "must be less than 2^63"));
            }
        }
        for multiple in if longest > 1 { vec![1, longest] } else { vec![1] } {
            if problems.is_empty() {
                problems.extend(self.task.task().problems(context.saturating_mul(multiple), multiple));
            }
        }
        // Instances longer than that are not drawn only to see whether there are any.
        if problems.is_empty() && context <= PROBED && !Synthetic::new(self).has_both_parts(context) {
            let message = "the task has too few different instances to keep some for validation";
            problems.push(Problem::new("data.corpus.task", message).help("a larger vocabulary, or a longer context"));
        }
        problems
    }
}

impl Synthetic {
    /// The instances of a corpus that has no [`SyntheticConfig::problems`].
    pub fn new(config: &SyntheticConfig) -> Self {
        let SyntheticConfig { task, instances, validation, seed } = config.resolve();
        Self { task, instances: instances.unwrap_or(0), validation: validation.unwrap_or(0), seed }
    }

    /// Training instances; 0 where each is a new one.
    pub fn instances(&self) -> u64 {
        self.instances
    }

    /// Validation instances of each length.
    pub fn validation_instances(&self) -> u64 {
        self.validation
    }

    /// Instance `index` of the endless training order of a run's `seed`, of `context` tokens. An epoch visits every instance
    /// once, in an order drawn from (seed, epoch).
    ///
    /// # Panics
    ///
    /// If the corpus has problems at this context.
    pub fn train(&self, seed: u64, index: u64, context: usize) -> Instance {
        let number = match self.instances {
            0 => format!("train/{seed}/{index}"),
            count => format!("train/{}", Permutation::new(seed, index / count, count).at(index % count)),
        };
        self.draw(true, &number, context, 1)
    }

    /// Validation instance `index`, the same for every run, of `multiple` training contexts of `context` tokens.
    ///
    /// # Panics
    ///
    /// If the corpus has problems at this context and multiple.
    pub fn validation(&self, index: u64, context: usize, multiple: usize) -> Instance {
        self.draw(false, &format!("validation/{multiple}/{index}"), context * multiple, multiple)
    }

    /// A token for the eye.
    pub fn word(&self, token: u32) -> String {
        self.task.task().word(token)
    }

    fn draw(&self, training: bool, number: &str, context: usize, multiple: usize) -> Instance {
        self.try_draw(training, number, context, multiple).expect("a corpus without problems has instances of both parts")
    }

    /// The first instance of the stream `number` that belongs to the part; none if there seems to be none.
    fn try_draw(&self, training: bool, number: &str, context: usize, multiple: usize) -> Option<Instance> {
        let mut random = generator(self.seed, Purpose::Synthetic, number);
        let asked = Asked { context, multiple, training, seed: self.seed };
        let instance = (0..DRAWS).map(|_| self.task.task().draw(asked, &mut random)).find(|found| held_out(found) != training)?;
        debug_assert!(instance.tokens.len() == context && !instance.targets.is_empty());
        Some(instance)
    }

    fn has_both_parts(&self, context: usize) -> bool {
        [true, false].iter().all(|training| self.try_draw(*training, "probe", context, 1).is_some())
    }
}
