//! From raw text to clean documents: what a recipe of `ablate data build` is made of.
//!
//! [`formats`] read files into documents, [`extract`] takes the text out of markup, [`filter`] holds rules that judge a document
//! by itself, [`language`] models of language that judge it, [`dedup`] what judges it by the others.

pub mod dedup;
mod document;
pub mod extract;
pub mod filter;
pub mod formats;
pub mod language;
mod rules;

pub use document::Document;
pub use rules::{Count, Counts, Rules, Verdict};
