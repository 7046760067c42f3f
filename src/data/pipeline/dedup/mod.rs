//! What judges a document by the others.
//!
//! Every way to do so is a [`Stage`], which reads all documents once or twice, decides, and then judges them one by one. Scans
//! write records that are sorted within a budget of memory and spilled to disk; decisions merge them. Results are the same
//! whatever the threads, the memory, and how often a run is killed and started again; of a group of duplicates the one in the
//! lowest [`Place`] stays.
//!
//! ```text
//! lines          parts that occur more than once are cut    CCNet
//! spans                                                     C4
//! substrings                                                Lee et al.
//! exact          documents that are the same are dropped    GitHub
//! minhash        that are nearly the same                   across sources
//! books          that are in others
//! contamination  what is in evaluations is cut or dropped   GPT-3
//! ```

mod books;
mod candidates;
mod category;
mod clusters;
mod components;
pub mod contamination;
mod cuts;
mod drops;
mod exact;
mod file;
mod lines;
mod merge;
pub mod minhash;
mod passes;
mod record;
mod sets;
mod sorted;
mod spans;
mod stage;
mod substrings;
#[cfg(test)]
mod tests;
mod union;
mod words;
mod work;

pub use books::{BookRule, Books, BooksConfig};
pub use contamination::{Contamination, ContaminationConfig};
pub use cuts::Keep;
pub use exact::{Exact, ExactConfig};
pub use lines::{Lines, LinesConfig, Normalise, line_hash};
pub use minhash::{Minhash, MinhashConfig};
pub use passes::{ReadShard, run_passes};
pub use record::Place;
pub use spans::{SpanUnit, Spans, SpansConfig};
pub use stage::{Judge, Scan, Stage, Summary};
pub use substrings::{Substrings, SubstringsConfig};
pub use work::Work;
