//! One run that is asked for.

use serde::{Deserialize, Serialize};

/// One run that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Arm.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// What it is for.
    pub stage: Stage,
    /// Hash of the run.
    pub id: String,
    /// Folder, relative to the experiment's.
    pub folder: String,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// To be compared.
    #[default]
    Compare,
    /// To find the arm's best settings.
    Tune {
        /// Round of trials, from 0.
        rung: usize,
        /// Index among all combinations of the values.
        trial: usize,
    },
    /// To measure how long a step takes.
    Time,
}

impl Stage {
    /// Whether it is compared.
    pub fn is_compare(&self) -> bool {
        *self == Self::Compare
    }
}

impl std::fmt::Display for Job {
    /// For people: `rms seed 3`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { arm, seed, .. } = self;
        match self.stage {
            Stage::Compare => write!(f, "{arm} seed {seed}"),
            Stage::Tune { rung, trial } => write!(f, "{arm} trial {trial} of rung {rung}, seed {seed}"),
            Stage::Time => write!(f, "{arm} timed"),
        }
    }
}

impl Job {
    /// What makes two jobs one: the key of its records.
    pub(super) fn key(&self) -> (&str, u64, Stage, &str) {
        (&self.arm, self.seed, self.stage, &self.id)
    }

    /// The run of an arm.
    pub(super) fn new(arm: &str, seed: u64, stage: Stage, id: String) -> Self {
        let folder = match stage {
            Stage::Compare => format!("{arm}/seed-{seed}"),
            Stage::Tune { rung, trial } => format!("{arm}/tune/rung-{rung}/trial-{trial}/seed-{seed}"),
            Stage::Time => format!("{arm}/time"),
        };
        Self { arm: arm.into(), seed, stage, id, folder }
    }
}
