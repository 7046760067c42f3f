//! From paths, globs and folders to files, and from files to bytes.

use crate::{
    data::pipeline::formats::zstd,
    settings::{Error, Result},
};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// What kind of files a folder is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Kind {
    /// Prose, markup and source code.
    Text,
    /// One JSON object per line.
    Jsonl,
    /// Ids.
    Tokens,
}

/// Endings that a folder of text is searched for, `.gz` and `.zst` after them included.
const TEXT: &[&str] = &[
    "txt", "text", "md", "markdown", "rst", "adoc", "org", "tex", "html", "htm", "xml", "rs", "py", "c", "h", "cc", "cpp", "hpp", "cu",
    "go", "java", "kt", "scala", "js", "ts", "jsx", "tsx", "css", "sh", "rb", "php", "pl", "lua", "jl", "r", "m", "hs", "ml", "ex", "erl",
    "clj", "swift", "cs", "sql", "zig",
];
const JSONL: &[&str] = &["jsonl", "ndjson"];
const TOKENS: &[&str] = &["bin", "npy"];

impl Kind {
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Text => TEXT,
            Self::Jsonl => JSONL,
            Self::Tokens => TOKENS,
        }
    }
}

/// The files behind paths, globs and folders: sorted, each once.
///
/// A folder is searched in depth for the endings of its kind; hidden entries and links to folders are passed over. A
/// file that is named, or matched by a glob, is taken whatever its ending.
///
/// # Errors
///
/// A path that does not exist, a pattern that is none or that nothing matches.
pub(in crate::data) fn expand(paths: &[String], kind: Kind) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        let plain = Path::new(path);
        if plain.is_dir() {
            search(plain, kind, &mut files)?;
        } else if plain.is_file() {
            files.push(plain.to_path_buf());
        } else if path.contains(['*', '?', '[']) {
            let help = "patterns are *, **, ? and [abc]";
            let matches = glob::glob(path).map_err(|error| Error::input(path, format!("not a pattern: {error}"), help))?;
            for found in matches {
                let found = found.map_err(|error| Error::Io { action: "read", path: error.path().into(), source: error.into() })?;
                if found.is_dir() {
                    search(&found, kind, &mut files)?;
                } else {
                    files.push(found);
                }
            }
        } else {
            return Err(Error::input(path, "there is no such file or folder", "check the path in data.corpus.paths"));
        }
        if files.len() == before {
            let endings = kind.endings().join(" .");
            let help =
                format!("a folder is searched for .{endings} (of text and lines, .gz and .zst too); other files can be named or matched");
            return Err(Error::input(path, "no file matches", help));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn search(folder: &Path, kind: Kind, files: &mut Vec<PathBuf>) -> Result<()> {
    let wanted = kind.endings();
    let entries = std::fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read the folder", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let linked = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if !linked {
                search(&path, kind, files)?;
            }
        } else if path.is_file() {
            let lower = name.to_lowercase();
            let unpacked = lower.strip_suffix(".gz").or_else(|| lower.strip_suffix(".zst"));
            let inner = unpacked.filter(|_| kind != Kind::Tokens).unwrap_or(&lower);
            let taken = match inner.rsplit_once('.') {
                Some((_, ending)) => wanted.contains(&ending),
                None => kind == Kind::Text && inner == "readme",
            };
            if taken {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// The content of a file; `.gz` and `.zst` are unpacked.
///
/// # Errors
///
/// Unreadable or broken files.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let raw = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => {
            flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut bytes).map_err(Error::io("unpack", path))?;
        }
        Some("zst") => {
            zstd(raw.as_slice()).read_to_end(&mut bytes).map_err(Error::io("unpack", path))?;
        }
        _ => bytes = raw,
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn folders_globs_and_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("deep/.hidden")).unwrap();
        for name in ["b.txt", "a.md.gz", "deep/c.rs", "deep/.hidden/d.txt", "e.bin", "f.jsonl"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let names = |paths: &[String], kind| {
            let files = expand(paths, kind).unwrap();
            files.iter().map(|f| f.strip_prefix(folder.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        let root = folder.path().display().to_string();
        assert_eq!(names(std::slice::from_ref(&root), Kind::Text), ["a.md.gz", "b.txt", "deep/c.rs"]);
        assert_eq!(names(std::slice::from_ref(&root), Kind::Jsonl), ["f.jsonl"]);
        assert_eq!(names(&[format!("{root}/*.bin"), format!("{root}/e.bin")], Kind::Text), ["e.bin"]);
        assert!(expand(&[format!("{root}/*.none")], Kind::Text).unwrap_err().to_string().contains("no file matches"));
        assert!(expand(&[format!("{root}/none")], Kind::Text).unwrap_err().to_string().contains("no such file"));
    }

    #[test]
    fn compressed_files_are_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let text = "some text\n".repeat(500);
        let gz = folder.path().join("a.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        std::fs::write(&gz, [packed.clone(), packed.clone()].concat()).unwrap();
        assert_eq!(read_bytes(&gz).unwrap(), text.repeat(2).as_bytes());

        let zst = folder.path().join("a.zst");
        let packed =
            structured_zstd::encoding::compress_slice_to_vec(text.as_bytes(), structured_zstd::encoding::CompressionLevel::Fastest);
        std::fs::write(&zst, [packed.clone(), packed].concat()).unwrap();
        assert_eq!(read_bytes(&zst).unwrap(), text.repeat(2).as_bytes());
        std::fs::write(&gz, b"not gzip").unwrap();
        assert!(read_bytes(&gz).unwrap_err().to_string().contains("a.gz"));
    }
}
