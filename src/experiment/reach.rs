//! What a plan can say at best, before anything trains.

use super::{
    Plan,
    contrast::family,
    sequence::{Levels, looks},
};
use crate::stats;

/// A difference that has to be so many standard deviations of the differences hardly ever occurs.
const HOPELESS: f64 = 5.0;

impl Plan {
    /// What each comparison can show with the planned seeds, in sentences, and what is wrong with that as warnings.
    pub fn reach(&self) -> (Vec<String>, Vec<String>) {
        let comparisons = family(self).len();
        if comparisons == 0 {
            return (vec![], vec!["nothing is compared".into()]);
        }
        let fixed = self.alpha / comparisons as f64;
        let pairs = self.seeds.len();
        let looks = looks(self, comparisons);
        // Of sequential seeds the last look alone, which has less than the level of as many fixed ones.
        let level = Levels { looks: looks.as_ref(), fixed }.at(pairs);
        let Some(reach) = level.and_then(|level| stats::reach(pairs, level)) else {
            return (vec![], vec![format!("no result can reach α = {}: one seed has no spread, and no p", self.alpha)]);
        };
        let mut lines = Vec::new();
        if let Some([min, max]) = self.sequential {
            lines.push(format!(
                "seeds: {min} of every arm, then one more at a time for what is undecided, {max} at most; looks spend α by Lan and DeMets, \
                 each comparison {fixed:.2e} of it (Bonferroni), and the sequential p values enter the correction of the family"
            ));
        }
        let of = match (pairs, self.sequential) {
            (2, _) => "both".into(),
            (_, None) => format!("{pairs}"),
            (_, Some(_)) => format!("all {pairs}"),
        };
        let looking = if self.sequential.is_some() { " by the last look alone, earlier ones add to that" } else { "" };
        lines.push(format!(
            "with {of} seeds and {comparisons} comparison{} at α = {}: a true difference of {:.2} standard deviations of the paired \
             differences is found with 80 % probability{looking}; what is seen must be {:.2} of them at least (|t| ≥ {:.2})",
            if comparisons == 1 { "" } else { "s" },
            self.alpha,
            reach.detectable,
            reach.required_effect,
            reach.required_t,
        ));
        lines.push(match reach.sign_flip_p {
            Some(p) => format!("smallest p of the sign-flip test: {p:.2e}; the t test's has no smallest"),
            None => "no sign-flip test below six seeds: with five its p cannot go below 0.06; the t test's p has no smallest".into(),
        });
        if let Some(margin) = self.margin {
            lines.push(format!("equivalence: arms that are shown to differ by less than {margin} are called equivalent"));
        }
        let mut warnings = Vec::new();
        if reach.required_effect > HOPELESS {
            warnings.push(format!(
                "hardly any result can reach α = {}: with {pairs} seeds a difference must be {:.1} times its own spread; use more seeds, or \
                 fewer comparisons",
                self.alpha, reach.required_effect
            ));
        }
        (lines, warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use crate::stats::{Looks, reach};

    /// Looking costs: what `plan` promises of sequential seeds is what the last look's level gives, not what α would.
    #[test]
    fn sequential_seeds_reach_less_than_fixed_ones() {
        let mut plan = plan(&["a", "b"], 6);
        let promised = |plan: &super::Plan| plan.reach().0.iter().find(|line| line.starts_with("with ")).unwrap().clone();
        let fixed = promised(&plan);
        assert!(fixed.starts_with("with 6 seeds and 2 comparisons"), "{fixed}");
        assert!(fixed.contains(&format!("difference of {:.2} standard", reach(6, 0.025).unwrap().detectable)), "{fixed}");
        plan.sequential = Some([3, 6]);
        let last = reach(6, Looks::family(3, 6, 0.05, 2).unwrap().level(6).unwrap()).unwrap();
        let sequential = promised(&plan);
        assert!(sequential.starts_with("with all 6 seeds") && sequential.contains("by the last look alone"), "{sequential}");
        for number in [format!("difference of {:.2} standard", last.detectable), format!("(|t| ≥ {:.2})", last.required_t)] {
            assert!(sequential.contains(&number) && !fixed.contains(&number), "{number}: {sequential}");
        }
        assert!(plan.reach().0[0].contains("each comparison 2.50e-2 of it"), "{:?}", plan.reach().0);
    }
}
