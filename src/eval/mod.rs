//! Bits per byte, generation.

mod bits_per_byte;
mod generate;

pub use bits_per_byte::{Evaluation, Scores, Window, evaluate, windows};
pub use generate::{
    Completion, Conversation, End, Generation, Logits, Message, Prompt, Reader, Sampling, Stops, Template, Words, ends, generate, opening,
};
