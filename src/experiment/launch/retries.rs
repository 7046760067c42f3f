//! Which runs are tried again.

use crate::experiment::{Job, Record};
use crate::train::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often a run is tried again after an attempt that failed for a cause that may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// Further attempts per run.
    retries: u32,
    /// Attempts at each run before this command: what failed then is tried anew, by the user's wish.
    before: BTreeMap<String, u32>,
}

impl Retries {
    /// So many retries from here on.
    pub fn new(retries: u32, records: &[Record]) -> Self {
        let mut before = BTreeMap::new();
        for record in records {
            let attempts: &mut u32 = before.entry(key(&record.job())).or_default();
            *attempts = record.attempt.max(*attempts);
        }
        Self { retries, before }
    }

    /// Whether nothing more is to be tried for a job, by its last record.
    pub fn exhausted(&self, job: &Job, records: &[Record]) -> bool {
        let Some(last) = records.iter().rfind(|record| record.of(job)) else { return false };
        let attempts = last.attempt.saturating_sub(self.before.get(&key(job)).copied().unwrap_or(0));
        let again = last.result.outcome == Outcome::Failed && last.cause.is_none_or(|cause| cause.may_pass());
        attempts > 0 && !(again && attempts <= self.retries)
    }
}

fn key(job: &Job) -> String {
    format!("{}/{}", job.folder, job.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Cause, plan::missing, plan::tests as example};

    fn failed(attempt: u32, cause: Cause) -> Record {
        Record { attempt, cause: Some(cause), ..example::record("base", 0, Outcome::Failed, 0.0) }
    }

    #[test]
    fn as_often_as_asked_for_and_only_what_may_pass() {
        let job = &missing(&example::plan(&[], 1), &[], &[])[0];
        let exhausted = |retries, before: &[Record], all: &[Record]| Retries::new(retries, before).exhausted(job, all);
        let crashes = [failed(1, Cause::Crash), failed(2, Cause::Hang), failed(3, Cause::Killed)];
        assert!(!exhausted(0, &[], &[]));
        assert!(exhausted(0, &[], &crashes[..1]));
        assert!(!exhausted(1, &[], &crashes[..1]) && exhausted(1, &[], &crashes[..2]));
        assert!(exhausted(9, &[], &[failed(1, Cause::Input)]) && exhausted(9, &[], &[failed(1, Cause::Disk)]));
        // A new command begins anew.
        assert!(!exhausted(0, &crashes[..2], &crashes[..2]) && exhausted(0, &crashes[..2], &crashes));
        assert!(!exhausted(0, &[failed(1, Cause::Input)], &[failed(1, Cause::Input)]));
    }
}
