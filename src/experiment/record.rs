//! One line of `records.jsonl`: a run that ended, or runs that were removed.

use super::{Job, Stage, clock};
use crate::train::RunResult;
use serde::{Deserialize, Serialize};

/// A run that finished, diverged or failed, with its place in the experiment. Appended, never changed; of several with the
/// same arm, seed and hash the last one counts, whatever their times say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Arm.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// What the run was for.
    #[serde(default, skip_serializing_if = "Stage::is_compare")]
    pub stage: Stage,
    /// Folder of the run, relative to the experiment's.
    pub folder: String,
    /// Which attempt at this run it was, from 1.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Name of the machine; empty in records of versions that did not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// What the run left behind.
    #[serde(flatten)]
    pub result: RunResult,
    /// When it ended, UTC, RFC 3339, by the machine's clock. For people: nothing is decided by it.
    pub ended: String,
}

fn first() -> u32 {
    1
}

impl Record {
    /// The record of a job that ended now, on this machine.
    pub fn new(job: &Job, result: RunResult) -> Self {
        let Job { arm, seed, stage, folder, .. } = job.clone();
        Self { arm, seed, stage, folder, attempt: 1, cause: None, host: host(), result, ended: clock::now() }
    }

    /// The job that ended.
    pub fn job(&self) -> Job {
        Job { arm: self.arm.clone(), seed: self.seed, stage: self.stage, id: self.result.id.clone(), folder: self.folder.clone() }
    }

    /// Whether it is about this job.
    pub fn of(&self, job: &Job) -> bool {
        self.key() == job.key()
    }

    /// What makes two records those of one run.
    pub(super) fn key(&self) -> (&str, u64, Stage, &str) {
        (&self.arm, self.seed, self.stage, &self.result.id)
    }
}

/// How many attempts at a job are on record.
pub(super) fn attempts(job: &Job, records: &[Record]) -> u32 {
    records.iter().filter(|record| record.of(job)).map(|record| record.attempt).max().unwrap_or(0)
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It died of a fault of its own: a panic, a segmentation fault, an abort.
    Crash,
    /// It was killed from outside: a signal, a time limit, a node that went down.
    Killed,
    /// Somebody cancelled it in the scheduler.
    Cancelled,
    /// The machine or the device had no memory left.
    OutOfMemory,
    /// It gave no sign of life for longer than the patience.
    Hang,
    /// Its checkpoint is not what was written.
    Checkpoint,
    /// Its input was wrong.
    Input,
    /// The disk took no more: full, read-only, over a quota.
    Disk,
}

impl Cause {
    /// Whether trying again may end otherwise, with nothing changed by the user.
    pub fn may_pass(self) -> bool {
        !matches!(self, Self::Cancelled | Self::Input | Self::Disk)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Crash => "crash",
            Self::Killed => "killed",
            Self::Cancelled => "cancelled",
            Self::OutOfMemory => "out of memory",
            Self::Hang => "hang",
            Self::Checkpoint => "damaged checkpoint",
            Self::Input => "wrong input",
            Self::Disk => "disk",
        })
    }
}

/// Runs that were removed: the records before this line are no longer theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// The arm whose runs were removed.
    pub removed: String,
    /// The seed of one run to be compared; all of the arm's runs, also those that tuned or timed it, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// When, UTC, RFC 3339.
    pub at: String,
}

impl Removal {
    /// The removal, now, of an arm's run of one seed, or of all seeds.
    pub fn new(arm: &str, seed: Option<u64>) -> Self {
        Self { removed: arm.into(), seed, at: clock::now() }
    }

    /// Whether it removes this record, if that came before.
    pub fn covers(&self, record: &Record) -> bool {
        record.arm == self.removed && self.seed.is_none_or(|seed| seed == record.seed && record.stage.is_compare())
    }
}

/// The name of this machine; empty where the system does not tell.
fn host() -> String {
    #[cfg(unix)]
    {
        let mut name = [0u8; 256];
        // SAFETY: the buffer is valid for its length, and its last byte stays 0.
        let code = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
        if code == 0 {
            return String::from_utf8_lossy(&name).trim_end_matches('\0').to_string();
        }
    }
    std::env::var("COMPUTERNAME").unwrap_or_default()
}
