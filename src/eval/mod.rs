//! Bits per byte, accuracy on synthetic tasks, generation, benchmarks.

mod bits_per_byte;
mod evaluation;
mod generate;
mod logits;
pub mod scoring;
mod synthetic;
pub mod tasks;

pub use bits_per_byte::{Window, windows};
pub use evaluation::{Alone, Evaluation, Scores, Together, evaluate, evaluate_together};
pub use generate::{
    Completion, Conversation, End, Generation, Logits, Message, Prompt, Reader, Sampling, Stops, Template, Words, ends, generate, opening,
};
pub use logits::{Arithmetic, Evaluated, IGNORED, logits};
