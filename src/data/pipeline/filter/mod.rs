//! Rules that judge a document by itself, as they are published: for web pages (C4, Gopher, FineWeb), for source code (LLaMA's for
//! GitHub), and lists of words and addresses that users bring.
//!
//! Each is made from its keys and implements [`Rules`](super::Rules). Where a rule counts words or sentences, [`Words`] and
//! [`Sentences`] say what these are.

#[cfg(test)]
mod agreement;
mod bad_words;
mod c4;
mod ccnet;
mod check;
mod class;
mod code;
mod fineweb;
mod gopher_quality;
mod gopher_repetition;
mod length;
mod ngrams;
mod pii;
mod spacy;
mod text;
mod urls;

pub use bad_words::{BadWords, BadWordsConfig};
pub use c4::{C4, C4Config, C4Paragraphs, C4ParagraphsConfig, C4Preset};
pub use ccnet::{Marks, NormaliseOptions, line_key, line_key_into, normalise};
pub use code::{Code, CodeConfig, Header, HeaderConfig, Licence, LicenceConfig};
pub use fineweb::{FineWeb, FineWebConfig};
pub use gopher_quality::{GopherQuality, GopherQualityConfig};
pub use gopher_repetition::{GopherRepetition, GopherRepetitionConfig};
pub use length::{Length, LengthConfig};
pub use pii::{Pii, PiiConfig};
pub use text::{Sentences, Words};
pub use urls::{Missing, Urls, UrlsConfig};
