//! Models of language that judge a document.
//!
//! [`ngram`] and [`fasttext`] are the models; [`Identify`], [`Perplexity`] with [`Buckets`], and [`Quality`] are stages.

pub mod fasttext;
mod identify;
pub mod ngram;
mod percentiles;
mod perplexity;
mod quality;

pub use identify::{Identifier, Identify, IdentifyConfig};
pub use percentiles::Percentiles;
pub use perplexity::{Bucket, Buckets, Lines, Normalise, Perplexity, PerplexityConfig, Tokenise, words};
pub use quality::{Held, Quality, QualityConfig, QualityTrainConfig, Samples};
