//! Text out of markup.
