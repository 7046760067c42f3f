//! What recipes say of files: formats and limits.

use super::input::bare_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

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
        let name = bare_name(path);
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
