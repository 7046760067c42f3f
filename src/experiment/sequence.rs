//! Seeds that are added until the comparisons are decided.

use super::{
    contrast::{Contrast, family},
    plan::Plan,
    runs::Runs,
};
use crate::stats::{self, Looks};
use std::collections::BTreeMap;

/// The looks of each comparison of a plan; none where its seeds are fixed.
pub(super) fn looks(plan: &Plan, comparisons: usize) -> Option<Looks> {
    let [min, max] = plan.sequential?;
    Looks::family(min as usize, max as usize, plan.alpha, comparisons)
}

/// The levels that a comparison must pass on its own, whatever the others say: Holm's first step.
#[derive(Clone, Copy)]
pub(super) struct Levels<'a> {
    /// Where seeds are added while looking.
    pub looks: Option<&'a Looks>,
    /// The level where they are fixed.
    pub fixed: f64,
}

impl Levels<'_> {
    /// The level of a test of so many pairs, of sequential ones that of this look alone; none where it cannot reject.
    pub fn at(&self, pairs: usize) -> Option<f64> {
        self.looks.map_or(Some(self.fixed), |looks| looks.level(pairs)).filter(|level| *level > 0.0)
    }

    /// Pairs with which a true difference would be found: at which look, if one finds it, else how many fixed ones at the level
    /// of the last look.
    pub fn pairs_needed(&self, deviation: f64, delta: f64) -> Option<usize> {
        let Some(looks) = self.looks else { return stats::pairs_needed(deviation, delta, self.fixed, stats::POWER) };
        let finds = |pairs: &usize| {
            let noncentrality = delta.abs() / deviation * (*pairs as f64).sqrt();
            self.at(*pairs).is_some_and(|level| deviation > 0.0 && stats::power(noncentrality, *pairs, level) >= stats::POWER)
        };
        let (first, last) = looks.range();
        (first..=last).find(finds).or_else(|| stats::pairs_needed(deviation, delta, self.at(last)?, stats::POWER))
    }
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

    /// A look has less than the level of as many fixed pairs, so that the same difference takes more of them.
    #[test]
    fn a_look_has_less_power_than_as_many_fixed_pairs() {
        let looks = Looks::family(3, 6, 0.05, 2).unwrap();
        let fixed = Levels { looks: None, fixed: 0.025 };
        let looking = Levels { looks: Some(&looks), fixed: 0.025 };
        assert_eq!((fixed.at(2), fixed.at(40)), (Some(0.025), Some(0.025)));
        assert_eq!((looking.at(2), looking.at(6), looking.at(7)), (None, looks.level(6), None));
        assert!(looking.at(6) < fixed.at(6) && looking.at(4) < looking.at(6));
        for delta in [6.0, 3.0, 1.0, 0.3] {
            let (few, many) = (fixed.pairs_needed(1.0, delta).unwrap(), looking.pairs_needed(1.0, -delta).unwrap());
            assert!(few <= many, "{delta}: {few} and {many}");
            let level = looking.at(many.min(6)).unwrap();
            assert!(stats::power(delta * (many as f64).sqrt(), many, level) >= stats::POWER);
        }
        assert_eq!((looking.pairs_needed(1.0, 0.0), looking.pairs_needed(0.0, 1.0)), (None, Some(2)));
    }
}
