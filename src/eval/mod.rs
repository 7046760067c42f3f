//! Bits per byte, generation, benchmarks.

mod bits_per_byte;
mod generate;
pub mod scoring;
pub mod tasks;

pub use bits_per_byte::{Evaluation, Scores, Window, evaluate, windows};
pub use generate::{Sampling, generate};
