//! Files and documents: what they hold, read one by one in bounded memory.
//!
//! ```text
//! paths ─ expand ─► Input ─ open ─► Reads ─► Read::{Document, Damage}
//!                     │               ▲
//!                     └─ packed ─► text, jsonl, parquet, tar, arxiv, warc, wikipedia, stack_exchange
//! Document ─ write ─► .jsonl, .jsonl.gz, .jsonl.zst
//! ```
//!
//! What a file holds may be wrong in every way: it is told as [`Damage`], and what is whole around it is still read. Nothing is
//! held that is longer than [`Limits`] allow.

mod arxiv;
mod fault;
mod format;
mod gzip;
mod input;
mod jsonl;
mod lines;
mod members;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod post;
mod pushback;
mod ranges;
mod sorted;
mod stack_exchange;
mod tar;
mod text;
mod warc;
mod wikipedia;
mod write;
mod xml;

#[cfg(test)]
mod tests;

use super::Document;
use crate::settings::Result;
use fault::Origin;
use std::{
    ops::Range,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

pub use fault::Damage;
pub use format::{Format, Limits};
pub use input::{Input, expand};
pub use lines::{Content, Line, Lines};
pub(in crate::data) use packed::zstd;
pub use packed::{Packing, Unpacked, open as unpack};
pub use ranges::{WHOLE, ranges};
pub use write::{Sink, Written, write};

/// What a reader finds next in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// A document.
    Document(Document),
    /// A part that gave none.
    Damage(Damage),
}

/// What every reader is: [`Reads`] makes an iterator of it that ends when it should.
trait Source: Send {
    /// The next document or damage. An error is the end.
    fn next(&mut self) -> Result<Option<Read>>;
}

/// The documents of a file, in its order.
pub struct Reads {
    source: Option<Box<dyn Source>>,
    read: Arc<AtomicU64>,
}

impl Reads {
    /// Counts the bytes of the file, as it lies there, that have been read: of a packed file packed ones.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }
}

impl Iterator for Reads {
    type Item = Result<Read>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.source.as_mut()?.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.source = None;
        }
        next
    }
}

/// Reads a file. Ids of documents are `name#number`, the number being a byte, record, row, member or page, unless the file has ids:
/// then that is in `meta.file`.
///
/// # Errors
///
/// The file cannot be opened; it is no Parquet or has no column of texts. While reading: what the operating system says. All that is
/// wrong with the content is [`Damage`], after which reading goes on.
pub fn open(input: &Input, format: &Format, limits: &Limits) -> Result<Reads> {
    let origin = Origin::new(&input.path, &input.name);
    let read = Arc::clone(&origin.read);
    let source: Box<dyn Source> = match format {
        Format::Text { paragraphs: false } => Box::new(text::Whole::open(origin, limits)?),
        Format::Text { paragraphs: true } => Box::new(text::Paragraphs::open(origin, limits)?),
        Format::Jsonl { .. } => return open_range(input, format, limits, WHOLE),
        #[cfg(feature = "parquet")]
        Format::Parquet { text, id, columns } => Box::new(parquet::Rows::open(origin, text, id, columns.as_deref(), limits)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet { .. } => {
            let help = "build it with `cargo build --release --features parquet`, or convert the file to JSON lines";
            return Err(crate::settings::Error::input(input.path.display(), "this build of ablate does not read Parquet", help));
        }
        Format::Tar { endings } => Box::new(tar::Tar::open(origin, endings, limits)?),
        Format::Arxiv {} => Box::new(arxiv::Arxiv::open(origin, limits)?),
        Format::Warc {} => Box::new(warc::Warc::open(origin, limits)?),
        Format::Wikipedia {} => Box::new(wikipedia::Wikipedia::open(origin, limits)?),
        Format::StackExchange { site } => Box::new(stack_exchange::StackExchange::open(origin, site.as_deref(), limits)?),
    };
    Ok(Reads { source: Some(source), read })
}

/// The parts of a file that can be read apart, [`WHOLE`] being one: of plain JSON lines, [`ranges`] of about `size` bytes.
///
/// # Errors
///
/// As [`ranges`].
pub fn parts(input: &Input, format: &Format, size: u64) -> Result<Vec<Range<u64>>> {
    match format {
        Format::Jsonl { .. } => ranges(&input.path, size),
        _ => Ok(Vec::from_iter([WHOLE])),
    }
}

/// Reads one of the [`parts`] of a file: documents and ids are those that the whole file has there.
///
/// # Errors
///
/// As [`open`]; a part of a file that has none.
pub fn open_range(input: &Input, format: &Format, limits: &Limits, range: Range<u64>) -> Result<Reads> {
    match format {
        Format::Jsonl { text, id } => {
            let fields = jsonl::Fields { text: text.clone(), id: id.clone() };
            let origin = Origin::new(&input.path, &input.name);
            let read = Arc::clone(&origin.read);
            Ok(Reads { source: Some(Box::new(jsonl::Jsonl::open(origin, fields, limits, range)?)), read })
        }
        _ if range == WHOLE => open(input, format, limits),
        other => {
            let message = format!("a part of a file of the format {} cannot be read", other.kind());
            Err(crate::settings::Error::input(input.path.display(), message, "read it as a whole"))
        }
    }
}

impl Input {
    /// The file at a path; its name is the last part of that.
    pub fn new(path: &Path) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { name, path: path.to_path_buf() }
    }
}
