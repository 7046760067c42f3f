//! Published orders of arms, held against what was measured.

use super::{
    Claim, Plan, PublishedSummary, Verdict,
    contrast::Contrast,
    runs::{Runs, value},
    spec::PublishedConfig,
};
use crate::stats::{self, holm, kendall, paired};

/// Every published order with what these runs say of each pair that it ranks.
///
/// Exploratory: these pairs are none of the experiment's comparisons. Within an order they are corrected together (Holm).
pub(super) fn published(plan: &Plan, runs: &Runs) -> Vec<PublishedSummary> {
    plan.published.iter().map(|order| against(plan, runs, order)).collect()
}

fn against(plan: &Plan, runs: &Runs, order: &PublishedConfig) -> PublishedSummary {
    let ranked: Vec<(&str, usize)> =
        order.order.iter().enumerate().flat_map(|(rank, group)| group.iter().map(move |arm| (arm.as_str(), rank))).collect();
    let pairs: Vec<(&str, &str)> = ranked
        .iter()
        .flat_map(|(better, above)| ranked.iter().filter(move |(_, below)| above < below).map(move |(worse, _)| (*better, *worse)))
        .collect();
    let tests: Vec<_> =
        pairs.iter().map(|(better, worse)| paired(&Contrast::pair(better, worse).values(&plan.seeds, runs, &plan.metric))).collect();
    let adjusted = holm(&tests.iter().map(|test| test.and_then(|test| test.p)).collect::<Vec<_>>());
    let claim = |at: usize| {
        let ((better, worse), test, p_adjusted) = (pairs[at], tests[at], adjusted[at]);
        let verdict = match (test, p_adjusted) {
            (Some(test), Some(p)) if p <= plan.alpha => {
                if (test.delta < 0.0) == plan.lower_is_better {
                    Verdict::Better
                } else {
                    Verdict::Worse
                }
            }
            (Some(_), Some(_)) => Verdict::NoDifference,
            _ => Verdict::Undecided,
        };
        let (delta, ci95) = (test.map(|test| test.delta), test.and_then(|test| test.ci95));
        Claim { better: better.into(), worse: worse.into(), delta, ci95, p_adjusted, verdict }
    };
    let claims: Vec<Claim> = (0..pairs.len()).map(claim).collect();

    // The rank correlation of the arms that have a value, ties of the source as ties.
    let mean = |arm: &str| {
        let values: Vec<f64> = plan.seeds.iter().filter_map(|seed| value(runs, arm, *seed, &plan.metric)).collect();
        stats::mean(&values).map(|mean| if plan.lower_is_better { mean.mean } else { -mean.mean })
    };
    let (ranks, means): (Vec<f64>, Vec<f64>) = ranked.iter().filter_map(|(arm, rank)| Some((*rank as f64, mean(arm)?))).unzip();
    let tau = kendall(&ranks, &means);
    let count = |wanted: Verdict| claims.iter().filter(|claim| claim.verdict == wanted).count();
    let (holds, contradicted) = (count(Verdict::Better), count(Verdict::Worse));
    let agreement = tau.map(|tau| format!("; Kendall's τ {:.2}, p {:.2}", tau.coefficient, tau.p)).unwrap_or_default();
    let text = format!(
        "of {} pairs that {} ranks, {holds} hold here, {contradicted} are the other way round, {} are open{agreement}",
        claims.len(),
        order.source,
        claims.len() - holds - contradicted
    );
    PublishedSummary { source: order.source.clone(), order: order.order.clone(), claims, tau: tau.map(|tau| tau.coefficient), text }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            plan::tests::{plan, record},
            runs::runs,
        },
        *,
    };
    use crate::train::Outcome;

    #[test]
    fn pairs_that_hold_that_are_turned_and_that_are_open() {
        let mut plan = plan(&["a", "b", "c"], 5);
        plan.published = vec![PublishedConfig {
            source: "a paper".into(),
            order: vec![vec!["a".into()], vec!["b".into(), "c".into()], vec!["base".into()]],
        }];
        let noise = |arm: usize, seed: u64| ((seed * 7 + arm as u64 * 3) % 5) as f64 * 1e-3;
        let mut records = Vec::new();
        for seed in 0..5 {
            // a is best as published; b is worse than the base, against the source; c is near the base.
            for (at, (arm, value)) in [("base", 2.0), ("a", 1.5), ("b", 2.5), ("c", 2.0)].into_iter().enumerate() {
                records.push(record(arm, seed, Outcome::Finished, value + noise(at, seed)));
            }
        }
        let found = published(&plan, &runs(&plan, &records)).remove(0);
        let of = |better: &str, worse: &str| found.claims.iter().find(|c| c.better == better && c.worse == worse).map(|c| c.verdict);
        assert_eq!((of("a", "b"), of("a", "base")), (Some(Verdict::Better), Some(Verdict::Better)));
        assert_eq!((of("b", "base"), of("c", "base")), (Some(Verdict::Worse), Some(Verdict::NoDifference)));
        assert_eq!((of("b", "c"), found.claims.len()), (None, 5), "the source ties them");
        assert!(
            found.text.starts_with("of 5 pairs that a paper ranks, 3 hold here, 1 are the other way round, 1 are open"),
            "{}",
            found.text
        );
    }
}
