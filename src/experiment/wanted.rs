//! The runs that the plan asks for, given what is on record: a pure function of both.

use super::{
    Job, Record, Stage,
    plan::{Plan, PlannedArm},
    runs::{Runs, runs},
    sequence::needed,
};

/// All runs that are asked for now, done or not: those that tune or time first, then seed by seed.
pub(super) fn wanted(plan: &Plan, records: &[Record]) -> Vec<Job> {
    let runs = runs(plan, records);
    let seeds = seeds(plan, &runs);
    let mut jobs: Vec<Job> = Vec::new();
    for job in plan.arms.iter().flat_map(|arm| &arm.preparation) {
        if !jobs.contains(job) {
            jobs.push(job.clone());
        }
    }
    let most = seeds.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for (at, seed) in plan.seeds.iter().enumerate().take(most) {
        let asked = seeds.iter().filter(|(_, count)| at < *count);
        jobs.extend(asked.filter_map(|(arm, _)| Some(Job::new(&arm.name, *seed, Stage::Compare, arm.runs.get(seed)?.clone()))));
    }
    jobs
}

/// How many of the seeds each arm is asked for.
pub(super) fn seeds<'a>(plan: &'a Plan, runs: &Runs) -> Vec<(&'a PlannedArm, usize)> {
    let needed = needed(plan, runs);
    plan.arms.iter().map(|arm| (arm, needed.get(arm.name.as_str()).copied().unwrap_or(plan.seeds.len()))).collect()
}
