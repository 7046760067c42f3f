//! Which of the factors that were drawn matter: rank correlations with the metric.

use super::{
    FactorSummary, Plan,
    runs::{Runs, value},
};
use crate::stats;

/// Spearman's rank correlation of every numeric factor of a random or Halton design with the arms' means. Exploratory.
pub(super) fn sensitivity(plan: &Plan, runs: &Runs) -> Vec<FactorSummary> {
    if !plan.design.is_sampled() {
        return vec![];
    }
    let mut names: Vec<&String> = plan.arms.iter().flat_map(|arm| arm.levels.keys()).collect();
    names.sort();
    names.dedup();
    let factor = |name: &String| {
        let point = |arm: &super::PlannedArm| {
            let level = arm.levels.get(name)?.as_f64()?;
            let values: Vec<f64> = plan.seeds.iter().filter_map(|seed| value(runs, &arm.name, *seed, &plan.metric)).collect();
            Some((level, stats::mean(&values)?.mean))
        };
        let (levels, means): (Vec<f64>, Vec<f64>) = plan.arms.iter().filter_map(point).unzip();
        let rank = stats::spearman(&levels, &means)?;
        let good = (rank.coefficient < 0.0) == plan.lower_is_better;
        let text = format!(
            "{} values of {name} are better: Spearman's ρ {:.2} over {} arms, p {:.3}, exploratory",
            if good { "larger" } else { "smaller" },
            rank.coefficient,
            rank.count,
            rank.p
        );
        Some(FactorSummary { name: name.clone(), correlation: rank.coefficient, p: rank.p, arms: rank.count, text })
    };
    names.into_iter().filter_map(factor).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            plan::tests::{plan, record},
            runs::runs,
            spec::Design,
        },
        *,
    };
    use crate::train::Outcome;

    #[test]
    fn what_matters_is_seen() {
        let mut plan = plan(&["a", "b", "c", "d", "e", "f"], 1);
        plan.design = Design::Random;
        let mut records = Vec::new();
        for (at, arm) in plan.arms.iter_mut().enumerate().skip(1) {
            arm.levels = [("rate".to_string(), (at as f64).into()), ("kind".to_string(), "x".into())].into();
            records.push(record(&arm.name, 0, Outcome::Finished, 3.0 - at as f64 * 0.1));
        }
        let found = sensitivity(&plan, &runs(&plan, &records));
        assert_eq!((found.len(), found[0].name.as_str(), found[0].correlation, found[0].arms), (1, "rate", -1.0, 6));
        assert!(found[0].text.starts_with("larger values of rate are better"), "{}", found[0].text);
        plan.design = Design::List;
        assert_eq!(sensitivity(&plan, &runs(&plan, &records)).len(), 0);
    }
}
