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
mod gzip;
mod input;
mod jsonl;
mod lines;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
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
mod zstd;

#[cfg(test)]
mod tests;

use super::Document;
use crate::settings::Result;
use fault::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{ops::Range, path::Path};

pub use fault::Damage;
pub use input::{Input, expand};
pub use lines::{Content, Line, Lines};
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

/// Bounds on what a file may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the longest document, and of the line, record, page or post that holds it; longer ones are passed over. 64 MiB by
    /// default: CommonCrawl cuts pages at 1 MiB, the longest books are of a few.
    pub document_bytes: u64,
    /// Bytes that a packed file may unpack to; 1 TiB by default, above any published dump.
    pub unpacked_bytes: u64,
    /// Times that a packed file may grow, looked at above 64 MiB. 256 by default: text grows 3 to 20 times, bombs of gzip 1000.
    pub ratio: u64,
    /// Bytes of memory in which the posts of Stack Exchange are sorted; what is more goes to the folder for temporary files.
    /// 256 MiB by default.
    pub sort_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { document_bytes: 64 << 20, unpacked_bytes: 1 << 40, ratio: 256, sort_bytes: 256 << 20 }
    }
}

/// What is in a file, besides how it is packed, which `.gz`, `.zst` and `.bz2` at the end of its name tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// UTF-8 text.
    Text {
        /// A document per block between blank lines, instead of one per file.
        #[serde(default)]
        paragraphs: bool,
    },
    /// A JSON object per line; what is neither text nor id goes into `meta`.
    Jsonl {
        /// The field that holds the text; `text` by default.
        #[serde(default = "text_field")]
        text: String,
        /// The field that holds the id; `id` by default. Lines without are named by file and byte.
        #[serde(default = "id_field")]
        id: String,
    },
    /// Apache Parquet, packed with Snappy, gzip, Zstandard or not; of builds with the feature `parquet`.
    Parquet {
        /// The column that holds the text; `text` by default.
        #[serde(default = "text_field")]
        text: String,
        /// The column that holds the id; `id` by default. Rows without are named by file and row.
        #[serde(default = "id_field")]
        id: String,
        /// The columns that go into `meta`; all by default.
        #[serde(default)]
        columns: Option<Vec<String>>,
    },
    /// Archives whose regular members are documents of UTF-8 text.
    Tar {
        /// Endings of the names of members that are read, `["tex", "bib"]`; all by default.
        #[serde(default)]
        endings: Vec<String>,
    },
    /// Bulk source files of arXiv (`arXiv_src_2101_001.tar`): papers, the files of each as an object of paths and texts in
    /// `meta.files`.
    Arxiv {},
    /// Web archives (WARC 1.0, 1.1) and the text in them (WET): pages as HTML, conversions as text.
    Warc {},
    /// Dumps of Wikipedia and other wikis of MediaWiki: articles as wikitext.
    Wikipedia {},
    /// `Posts.xml` of a site of Stack Exchange: questions with their answers as HTML, in `meta`.
    StackExchange {
        /// The site, `stackoverflow.com`; by default the name of the folder if it is that of a site.
        #[serde(default)]
        site: Option<String>,
    },
}

fn text_field() -> String {
    "text".into()
}

fn id_field() -> String {
    "id".into()
}

/// Endings of text, among them those of the languages of programs that corpora of code hold.
const TEXT: &[&str] = &[
    "txt", "text", "md", "markdown", "rst", "adoc", "org", "tex", "html", "htm", "xml", "rs", "py", "c", "h", "cc", "cpp", "hpp", "cu",
    "go", "java", "kt", "scala", "js", "ts", "jsx", "tsx", "css", "sh", "rb", "php", "pl", "lua", "jl", "r", "m", "hs", "ml", "ex", "erl",
    "clj", "swift", "cs", "sql", "zig",
];

impl Format {
    /// The format of a file by its name; none if the name is not known.
    pub fn of(path: &Path) -> Option<Self> {
        let name = input::bare_name(path);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
        // `enwiki-20260101-pages-articles1.xml-p1p41242.bz2`
        let dump = name.contains("pages-articles") || name.contains("pages-meta");
        Some(match ending {
            "jsonl" | "ndjson" => Self::Jsonl { text: text_field(), id: id_field() },
            "parquet" => Self::Parquet { text: text_field(), id: id_field(), columns: None },
            "tar" if stem.starts_with("arxiv_src") => Self::Arxiv {},
            "tar" => Self::Tar { endings: Vec::new() },
            "warc" | "wet" => Self::Warc {},
            _ if dump && name.contains(".xml") => Self::Wikipedia {},
            "xml" if stem == "posts" || stem.ends_with("-posts") => Self::StackExchange { site: None },
            "" if stem == "readme" => Self::Text { paragraphs: false },
            _ if TEXT.contains(&ending) => Self::Text { paragraphs: false },
            _ => return None,
        })
    }

    /// The value of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Jsonl { .. } => "jsonl",
            Self::Parquet { .. } => "parquet",
            Self::Tar { .. } => "tar",
            Self::Arxiv {} => "arxiv",
            Self::Warc {} => "warc",
            Self::Wikipedia {} => "wikipedia",
            Self::StackExchange { .. } => "stack_exchange",
        }
    }
}

/// What every reader is: [`Reads`] makes an iterator of it that ends when it should.
trait Source: Send {
    /// The next document or damage. An error is the end.
    fn next(&mut self) -> Result<Option<Read>>;
}

/// The documents of a file, in its order.
pub struct Reads(Option<Box<dyn Source>>);

impl Iterator for Reads {
    type Item = Result<Read>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.as_mut()?.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        next
    }
}

/// Reads a file. Ids of documents are `name#number`, the number being a byte, record, row, member or page, unless the file has ids.
///
/// # Errors
///
/// The file cannot be opened; it is no Parquet or has no column of texts. While reading: what the operating system says. All that is
/// wrong with the content is [`Damage`], after which reading goes on.
pub fn open(input: &Input, format: &Format, limits: &Limits) -> Result<Reads> {
    let origin = Origin::new(&input.path, &input.name);
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
    Ok(Reads(Some(source)))
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
            let source = jsonl::Jsonl::open(Origin::new(&input.path, &input.name), fields, limits, range)?;
            Ok(Reads(Some(Box::new(source))))
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
