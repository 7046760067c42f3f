//! Intervals, tests and corrections: pure functions of numbers.

mod bootstrap;
mod contrast;
mod correlation;
mod equivalence;
mod holm;
mod mean;
mod multiplier;
mod normal;
mod paired;
mod power;
mod rank;
mod reach;
mod refusal;
mod scaling;
mod sequential;
mod sign_flip;
pub mod student;
mod trend;
mod welch;

pub use bootstrap::{FEWEST_ITEMS, Items, bootstrap};
pub use contrast::contrasts;
pub use correlation::correlation;
pub use equivalence::{Equivalence, equivalence, equivalence_power, pairs_for_equivalence};
pub use holm::holm;
pub use mean::{Mean, mean, median};
pub use multiplier::{FEWEST_BUDGETS, Multiplier, Multipliers, multiplier, multipliers};
pub use paired::{Paired, paired};
pub use power::{MOST_PAIRS, POWER, detectable, pairs_needed, power};
pub use rank::{Rank, kendall, spearman};
pub use reach::{Reach, reach};
pub use refusal::Refusal;
pub use scaling::{FLOOR_SIZES, Law, Scaling, scaling};
pub use sequential::{FIRST_LOOK, Finding, LAST_LOOK, Looks, Stop};
pub use sign_flip::{FEWEST_PAIRS, SignFlip, sign_flip};
pub use trend::{Direction, Trend, trend};
pub use welch::{Welch, welch};
