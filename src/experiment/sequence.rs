//! Seeds that are added until the comparisons are decided.

use super::{
    contrast::{Contrast, family},
    plan::Plan,
    runs::Runs,
};
use crate::stats::Looks;
use std::collections::BTreeMap;

/// The looks of each comparison of a plan; none where its seeds are fixed.
pub(super) fn looks(plan: &Plan, comparisons: usize) -> Option<Looks> {
    let [min, max] = plan.sequential?;
    Looks::family(min as usize, max as usize, plan.alpha, comparisons)
}

/// How many of the plan's seeds each arm is asked for, given what has ended: as many as the comparison needs that it takes
/// part in and that is decided last. Empty where seeds are fixed.
pub(super) fn needed<'a>(plan: &'a Plan, runs: &Runs) -> BTreeMap<&'a str, usize> {
    let family = family(plan);
    let (Some(looks), Some([min, max])) = (looks(plan, family.len()), plan.sequential) else { return BTreeMap::new() };
    let (min, max) = (min as usize, max as usize);
    let mut needed: BTreeMap<&str, usize> = plan.arms.iter().map(|arm| (arm.name.as_str(), min)).collect();
    for contrast in &family {
        let seeds = seeds(plan, runs, contrast, &looks, min, max);
        for arm in contrast.arms() {
            let count = needed.entry(arm).or_insert(min);
            *count = (*count).max(seeds);
        }
    }
    // What is compared with nothing goes along with the base.
    let base = needed[super::BASE];
    let compared: Vec<&str> = family.iter().flat_map(Contrast::arms).collect();
    for (arm, count) in &mut needed {
        if !compared.contains(arm) {
            *count = base;
        }
    }
    needed
}

/// How many seeds a comparison needs: those after which it is decided, or one more than have ended.
fn seeds(plan: &Plan, runs: &Runs, contrast: &Contrast, looks: &Looks, min: usize, max: usize) -> usize {
    let ended = |seed: &u64| {
        let over = |arm: &str| {
            let record = runs.get(&(arm, *seed));
            record.is_some_and(|record| record.result.outcome.is_final())
        };
        contrast.arms().all(over)
    };
    let complete = plan.seeds.iter().take(max).take_while(|seed| ended(seed)).count();
    let decided = (min..=complete).find(|count| {
        let values = contrast.values(&plan.seeds[..*count], runs, &plan.metric);
        looks.decided(&values, plan.margin).is_some()
    });
    decided.unwrap_or((complete + 1).clamp(min, max))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            plan::tests::{plan, record},
            runs::runs,
            wanted::wanted,
        },
        *,
    };
    use crate::train::Outcome;

    /// Seeds are asked for one by one until the comparison is decided, for its arms only.
    #[test]
    fn seeds_are_added_until_decided() {
        let mut plan = plan(&["clear", "noisy"], 6);
        plan.sequential = Some([3, 6]);
        let mut records = vec![];
        let mut asked = Vec::new();
        loop {
            let missing = super::super::missing(&plan, &records, &[]);
            if missing.is_empty() {
                break;
            }
            asked.push(missing.len());
            for job in missing {
                let noise = ((job.seed * 7 + 3) % 5) as f64 * 0.01;
                let value = match job.arm.as_str() {
                    "clear" => 1.5 + noise * 0.01,
                    "noisy" => 2.0 + if job.seed % 2 == 0 { 0.02 } else { -0.02 },
                    _ => 2.0,
                };
                records.push(record(&job.arm, job.seed, Outcome::Finished, value));
            }
        }
        // Three seeds of all, then base and the undecided arm alone.
        assert_eq!(asked, [9, 2, 2, 2]);
        let runs = runs(&plan, &records);
        let needed = needed(&plan, &runs);
        assert_eq!((needed["base"], needed["clear"], needed["noisy"]), (6, 3, 6));
        assert_eq!(wanted(&plan, &records).len(), 15);
    }
}
