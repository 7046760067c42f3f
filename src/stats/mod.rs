//! Intervals, tests and corrections: pure functions of numbers.

mod bootstrap;
mod correlation;
mod equivalence;
mod holm;
mod mean;
mod normal;
mod paired;
mod power;
mod reach;
mod sequential;
mod sign_flip;
pub mod student;
mod welch;

pub use bootstrap::{FEWEST_ITEMS, Items, bootstrap};
pub use correlation::correlation;
pub use equivalence::{Equivalence, equivalence, equivalence_power, pairs_for_equivalence};
pub use holm::holm;
pub use mean::{Mean, mean, median};
pub use paired::{Paired, paired};
pub use power::{MOST_PAIRS, POWER, detectable, pairs_needed, power};
pub use reach::{Reach, reach};
pub use sequential::{FIRST_LOOK, Finding, LAST_LOOK, Looks, Stop};
pub use sign_flip::{FEWEST_PAIRS, SignFlip, sign_flip};
pub use welch::{Welch, welch};
