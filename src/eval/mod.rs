//! Bits per byte, generation.

mod bits_per_byte;
mod generate;

pub use bits_per_byte::{Evaluation, Scores, Window, evaluate, windows};
pub use generate::{Sampling, generate};
