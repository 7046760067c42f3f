//! The default corpus: sources and docs of crates that Cargo has already put on this machine.
//!
//! The embedded manifest names archives by SHA-256, so the text is the same on every machine and does not change when
//! the lock file does. Archives are verified and unpacked in memory.

use super::{
    filter::{natural, wanted_name},
    split::{Corpus, Document},
};
use crate::{
    data::{Progress, cache},
    settings::{Error, Result},
};
use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    io::Read,
    path::{Path, PathBuf},
    sync::OnceLock,
};

const MANIFEST: &str = include_str!("../../../configs/corpora/crates.toml");

/// The list of crate archives that make up the default corpus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the corpus; results of different versions cannot be compared.
    pub version: u32,
    /// The archives.
    #[serde(rename = "crate")]
    pub crates: Vec<CrateEntry>,
}

/// One crate of the manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrateEntry {
    /// Name in the registry.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the archive, as in `Cargo.lock`.
    pub sha256: String,
    /// SPDX expression.
    pub licence: String,
    /// Owner of the repository; a family is in one split only.
    pub family: String,
    /// `train` or `validation`.
    pub split: Split,
}

/// Which part of the corpus a family belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Training text.
    Train,
    /// Validation text.
    Validation,
}

/// SHA-256 of the embedded manifest.
pub(in crate::data) fn fingerprint() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| cache::hex(&Sha256::digest(MANIFEST.as_bytes()))).clone()
}

/// Cargo's folders of downloaded archives, one per registry: below `$CARGO_HOME`, else `~/.cargo`.
pub(super) fn registry_caches() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let Some(home) = home.or_else(|| cache::home().map(|folder| folder.join(".cargo"))) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(home.join("registry").join("cache")) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

impl Manifest {
    /// The manifest in this binary.
    pub fn embedded() -> &'static Self {
        static PARSED: OnceLock<Manifest> = OnceLock::new();
        PARSED.get_or_init(|| toml::from_str(MANIFEST).expect("the embedded manifest is tested"))
    }

    /// Reads every archive from the first of `folders` that holds it with the right content.
    pub(super) fn read(&self, folders: &[PathBuf], progress: Progress<'_>) -> Result<Corpus> {
        let total = self.crates.len() as u64;
        let mut documents = Vec::new();
        // Chunks, so that progress can be told from this thread.
        for (index, chunk) in self.crates.chunks(16).enumerate() {
            progress("reading crates", 16 * index as u64, total);
            let read: Vec<Vec<Document>> = chunk.par_iter().map(|entry| entry.read(folders)).collect::<Result<_>>()?;
            documents.extend(chunk.iter().zip(read).flat_map(|(entry, read)| read.into_iter().map(|document| (entry.split, document))));
        }
        progress("reading crates", total, total);
        // A file that is in both parts stays in the training part only: training text comes first.
        documents.sort_by(|(a, x), (b, y)| (*a == Split::Validation, &x.name).cmp(&(*b == Split::Validation, &y.name)));
        let mut seen = HashSet::new();
        documents.retain(|(_, document)| seen.insert(document.hash));
        let (validation, train): (Vec<_>, Vec<_>) = documents.into_iter().partition(|(split, _)| *split == Split::Validation);
        let plain = |part: Vec<(Split, Document)>| part.into_iter().map(|(_, document)| document).collect();
        Ok(Corpus::shuffled(plain(train), plain(validation)))
    }
}

impl CrateEntry {
    /// Name of the archive.
    pub fn archive(&self) -> String {
        format!("{}-{}.crate", self.name, self.version)
    }

    fn read(&self, folders: &[PathBuf]) -> Result<Vec<Document>> {
        let (path, bytes) = self.verified(folders)?;
        unpack(&bytes).map_err(|source| Error::Io { action: "unpack", path, source })
    }

    fn verified(&self, folders: &[PathBuf]) -> Result<(PathBuf, Vec<u8>)> {
        let help = "run `cargo fetch` in the checkout of ablate, or name a corpus of your own with data.corpus.kind = \"text\"";
        let mut altered = None;
        for path in folders.iter().map(|folder| folder.join(self.archive())).filter(|path| path.is_file()) {
            let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
            if cache::hex(&Sha256::digest(&bytes)) == self.sha256 {
                return Ok((path, bytes));
            }
            altered.get_or_insert(path);
        }
        Err(match altered {
            Some(path) => Error::input(
                path.display(),
                "this archive of the default corpus is not the one that the manifest names (its SHA-256 differs)",
                format!("delete it and {help}"),
            ),
            None => {
                let place = folders.first().map_or_else(|| Path::new("$CARGO_HOME/registry/cache").to_path_buf(), Clone::clone);
                Error::input(place.join(self.archive()).display(), "this archive of the default corpus is not in Cargo's cache", help)
            }
        })
    }
}

/// The natural text files of an archive.
fn unpack(bytes: &[u8]) -> std::io::Result<Vec<Document>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let mut documents = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() || !wanted_name(&name) {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if let Ok(text) = String::from_utf8(content)
            && natural(&name, &text)
        {
            documents.push(Document::new(name, text));
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, name, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn entry(name: &str, bytes: &[u8], split: Split) -> CrateEntry {
        CrateEntry {
            name: name.into(),
            version: "1.0.0".into(),
            sha256: cache::hex(&Sha256::digest(bytes)),
            licence: "MIT".into(),
            family: name.into(),
            split,
        }
    }

    #[test]
    fn archives_are_verified_filtered_and_deduplicated() {
        let folder = tempfile::tempdir().unwrap();
        let one = archive(&[
            ("one-1.0.0/src/lib.rs", b"fn one() {}\n"),
            ("one-1.0.0/copy.rs", b"fn one() {}\n"),
            ("one-1.0.0/bad.md", b"\xff\xfe"),
            ("one-1.0.0/Cargo.toml", b"[package]\n"),
        ]);
        let two = archive(&[("two-1.0.0/src/lib.rs", b"fn one() {}\n"), ("two-1.0.0/README.md", b"# Two\n")]);
        std::fs::write(folder.path().join("one-1.0.0.crate"), &one).unwrap();
        std::fs::write(folder.path().join("two-1.0.0.crate"), &two).unwrap();
        let manifest = Manifest { version: 1, crates: vec![entry("two", &two, Split::Validation), entry("one", &one, Split::Train)] };
        let folders = [folder.path().to_path_buf()];
        let corpus = manifest.read(&folders, &|_, _, _| ()).unwrap();
        assert_eq!(corpus.train.iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), ["fn one() {}\n"]);
        assert_eq!(corpus.validation.iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), ["# Two\n"]);

        std::fs::write(folder.path().join("one-1.0.0.crate"), &two).unwrap();
        let error = manifest.read(&folders, &|_, _, _| ()).unwrap_err().to_string();
        assert!(error.contains("one-1.0.0.crate") && error.contains("SHA-256") && error.contains("cargo fetch"), "{error}");
        std::fs::remove_file(folder.path().join("one-1.0.0.crate")).unwrap();
        let error = manifest.read(&folders, &|_, _, _| ()).unwrap_err().to_string();
        assert!(error.contains("one-1.0.0.crate") && error.contains("not in Cargo's cache"), "{error}");
        assert!(error.contains("data.corpus.kind = \"text\""), "{error}");
    }
}
