//! What is compared: pairs of arms, and effects of factorial designs, as one list.

use crate::experiment::{Comparison, Role, Summary};

/// A comparison with what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The arm or the effect.
    pub name: &'a str,
    /// The comparison.
    pub comparison: &'a Comparison,
    /// What an arm is compared with; none for an effect.
    pub reference: Option<&'a str>,
    /// Factors of an effect; 0 for an arm.
    pub factors: usize,
    /// Effects that cannot be told from this one.
    pub aliases: &'a [String],
    /// Whether it is besides the arm's own: a rung with the base of a ladder.
    pub further: bool,
    /// An effect in words.
    pub text: Option<&'a str>,
}

impl Compared<'_> {
    /// `against base`, `main effect`, `interaction`.
    pub fn against(&self) -> String {
        match (self.reference, self.factors) {
            (Some(reference), _) => format!("against {reference}"),
            (None, 0 | 1) => "main effect".into(),
            (None, _) => "interaction".into(),
        }
    }
}

/// Every comparison of the experiment: those of the arms in their order, then the effects.
///
/// Cells, and the base at other sizes and budgets, are compared with nothing and have no place here.
pub fn comparisons(summary: &Summary) -> Vec<Compared<'_>> {
    let arms = summary.arms.iter().filter(|arm| arm.role == Role::Compared).flat_map(|arm| {
        arm.comparisons.iter().map(move |comparison| Compared {
            name: &arm.name,
            comparison,
            reference: Some(&comparison.reference),
            factors: 0,
            aliases: &[],
            further: arm.reference.as_ref() != Some(&comparison.reference),
            text: None,
        })
    });
    let effects = summary.effects.iter().map(|effect| Compared {
        name: &effect.name,
        comparison: &effect.comparison,
        reference: None,
        factors: effect.factors.len(),
        aliases: &effect.aliases,
        further: false,
        text: Some(&effect.text),
    });
    arms.chain(effects).collect()
}
