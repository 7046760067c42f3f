//! From a design to the arms that it asks for: what each changes, and what it is compared with. Knows no model.

mod effects;
mod factorial;
mod factors;
mod fraction;
mod names;
mod sampled;
mod written;

use super::{
    spec::{Design, ExperimentConfig},
    summary::Role,
};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) use effects::Cells;
pub use effects::Effect;

/// An arm as a design asks for it, before it is resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variant {
    pub name: String,
    pub note: Option<String>,
    pub role: Role,
    /// What it changes in the base, the later above the earlier.
    pub layers: Vec<Layer>,
    /// Steps instead of the base's: warm-up, decay and evaluation go with them.
    pub steps: Option<usize>,
    /// What it is compared with, its own reference first.
    pub references: Vec<String>,
    /// The arm whose parameters, FLOPs or time it is matched to; none if it is not matched.
    pub home: Option<String>,
    /// Levels of the factors.
    pub levels: BTreeMap<String, Value>,
    /// The size, in a ladder of sizes.
    pub size: Option<String>,
    /// Where in the file it comes from.
    pub at: String,
    /// Made from factors: what equals another arm is merged with it, and what breaks a requirement is left out. What somebody
    /// wrote down as an arm is refused instead.
    pub generated: bool,
}

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    /// Where in the file it stands.
    pub at: String,
    pub change: Change,
    /// Where the condition stands under which it is made.
    pub when: Option<String>,
}

/// What a layer changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// The values of the table at the layer's place.
    Table,
    /// This key, to the value at the layer's place.
    Key(String),
    /// This key, to a value that was drawn.
    Drawn(String, toml::Value),
}

/// What a design asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expansion {
    /// All arms but the base.
    pub variants: Vec<Variant>,
    /// The cells of a factorial design, the base among them.
    pub cells: Option<Cells>,
}

/// The arms of an experiment, the base left out. `changes` tells whether a level changes the base at all: a level that does
/// not is the base's own.
///
/// # Errors
///
/// What `changes` answers with; a fraction that does not exist, or more cells than anybody runs, with its key.
pub(super) fn expand<E: From<crate::settings::Problem>>(
    config: &ExperimentConfig,
    changes: &mut dyn FnMut(&Layer) -> Result<bool, E>,
) -> Result<Expansion, E> {
    let mut factors = || factors::factors(config, changes);
    let (mut variants, cells) = match config.design.kind {
        Design::List => (written::list(config), None),
        Design::Ladder => (written::ladder(config), None),
        Design::LeaveOneOut => (written::leave_one_out(config), None),
        Design::LadderOfSizes => (written::sizes(config), None),
        Design::OneAtATime => (factors::one_at_a_time(&factors()?), None),
        Design::Zip => (factors::zip(config), None),
        Design::Random | Design::Halton => (sampled::sampled(config), None),
        Design::Factorial => {
            let (variants, cells) = factorial::factorial(factors()?, &config.design)?;
            (variants, Some(cells))
        }
    };
    variants.extend(written::budgets(config));
    Ok(Expansion { variants, cells })
}
