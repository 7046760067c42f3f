//! Corpora: from archives and files to documents, split into training and validation text.

mod crates;
mod files;
mod filter;
mod split;
mod text;

pub use crates::{CrateEntry, Manifest};
pub use split::{Corpus, Document};

pub(super) use crates::fingerprint as crates_fingerprint;
pub(crate) use files::read_bytes;
pub(super) use files::{Kind, expand};
pub(super) use split::{HELD_OUT_RULE, by_content, limit_validation};

use super::{CorpusConfig, Progress};
use crate::settings::{Error, Result};

/// Reads a corpus and splits it. Documents come in a fixed order that depends on their content only.
///
/// # Errors
///
/// Missing, altered, undecodable or empty input.
pub fn read(config: &CorpusConfig, progress: Progress<'_>) -> Result<Corpus> {
    match config {
        CorpusConfig::Crates { part } => {
            let mut corpus = Manifest::embedded().read(&crates::registry_caches(), progress)?;
            corpus.retain(|document| part.holds(&document.name));
            Ok(corpus)
        }
        CorpusConfig::Text { paths } => {
            let files = expand(paths, Kind::Text)?;
            let documents = text::read_text(&files, progress)?;
            split::by_content(documents, &paths.join(", "))
        }
        CorpusConfig::Jsonl { paths, field } => {
            let files = expand(paths, Kind::Jsonl)?;
            let documents = text::read_jsonl(&files, field, progress)?;
            split::by_content(documents, &paths.join(", "))
        }
        CorpusConfig::Recipe { .. }
        | CorpusConfig::Shards { .. }
        | CorpusConfig::Mixture(_)
        | CorpusConfig::Synthetic(_)
        | CorpusConfig::Batches { .. } => {
            Err(Error::input("data.corpus", "there is no text in it, or in several parts", "name a corpus of another kind"))
        }
    }
}
