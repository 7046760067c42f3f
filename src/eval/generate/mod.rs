//! Writing text: reading a prompt into a cache, choosing a token after the other, knowing when to stop.

mod conversation;
mod ending;
mod reader;
mod sampling;
mod stopping;
mod template;
mod words;
mod writing;

pub use conversation::Conversation;
pub use ending::{ends, opening};
pub use reader::{Logits, Reader};
pub use sampling::Sampling;
pub use stopping::Stops;
pub use template::{Message, Template};
pub use words::Words;
pub use writing::{Completion, End, Generation, Prompt, generate};
