//! Text out of markup.
//!
//! Each extractor is a [`Rules`](super::Rules) on documents whose text is the raw markup. All of them are linear in their input, walk
//! with explicit stacks, and never fail: markup that makes no sense loses its marks and keeps its text. What they take away is counted
//! under names that begin with the name of the extractor (`html.markup`, `latex.comments`).

mod entities;
mod find;
pub mod html;
pub mod latex;
pub mod stack_exchange;
pub mod wikitext;

pub use html::Html;
pub use latex::Latex;
pub use stack_exchange::StackExchange;
pub use wikitext::Wikitext;
