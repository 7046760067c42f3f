//! What is worked on at once: a file, a part of one, or what an earlier step has left of it.

use super::config::OnDamage;
use crate::{
    data::{
        CorpusConfig, CratesPart, corpus,
        pipeline::{
            Document,
            formats::{self, Damage, Format, Input, Limits, Read},
        },
    },
    settings::{Error, Result},
};
use std::{
    ops::Range,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// Bytes of a part of a file that can be cut.
const PART: u64 = 64 << 20;
/// Parts of the default corpus, and bytes of one, about.
const PARTS: usize = 16;
const PART_OF_CRATES: u64 = 4 << 20;

/// Documents in order.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    /// Number of the source.
    pub source: usize,
    /// Bytes on the disk, for progress.
    pub bytes: u64,
    from: From,
}

#[derive(Clone, Debug)]
enum From {
    File {
        input: Input,
        format: Format,
        range: Range<u64>,
    },
    Crates {
        part: CratesPart,
        documents: Arc<OnceLock<Vec<corpus::Document>>>,
        number: usize,
    },
    /// What a segment has written.
    Made(PathBuf),
}

impl Shard {
    /// The shards of a file.
    pub fn of_file(source: usize, input: &Input, format: &Format) -> Result<Vec<Self>> {
        let bytes = input.path.metadata().map_err(Error::io("read", &input.path))?.len();
        let parts = formats::parts(input, format, PART)?;
        let share = bytes / parts.len().max(1) as u64;
        let shard = |range| Self { source, bytes: share, from: From::File { input: input.clone(), format: format.clone(), range } };
        Ok(parts.into_iter().map(shard).collect())
    }

    /// The shards of a part of the default corpus, whose archives are read when the first shard is.
    pub fn of_crates(source: usize, part: CratesPart) -> Vec<Self> {
        let documents = Arc::new(OnceLock::new());
        let from = |number| From::Crates { part, documents: Arc::clone(&documents), number };
        (0..PARTS).map(|number| Self { source, bytes: PART_OF_CRATES, from: from(number) }).collect()
    }

    /// What a segment has written.
    pub fn made(source: usize, path: PathBuf) -> Self {
        let bytes = path.metadata().map_or(0, |data| data.len());
        Self { source, bytes, from: From::Made(path) }
    }

    /// Calls back with every document, and with what is damaged.
    ///
    /// # Errors
    ///
    /// Those of reading and of the callbacks.
    pub fn read(
        &self,
        limits: &Limits,
        each: &mut dyn FnMut(Document) -> Result<()>,
        damaged: &mut dyn FnMut(Damage) -> Result<()>,
    ) -> Result<()> {
        match &self.from {
            From::File { input, format, range } => {
                for read in formats::open_range(input, format, limits, range.clone())? {
                    match read? {
                        Read::Document(document) => each(document)?,
                        Read::Damage(damage) => damaged(damage)?,
                    }
                }
                Ok(())
            }
            From::Crates { part, documents, number } => {
                if documents.get().is_none() {
                    let read = corpus::read(&CorpusConfig::Crates { part: *part }, &|_, _, _| ())?.train;
                    // Another thread may have been faster: it has read the same.
                    let _ = documents.set(read);
                }
                let documents = documents.get().map(Vec::as_slice).unwrap_or_default();
                let at = |number: usize| documents.len() * number / PARTS;
                documents[at(*number)..at(number + 1)].iter().try_for_each(|document| {
                    let mut it = Document::new(document.name.clone(), document.text.clone());
                    it.meta.insert("path".into(), document.name.clone().into());
                    each(it)
                })
            }
            From::Made(path) => {
                let format = Format::Jsonl { text: "text".into(), id: "id".into() };
                let whole = Limits { document_bytes: 1 << 40, unpacked_bytes: 1 << 60, ratio: 1 << 40, ..limits.clone() };
                for read in formats::open(&Input::new(path), &format, &whole)? {
                    match read? {
                        Read::Document(document) => each(document)?,
                        Read::Damage(damage) => return Err(broken(&damage)),
                    }
                }
                Ok(())
            }
        }
    }
}

fn broken(damage: &Damage) -> Error {
    Error::input(&damage.place, format!("what an earlier step wrote is damaged: {}", damage.message), "delete the file and start again")
}

/// What is said where a source does not allow damage.
pub(super) fn refused(damage: &Damage, policy: OnDamage) -> Result<()> {
    match policy {
        OnDamage::Skip => Ok(()),
        OnDamage::Refuse => {
            let help = "mend the file or leave it out; with damage = \"skip\" in its source, what is damaged is passed over and counted";
            Err(Error::input(&damage.place, format!("{} ({})", damage.message, damage.rule), help))
        }
    }
}
