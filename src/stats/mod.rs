//! Intervals, tests and corrections: pure functions of numbers.

mod holm;
mod mean;
mod paired;
mod power;
pub mod student;

pub use holm::holm;
pub use mean::{Mean, mean, median};
pub use paired::{Paired, paired};
pub use power::{POWER, detectable, power};
