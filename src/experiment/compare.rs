//! All comparisons of a plan, tested and corrected as one family.

use super::{
    Comparison, EquivalenceSummary, Verdict, WelchSummary,
    contrast::{Contrast, family},
    plan::Plan,
    runs::{Runs, value},
    sentence,
    sequence::{Levels, looks},
    spec::BASE,
};
use crate::stats::{self, Looks, detectable, paired};

/// Every comparison of a plan, in the order of [`family`]: pairs of arms, then effects.
pub(super) fn compare(plan: &Plan, runs: &Runs) -> Vec<Comparison> {
    let family = family(plan);
    let values: Vec<Vec<f64>> = family.iter().map(|contrast| contrast.values(&plan.seeds, runs, &plan.metric)).collect();
    let looks = looks(plan, family.len());
    // Where seeds were added while looking, p is one that holds wherever one stops.
    let p = |values: &Vec<f64>| match &looks {
        Some(looks) => looks.p(values),
        None => paired(values).and_then(|test| test.p),
    };
    let equivalence = |values: &Vec<f64>| {
        let margin = plan.margin?;
        let test = stats::equivalence(values, margin, plan.alpha)?;
        Some((looks.as_ref().map_or(Some(test.p), |looks| looks.equivalence_p(values, margin))?, test))
    };
    // The interval, too, must hold wherever one stops.
    let at_all_looks = plan.sequential.and_then(|[min, max]| Looks::new(min as usize, max as usize, 0.05));
    let interval = |values: &Vec<f64>| match &at_all_looks {
        Some(looks) => looks.interval(values),
        None => paired(values)?.ci95,
    };
    let different: Vec<Option<f64>> = values.iter().map(p).collect();
    let equivalent: Vec<Option<_>> = values.iter().map(equivalence).collect();
    let (different_adjusted, equivalent_adjusted) = stats::two_questions(
        &different,
        &equivalent.iter().map(|test| test.as_ref().map(|(p, _)| *p)).collect::<Vec<_>>(),
        plan.margin.is_some(),
    );
    let levels = Levels { looks: looks.as_ref(), fixed: plan.alpha / family.len().max(1) as f64 };
    let mut comparisons = Vec::new();
    for (index, (contrast, values)) in family.iter().zip(&values).enumerate() {
        let test = paired(values);
        let verdict = verdict(plan, test, different_adjusted[index], equivalent_adjusted[index]);
        let equivalence = equivalent[index].as_ref().zip(equivalent_adjusted[index]);
        let mut comparison = Comparison {
            reference: contrast.reference().unwrap_or(BASE).into(),
            pairs: test.map_or(0, |test| test.pairs),
            delta: test.map(|test| test.delta),
            delta_ci95: interval(values),
            p: different[index],
            p_adjusted: different_adjusted[index],
            detectable: test.and_then(|test| detectable(test.deviation, test.pairs, levels.at(test.pairs)?)),
            verdict,
            correlation: None,
            welch: None,
            p_sign_flip: stats::sign_flip(values).map(|test| test.p),
            equivalence: equivalence.map(|((p, test), adjusted)| EquivalenceSummary {
                p: *p,
                p_adjusted: adjusted,
                interval: test.interval,
            }),
            would_change: None,
            pairs_needed: test
                .filter(|_| !matches!(verdict, Verdict::Better | Verdict::Worse))
                .and_then(|test| levels.pairs_needed(test.deviation, test.delta)),
        };
        comparison.would_change = sentence::would_change(&comparison, plan);
        if let Some((arm, reference)) = contrast.as_pair() {
            let both = |name: &str| -> Vec<Option<f64>> { plan.seeds.iter().map(|seed| value(runs, name, *seed, &plan.metric)).collect() };
            let (ours, theirs) = (both(arm), both(reference));
            let pairs: Vec<(f64, f64)> = ours.iter().zip(&theirs).filter_map(|(a, b)| a.zip(*b)).collect();
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            comparison.correlation = stats::correlation(&a, &b);
            let all = |values: Vec<Option<f64>>| values.into_iter().flatten().collect::<Vec<f64>>();
            comparison.welch = stats::welch(&all(ours), &all(theirs)).map(|test| WelchSummary { ci95: test.ci95, p: test.p });
        }
        comparisons.push(comparison);
    }
    comparisons
}

/// A difference that is found is told as such, however small; equivalence is for what is not.
fn verdict(plan: &Plan, test: Option<stats::Paired>, different: Option<f64>, equivalent: Option<f64>) -> Verdict {
    match (test, different) {
        (Some(test), Some(p)) if p <= plan.alpha => {
            if (test.delta < 0.0) == plan.lower_is_better {
                Verdict::Better
            } else {
                Verdict::Worse
            }
        }
        (Some(_), Some(_)) if equivalent.is_some_and(|p| p <= plan.alpha) => Verdict::Equivalent,
        (Some(_), Some(_)) => Verdict::NoDifference,
        _ => Verdict::Undecided,
    }
}

impl<'a> Contrast<'a> {
    /// The two arms, where it is one less another.
    pub fn as_pair(&self) -> Option<(&'a str, &'a str)> {
        match self.weights() {
            [(arm, weight), (reference, other)] if *weight == 1.0 && *other == -1.0 => Some((arm, reference)),
            _ => None,
        }
    }

    /// What it is compared with, where it is a pair.
    fn reference(&self) -> Option<&'a str> {
        self.as_pair().map(|(_, reference)| reference)
    }
}
