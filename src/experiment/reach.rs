//! What a plan can say at best, before anything trains.

use super::{Plan, contrast::family};
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
        let level = self.alpha / comparisons as f64;
        let pairs = self.seeds.len();
        let Some(reach) = stats::reach(pairs, level) else {
            return (vec![], vec![format!("no result can reach α = {}: one seed has no spread, and no p", self.alpha)]);
        };
        let mut lines = Vec::new();
        if let Some([min, max]) = self.sequential {
            lines.push(format!(
                "seeds: {min} of every arm, then one more at a time for what is undecided, {max} at most; looks spend α by Lan and DeMets, \
                 each comparison {level:.2e} of it (Bonferroni), and the sequential p values enter the correction of the family"
            ));
        }
        let of = if pairs == 2 { "both".into() } else { format!("{pairs}") };
        lines.push(format!(
            "with {of} seeds and {comparisons} comparison{} at α = {}: a true difference of {:.2} standard deviations of the paired \
             differences is found with 80 % probability; what is seen must be {:.2} of them at least (|t| ≥ {:.2})",
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
