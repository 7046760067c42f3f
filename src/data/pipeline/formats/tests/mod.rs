//! Files of every format, whole and broken.

mod archives;
mod broken;
mod dumps;
mod lines;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod warc;

use super::*;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// A folder of files made by a test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// What is read of a file with that content.
    fn read(&self, name: &str, content: impl AsRef<[u8]>, format: &Format, limits: &Limits) -> Found {
        read(&self.file(name, content), format, limits)
    }
}

/// What was read.
#[derive(Debug, PartialEq)]
struct Found {
    documents: Vec<Document>,
    damage: Vec<Damage>,
}

impl Found {
    fn texts(&self) -> Vec<&str> {
        self.documents.iter().map(|document| document.text.as_str()).collect()
    }

    fn ids(&self) -> Vec<&str> {
        self.documents.iter().map(|document| document.id.as_str()).collect()
    }

    fn rules(&self) -> Vec<&str> {
        self.damage.iter().map(|damage| damage.rule).collect()
    }
}

fn read(path: &Path, format: &Format, limits: &Limits) -> Found {
    collect(open(&Input::new(path), format, limits).unwrap())
}

fn collect(reads: Reads) -> Found {
    let mut found = Found { documents: Vec::new(), damage: Vec::new() };
    for read in reads {
        match read.unwrap() {
            Read::Document(document) => found.documents.push(document),
            Read::Damage(damage) => found.damage.push(damage),
        }
    }
    found
}

fn text(paragraphs: bool) -> Format {
    Format::Text { paragraphs }
}

fn jsonl() -> Format {
    Format::Jsonl { text: "text".into(), id: "id".into() }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    structured_zstd::encoding::compress_slice_to_vec(content, structured_zstd::encoding::CompressionLevel::Fastest)
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;
/// Every packing, by its ending.
const PACKINGS: [(&str, Pack); 4] = [("", <[u8]>::to_vec), (".gz", gzip), (".zst", zstd), (".bz2", bzip2)];

#[test]
fn formats_are_told_by_name() {
    let cases = [
        ("a/b.jsonl", Some("jsonl")),
        ("b.NDJSON.zst", Some("jsonl")),
        ("b.parquet", Some("parquet")),
        ("b.tar", Some("tar")),
        ("b.tar.bz2", Some("tar")),
        ("b.TGZ", Some("tar")),
        ("arXiv_src_2101_001.tar", Some("arxiv")),
        ("CC-MAIN-2026-00001.warc.gz", Some("warc")),
        ("CC-MAIN-2026-00001.warc.wet.gz", Some("warc")),
        ("enwiki-20260101-pages-articles.xml.bz2", Some("wikipedia")),
        ("enwiki-latest-pages-articles1.xml-p1p41242.bz2", Some("wikipedia")),
        ("Posts.xml", Some("stack_exchange")),
        ("stackoverflow.com-Posts.xml.zst", Some("stack_exchange")),
        ("other.xml", Some("text")),
        ("README", Some("text")),
        ("a.rs.gz", Some("text")),
        ("a.exe", None),
        ("a", None),
        ("", None),
    ];
    for (name, kind) in cases {
        assert_eq!(Format::of(Path::new(name)).map(|format| format.kind()), kind, "{name}");
    }
}

#[test]
fn formats_are_written_in_recipes() {
    let read = |toml: &str| toml::from_str::<Format>(toml);
    assert_eq!(read("kind = \"jsonl\"").unwrap(), jsonl());
    assert_eq!(read("kind = \"jsonl\"\ntext = \"content\"").unwrap(), Format::Jsonl { text: "content".into(), id: "id".into() });
    assert_eq!(read("kind = \"text\"\nparagraphs = true").unwrap(), text(true));
    assert_eq!(read("kind = \"stack_exchange\"").unwrap(), Format::StackExchange { site: None });
    assert!(read("kind = \"warc\"\nfield = 1").is_err() && read("kind = \"csv\"").is_err());
    assert_eq!(toml::from_str::<Limits>("ratio = 10").unwrap(), Limits { ratio: 10, ..Limits::default() });
    assert!(toml::from_str::<Limits>("bytes = 10").is_err());
}

#[test]
fn folders_globs_and_files_are_found() {
    let folder = Folder::new();
    for name in ["b.txt", "x/Posts.xml", "y/Posts.xml", "deep/c.jsonl.gz", "deep/.hidden/d.txt", "e.bin"] {
        folder.file(name, "x");
    }
    let root = folder.0.path().display().to_string();
    let names = |paths: &[String], format: Option<&Format>| {
        let found = expand(paths, format).unwrap();
        found.into_iter().map(|input| input.name.replace(&root, "ROOT").replace('\\', "/")).collect::<Vec<_>>()
    };
    assert_eq!(names(std::slice::from_ref(&root), None), ["b.txt", "deep/c.jsonl.gz", "x/Posts.xml", "y/Posts.xml"]);
    assert_eq!(names(std::slice::from_ref(&root), Some(&jsonl())), ["deep/c.jsonl.gz"]);
    assert_eq!(names(&[format!("{root}/*.bin"), format!("{root}/e.bin")], None), ["e.bin"]);
    assert_eq!(names(&[format!("{root}/*/Posts.xml")], None), ["x/Posts.xml", "y/Posts.xml"]);
    let two = [format!("{root}/x"), format!("{root}/y")];
    assert_eq!(names(&two, None), ["ROOT/x/Posts.xml", "ROOT/y/Posts.xml"]);
    let error = |path: String| expand(&[path], Some(&Format::Warc {})).unwrap_err().to_string();
    assert!(error(format!("{root}/*.none")).contains("no file matches"));
    assert!(error(format!("{root}/none")).contains("no such file"));
    let empty = error(format!("{root}/deep"));
    assert!(empty.contains("no file matches") && empty.contains("warc"), "{empty}");
}

#[test]
fn files_that_cannot_be_opened_are_errors_that_name_them() {
    let folder = Folder::new();
    for format in [text(false), text(true), jsonl(), Format::Tar { endings: Vec::new() }, Format::Warc {}, Format::Wikipedia {}] {
        let missing = open(&Input::new(&folder.0.path().join("none.gz")), &format, &Limits::default()).err().unwrap().to_string();
        assert!(missing.contains("none.gz") && missing.contains("cannot open"), "{missing}");
        let is_folder = open(&Input::new(folder.0.path()), &format, &Limits::default()).err().unwrap().to_string();
        assert!(is_folder.contains("is a folder"), "{is_folder}");
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_so() {
    let format = Format::Parquet { text: "text".into(), id: "id".into(), columns: None };
    let error = open(&Input::new(Path::new("a.parquet")), &format, &Limits::default()).err().unwrap().to_string();
    assert!(error.contains("--features parquet"), "{error}");
}
