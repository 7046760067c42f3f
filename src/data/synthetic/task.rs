//! What a task is, and which there are.

use super::{
    AdditionConfig, CompressionConfig, CopyingConfig, DyckConfig, FuzzyRecallConfig, InContextRecallConfig, InductionConfig, Instance,
    MemorizationConfig, MqarConfig, NoisyRecallConfig, SelectiveCopyingConfig,
};
use crate::settings::Problem;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the generators: raised whenever a task, a seed and a number may give another instance.
pub const VERSION: u32 = 1;

/// A synthetic task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TaskConfig {
    /// Multi-query associative recall (Arora et al. 2023, Zoology): which value came with this key?
    Mqar(MqarConfig),
    /// MAD's in-context recall (Poli et al. 2024): keys and values that alternate, and keys that come again.
    InContextRecall(InContextRecallConfig),
    /// MAD's fuzzy in-context recall (Poli et al. 2024): keys and values of several tokens.
    FuzzyRecall(FuzzyRecallConfig),
    /// MAD's noisy in-context recall (Poli et al. 2024): noise between the pairs.
    NoisyRecall(NoisyRecallConfig),
    /// MAD's selective copying (Poli et al. 2024): what was said between blanks, in order.
    SelectiveCopying(SelectiveCopyingConfig),
    /// MAD's compression (Poli et al. 2024): a whole sequence from the state of its last token.
    Compression(CompressionConfig),
    /// MAD's memorization (Poli et al. 2024): facts that no context holds.
    Memorization(MemorizationConfig),
    /// Random tokens that repeat (Olsson et al. 2022): what induction heads predict.
    Induction(InductionConfig),
    /// Completion of nested brackets of k kinds (Hewitt et al. 2020): Dyck-(k, m).
    Dyck(DyckConfig),
    /// Addition of whole numbers in decimal (Lee et al. 2023), forward or reversed.
    Addition(AdditionConfig),
    /// A random string once more (Jelassi et al. 2024).
    Copying(CopyingConfig),
}

/// What an instance is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Tokens of the instance.
    pub context: usize,
    /// How many training contexts these are: 1 in training; longer ones ask for longer instances than any in training.
    pub multiple: usize,
    /// Whether the instance is for training. Some sources train on more targets than they test.
    pub training: bool,
    /// Seed of the corpus, for what all its instances share.
    pub seed: u64,
}

impl Asked {
    /// The sizes from one more than `size` times the multiple before to `size` times this one: in training all up to `size`,
    /// beyond that such as training has not seen.
    pub fn sizes(&self, size: usize) -> std::ops::RangeInclusive<usize> {
        (self.multiple - 1) * size + 1..=self.multiple * size
    }

    /// Tokens of the training context.
    pub fn trained(&self) -> usize {
        self.context / self.multiple
    }
}

/// How many instances the source of a task trains and tests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// Training instances, visited again in every epoch; 0: each instance is a new one.
    pub train: u64,
    /// Test instances.
    pub validation: u64,
}

/// What MAD trains and tests on unless it varies that (Poli et al. 2024).
pub(super) const MAD: Published = Published { train: 12_800, validation: 1280 };

/// What every task can do.
pub(super) trait Task {
    /// Ids are below this.
    fn vocab(&self) -> usize;

    /// The source's numbers of instances.
    fn published(&self) -> Published;

    /// What is wrong with the options, and with them at instances of `context` tokens, `multiple` times the training's. Keys
    /// are those of the task.
    fn problems(&self, context: usize, multiple: usize) -> Vec<Problem>;

    /// An instance, where there are no [`Task::problems`].
    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance;

    /// A token for the eye.
    fn word(&self, token: u32) -> String;
}

impl TaskConfig {
    pub(super) fn task(&self) -> &dyn Task {
        match self {
            Self::Mqar(task) => task,
            Self::InContextRecall(task) => task,
            Self::FuzzyRecall(task) => task,
            Self::NoisyRecall(task) => task,
            Self::SelectiveCopying(task) => task,
            Self::Compression(task) => task,
            Self::Memorization(task) => task,
            Self::Induction(task) => task,
            Self::Dyck(task) => task,
            Self::Addition(task) => task,
            Self::Copying(task) => task,
        }
    }
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self::Mqar(MqarConfig::default())
    }
}

/// A problem of an option of the task.
pub(super) fn problem(option: &str, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem::new(format!("data.corpus.task.{option}"), message).help(help)
}

/// A problem of a context that an instance does not fit into.
pub(super) fn short(context: usize, needed: usize, what: &str) -> Option<Problem> {
    let message = format!("{what}: {needed} tokens, and the context has {context}");
    (context < needed).then(|| Problem::new("model.context", message).help("a longer context, or a smaller task"))
}
