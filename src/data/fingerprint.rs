//! What a corpus is, as a hash of its content; files are read again only when their size or modification time changes.

use super::{
    CorpusConfig, TokenizerConfig, cache,
    corpus::{Kind, crates_fingerprint, expand},
    mixture::SourceConfig,
    recipe,
    shards::Tokens,
    spec::CratesPart,
};
use crate::settings::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// Version of what turns files into documents: raised whenever the same files may give other text or another split.
const SELECTION: u32 = 1;

/// What is known of a file: valid while size and time stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    /// Modification time, nanoseconds since 1970.
    modified: u128,
    sha256: String,
}

/// SHA-256 of the content of a corpus: of the manifest, or of the names (without folders) and contents of its files, and of
/// the version of what selects documents from them. Of token files, which may be too large to read, lengths and samples.
///
/// # Errors
///
/// Missing or unreadable files.
pub(super) fn corpus(config: &CorpusConfig, cache: &Path) -> Result<String> {
    let content = match config {
        CorpusConfig::Crates { part } => format!("{}{}", crates_fingerprint(), suffix(*part)),
        CorpusConfig::Text { paths } => files(&expand(paths, Kind::Text)?, cache)?,
        CorpusConfig::Jsonl { paths, .. } => files(&expand(paths, Kind::Jsonl)?, cache)?,
        CorpusConfig::Shards { paths, held_out, .. } => {
            let all = |paths: &[String]| -> Result<String> {
                let checks: Vec<String> =
                    expand(paths, Kind::Tokens)?.iter().map(|path| Tokens::open(path)?.check(path)).collect::<Result<_>>()?;
                Ok(checks.join(" "))
            };
            format!("{} | {}", all(paths)?, all(held_out)?)
        }
        CorpusConfig::Recipe { path, without, steps } => {
            let contents = |paths: &[PathBuf]| contents(paths, cache);
            recipe::of_file(Path::new(path), without, steps, &contents)?.fingerprint(&contents)?
        }
        CorpusConfig::Mixture(mixture) => {
            let part = |(name, source): (&String, &SourceConfig)| Ok(format!("{name} {}", corpus(&source.corpus, cache)?));
            mixture.sources.iter().map(part).collect::<Result<Vec<_>>>()?.join(" ")
        }
        CorpusConfig::Synthetic(synthetic) => return Ok(synthetic.fingerprint()),
        CorpusConfig::Batches { path } => files(&[PathBuf::from(path)], cache)?,
    };
    Ok(cache::hex(&Sha256::digest(format!("{SELECTION} {content}"))))
}

/// SHA-256 of the file of an imported tokenizer.
///
/// # Errors
///
/// A missing or unreadable file.
pub(super) fn tokenizer(config: &TokenizerConfig, cache: &Path) -> Result<Option<String>> {
    match config {
        TokenizerConfig::File { path } => files(&[PathBuf::from(path)], cache).map(Some),
        _ => Ok(None),
    }
}

/// What distinguishes a part of the default corpus from all of it.
fn suffix(part: CratesPart) -> &'static str {
    match part {
        CratesPart::All => "",
        CratesPart::Code => " code",
        CratesPart::Prose => " prose",
    }
}

/// SHA-256 of names and contents.
fn files(paths: &[PathBuf], cache: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for (path, content) in paths.iter().zip(contents(paths, cache)?) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hash.update(format!("{name}\0{content}\0"));
    }
    Ok(cache::hex(&hash.finalize()))
}

/// SHA-256 of the content of each file.
///
/// # Errors
///
/// Missing or unreadable files.
pub(super) fn contents(paths: &[PathBuf], cache: &Path) -> Result<Vec<String>> {
    let mut list = Sha256::new();
    paths.iter().for_each(|path| list.update(format!("{}\0", path.display())));
    let memory = cache.join("fingerprints").join(format!("{}.json", cache::hex(&list.finalize())));
    let known: BTreeMap<PathBuf, Known> =
        std::fs::read(&memory).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let looked: Vec<(Known, bool)> = paths.par_iter().map(|path| look(path, known.get(path))).collect::<Result<_>>()?;

    // Not being able to remember is no reason to fail.
    if looked.iter().any(|(_, fresh)| *fresh) && cache::create_folder(&cache.join("fingerprints")).is_ok() {
        let all: BTreeMap<&PathBuf, &Known> = paths.iter().zip(looked.iter().map(|(known, _)| known)).collect();
        let _ = cache::write_whole(&memory, serde_json::to_string(&all).expect("plain data").as_bytes());
    }
    Ok(looked.into_iter().map(|(known, _)| known.sha256).collect())
}

/// What is known of a file, and whether it had to be read for that.
fn look(path: &Path, known: Option<&Known>) -> Result<(Known, bool)> {
    let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
    let time = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let (bytes, modified) = (metadata.len(), time.map_or(0, |time| time.as_nanos()));
    match known {
        Some(known) if modified != 0 && known.bytes == bytes && known.modified == modified => Ok((known.clone(), false)),
        _ => {
            let sha256 = cache::sha256(path).map_err(Error::io("read", path))?;
            Ok((Known { bytes, modified, sha256 }, true))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_and_name_count_and_the_folder_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            path
        };
        let (a, b) = (write("a/x.txt", "one"), write("b/x.txt", "one"));
        let first = files(std::slice::from_ref(&a), &cache).unwrap();
        assert_eq!(first, files(std::slice::from_ref(&a), &cache).unwrap());
        assert_eq!(first, files(&[b], &cache).unwrap());
        assert_ne!(first, files(&[write("a/y.txt", "one")], &cache).unwrap());
        write("a/x.txt", "three");
        assert_ne!(first, files(&[a], &cache).unwrap());
        assert!(files(&[folder.path().join("none")], &cache).unwrap_err().to_string().contains("none"));
    }
}
