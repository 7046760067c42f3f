//! Benchmarks, read from disk in the layouts of their releases.
//!
//! A layout is one file: it says which rows are its, how a row reads as a question, and how it reads as an example in the
//! prompt of another. Prompts are those of lm-evaluation-harness 0.4.13 where it has the benchmark, byte for byte (the tests
//! hold them against what that program printed). Files are never downloaded.

mod answers;
mod arc;
mod boolq;
mod copa;
mod core;
mod crows_pairs;
mod domains;
mod gsm8k;
mod hellaswag;
mod human_eval;
mod lambada;
mod layout;
mod load;
mod math;
mod mbpp;
mod mmlu;
mod natural_questions;
mod openbookqa;
mod piqa;
mod python_random;
mod race;
mod rows;
mod shots;
mod siqa;
mod task;
mod trivia_qa;
mod winogender;
mod winogrande;

pub use answers::Reading;
pub(super) use answers::majority;
pub use layout::layouts;
pub use load::{TaskRequest, load};
pub(super) use task::ANSWER;
pub use task::{Alternative, Answer, Choice, Item, Pair, Program, Question, Rule, Span, Task};
