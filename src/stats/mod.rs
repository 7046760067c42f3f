//! Intervals, tests and corrections: pure functions of numbers.
//!
//! Which is for what:
//!
//! | question | function |
//! |---|---|
//! | Do two arms differ? The verdict's test | [`paired`] over seeds, then [`holm`] over the experiment's comparisons |
//! | The same without a normal distribution, six pairs or more | [`sign_flip`] |
//! | Did pairing seeds pay? | [`correlation`] of the pairs, [`welch`] beside [`paired`] |
//! | Are two arms the same, for what matters? | [`equivalence`] against a margin, then [`holm`] |
//! | What could this design show? | [`reach`], [`detectable`], [`power`], [`equivalence_power`] |
//! | How many more seeds would settle it? | [`pairs_needed`], [`pairs_for_equivalence`] |
//! | May I stop after this seed? | [`Looks`], whose sequential p enters [`holm`] |
//! | What does a factor do, do two interact? | [`contrasts`] per seed, then [`paired`] |
//! | Does the difference last as models grow? | [`trend`]; [`scaling`] for each arm's L(N) |
//! | How much compute is an arm worth? | [`multiplier`], [`multipliers`] |
//! | Does a published order of arms hold? | [`spearman`], [`kendall`] |
//! | How well do these documents know two trained models? | [`bootstrap`]; [`mcnemar`] where each is right or wrong |
//!
//! What is never done:
//!
//! * **No bootstrap over seeds.** From five values resampled its 95 % intervals hold the truth 83 times in 100. Seeds
//!   are few, and Student's t is made for few.
//! * **Items are not seeds.** A thousand documents are one witness of what another seed would give; [`bootstrap`]
//!   speaks of documents alone, and no verdict follows from it.
//! * **No looking until it is significant.** A test at 5 % after each of three to ten seeds finds something in more
//!   than 12 % of experiments in which there is nothing. [`Looks`] has levels of its own.
//! * **"Not significant" is not "the same".** That takes a margin declared beforehand.
//! * **Nothing is extrapolated.** Beyond the base's budgets a multiplier is a bound.
//! * **Diverged runs are no numbers.** They are left out with their pair and counted by the caller: a test of those that
//!   finished says nothing about an arm that often does not.
//!
//! Intervals are 95 %, p values two-sided, differences "arm less reference". Where a formula has no value because there
//! is no spread, its limit is the answer; where a question has no answer, there is none, and never a number that looks
//! like one. What draws random numbers draws the same ones at every call.

mod bootstrap;
mod contrast;
mod correlation;
mod equivalence;
mod holm;
mod mcnemar;
mod mean;
mod multiplier;
mod normal;
mod paired;
mod power;
mod questions;
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
pub use mcnemar::{McNemar, mcnemar};
pub use mean::{Mean, mean, median};
pub use multiplier::{FEWEST_BUDGETS, Multiplier, Multipliers, multiplier, multipliers};
pub use paired::{Paired, paired};
pub use power::{MOST_PAIRS, POWER, detectable, pairs_needed, power};
pub use questions::two_questions;
pub use rank::{Rank, kendall, spearman};
pub use reach::{Reach, reach};
pub use refusal::Refusal;
pub use scaling::{FLOOR_SIZES, Law, Scaling, scaling};
pub use sequential::{FIRST_LOOK, Finding, LAST_LOOK, Looks, Stop};
pub use sign_flip::{FEWEST_PAIRS, SignFlip, sign_flip};
pub use trend::{Direction, Trend, trend};
pub use welch::{Welch, welch};
