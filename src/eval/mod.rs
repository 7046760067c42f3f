//! Bits per byte, accuracy on synthetic tasks, generation.

mod bits_per_byte;
mod evaluation;
mod generate;
mod synthetic;

pub use bits_per_byte::{Window, windows};
pub use evaluation::{Evaluation, Scores, evaluate};
pub use generate::{Sampling, generate};
