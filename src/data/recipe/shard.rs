//! What is worked on at once: a file, a part of one, or what an earlier step has left of it.

use super::{
    config::OnDamage,
    done::{Done, Reading},
    tally::Size,
};
use crate::{
    data::{
        CorpusConfig, CratesPart, corpus,
        pipeline::{
            Document,
            formats::{self, Content, Damage, Format, Input, Limits, Lines, Read, Unpacked},
        },
    },
    settings::{Error, Result},
};
use std::{
    io::BufReader,
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
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
    /// What is in it, if a segment has written it; nothing is counted of the rest yet.
    pub size: Size,
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
        let shard = |range| Self {
            source,
            bytes: share,
            size: Size::default(),
            from: From::File { input: input.clone(), format: format.clone(), range },
        };
        Ok(parts.into_iter().map(shard).collect())
    }

    /// The shards of a part of the default corpus, whose archives are read when the first shard is.
    pub fn of_crates(source: usize, part: CratesPart) -> Vec<Self> {
        let documents = Arc::new(OnceLock::new());
        let from = |number| From::Crates { part, documents: Arc::clone(&documents), number };
        (0..PARTS).map(|number| Self { source, bytes: PART_OF_CRATES, size: Size::default(), from: from(number) }).collect()
    }

    /// What a segment has written, and how much that is.
    pub fn made(source: usize, path: PathBuf, size: Size) -> Self {
        let bytes = path.metadata().map_or(0, |data| data.len());
        Self { source, bytes, size, from: From::Made(path) }
    }

    /// Whether a segment has written it.
    pub fn is_made(&self) -> bool {
        matches!(self.from, From::Made(_))
    }

    /// Its documents, if a segment has written it; they count as done by and by, if that is to be counted.
    pub fn made_documents<'a>(&self, done: Option<&'a Done>) -> Result<MadeDocuments<'a>> {
        match &self.from {
            From::Made(path) => MadeDocuments::open(path, done.map(|done| (done, self.bytes))),
            From::File { .. } | From::Crates { .. } => unreachable!("documents go through a segment before they are written"),
        }
    }

    /// Calls back with every document until a call breaks off, and with what is damaged. What has been read counts as done, and in the
    /// end the shard does.
    ///
    /// # Errors
    ///
    /// Those of reading and of the callbacks.
    pub fn read(
        &self,
        limits: &Limits,
        done: &Done,
        each: &mut dyn FnMut(Document) -> Result<ControlFlow<()>>,
        damaged: &mut dyn FnMut(Damage) -> Result<()>,
    ) -> Result<()> {
        match &self.from {
            From::File { input, format, range } => {
                let reads = formats::open_range(input, format, limits, range.clone())?;
                let _reading = done.reading(reads.counter(), self.bytes);
                for read in reads {
                    let next = match read? {
                        Read::Document(document) => each(document)?,
                        Read::Damage(damage) => damaged(damage).map(ControlFlow::Continue)?,
                    };
                    if next.is_break() {
                        break;
                    }
                }
            }
            From::Crates { part, documents, number } => {
                let _reading = done.reading(Arc::default(), self.bytes);
                if documents.get().is_none() {
                    let read = corpus::read(&CorpusConfig::Crates { part: *part }, &|_, _, _| ())?.train;
                    // Another thread may have been faster: it has read the same.
                    let _ = documents.set(read);
                }
                let documents = documents.get().map(Vec::as_slice).unwrap_or_default();
                let at = |number: usize| documents.len() * number / PARTS;
                for document in &documents[at(*number)..at(number + 1)] {
                    let mut it = Document::new(document.name.clone(), document.text.clone());
                    it.meta.insert("path".into(), document.name.clone().into());
                    if each(it)?.is_break() {
                        break;
                    }
                }
            }
            From::Made(path) => {
                let mut documents = MadeDocuments::open(path, Some((done, self.bytes)))?;
                while let Some(document) = documents.next()? {
                    if each(document)?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Bytes that are read at once.
const BUFFER: usize = 1 << 17;
/// What was written here is no bomb.
const WHOLE: Limits = Limits { document_bytes: 1 << 40, unpacked_bytes: 1 << 60, ratio: 1 << 40, sort_bytes: 0 };

/// The documents that a segment has written, as they were.
pub(super) struct MadeDocuments<'a> {
    path: PathBuf,
    lines: Lines<BufReader<Unpacked>>,
    _reading: Option<Reading<'a>>,
}

impl<'a> MadeDocuments<'a> {
    /// `counts` says where the file counts as done, and for how many bytes.
    fn open(path: &Path, counts: Option<(&'a Done, u64)>) -> Result<Self> {
        let content = formats::unpack(path, &WHOLE)?;
        let reading = counts.map(|(done, bytes)| done.reading(content.counter(), bytes));
        let lines = Lines::new(BufReader::with_capacity(BUFFER, content), 0, WHOLE.document_bytes);
        Ok(Self { path: path.to_path_buf(), lines, _reading: reading })
    }

    /// The next document.
    ///
    /// # Errors
    ///
    /// The file is damaged.
    pub fn next(&mut self) -> Result<Option<Document>> {
        let path = &self.path;
        let broken = |message: String| {
            let help = "delete the file, and start the same command again";
            Error::input(path.display(), format!("what an earlier step wrote is damaged: {message}"), help)
        };
        let Some(line) = self.lines.next().map_err(|error| broken(error.to_string()))? else { return Ok(None) };
        match line.content {
            Content::Text(text) => serde_json::from_str(text).map(Some).map_err(|error| broken(error.to_string())),
            Content::TooLong | Content::NotUtf8(_) | Content::Binary => Err(broken(format!("no text at byte {}", line.offset))),
        }
    }
}

/// What to do where a source does not allow damage.
pub(super) const ON_DAMAGE: &str =
    "mend the file or leave it out; with damage = \"skip\" in its source, what is damaged is passed over and counted";

/// What is said where a source does not allow damage.
pub(super) fn refused(damage: &Damage, policy: OnDamage) -> Result<()> {
    match policy {
        OnDamage::Skip => Ok(()),
        OnDamage::Refuse => Err(Error::input(&damage.place, format!("{} ({})", damage.message, damage.rule), ON_DAMAGE)),
    }
}
