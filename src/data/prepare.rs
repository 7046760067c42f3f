//! From a specification to shards in the cache, made once.

use super::{
    DataSpec, Progress, Tokenizer, cache, corpus,
    shards::{self, FORMAT, Manifest, Shard},
};
use crate::settings::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// A folder of shards, opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub manifest: Manifest,
    pub train: Shard,
    pub validation: Shard,
    pub tokenizer: Tokenizer,
}

/// Opens the shards of a specification, making them first if they are missing or damaged.
///
/// A file lock lets one process at a time make the same shards; the others wait and then find them.
pub(super) fn open_or_make(spec: &DataSpec, cache: &Path, progress: Progress<'_>) -> Result<Opened> {
    let key = key(spec);
    let all = cache.join("shards");
    let folder = all.join(&key);
    if let Ok(opened) = open(&folder, &key) {
        return Ok(opened);
    }
    cache::create_folder(&all)?;
    let lock = all.join(format!("{key}.lock"));
    let file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(Error::io("create", &lock))?;
    if file.try_lock().is_err() {
        progress("waiting for another process", 0, 1);
        file.lock().map_err(Error::io("lock", &lock))?;
    }
    if let Ok(opened) = open(&folder, &key) {
        return Ok(opened);
    }
    let temporary = tempfile::Builder::new().prefix(".making-").tempdir_in(&all).map_err(Error::io("create a folder in", &all))?;
    make(spec, &key, temporary.path(), cache, progress)?;
    if folder.exists() {
        // Damaged: nobody else removes it while the lock is held.
        std::fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
    }
    let made: PathBuf = temporary.keep();
    std::fs::rename(&made, &folder).map_err(Error::io("rename", &made))?;
    open(&folder, &key)
}

/// Hash of everything that the shards depend on.
fn key(spec: &DataSpec) -> String {
    // Paths are left out: the fingerprint stands for the content of the files.
    let (kind, field) = match &spec.corpus {
        super::CorpusConfig::Crates {} => ("crates", ""),
        super::CorpusConfig::Text { .. } => ("text", ""),
        super::CorpusConfig::Jsonl { field, .. } => ("jsonl", field.as_str()),
        super::CorpusConfig::Synthetic(_) => ("synthetic", ""),
        super::CorpusConfig::Batches { .. } => ("batches", ""),
    };
    let tokenizer = match &spec.tokenizer {
        super::TokenizerConfig::File { .. } => "file".to_string(),
        other => serde_json::to_string(other).expect("plain data"),
    };
    let parts = (FORMAT, kind, field, tokenizer, spec.vocab, spec.train_bytes, spec.validation_bytes, &spec.fingerprint);
    cache::hex(&Sha256::digest(serde_json::to_vec(&parts).expect("plain data")))
}

fn open(folder: &Path, key: &str) -> Result<Opened> {
    let path = folder.join("manifest.json");
    let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let broken = || Error::input(path.display(), "not the manifest of these shards", "delete its folder: the shards are made again");
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    if manifest.format != FORMAT || manifest.key != key || manifest.tokenizer != tokenizer_hash(folder) {
        return Err(broken());
    }
    Ok(Opened {
        train: Shard::open(&folder.join("train.bin"), &manifest.train, manifest.width)?,
        validation: Shard::open(&folder.join("valid.bin"), &manifest.validation, manifest.width)?,
        tokenizer: Tokenizer::load(folder)?,
        manifest,
    })
}

fn make(spec: &DataSpec, key: &str, folder: &Path, cache: &Path, progress: Progress<'_>) -> Result<()> {
    let fingerprint = spec.corpus_and_tokenizer_fingerprint(cache)?;
    if fingerprint != spec.fingerprint {
        let help = "plan again with the files as they are, or bring the old ones back";
        return Err(Error::input("data.corpus", "files of the corpus or the tokenizer have changed since this run was planned", help));
    }
    let mut corpus = corpus::read(&spec.corpus, progress)?;
    corpus.limit(spec.train_bytes, spec.validation_bytes);
    progress("training the tokenizer", 0, 1);
    let tokenizer = Tokenizer::create(&spec.tokenizer, &corpus.train)?;
    tokenizer.save(folder)?;

    let total = corpus.train_bytes() + corpus.held_out_bytes();
    let done = AtomicU64::new(0);
    let count = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
    };
    let encode = |documents: &[corpus::Document]| {
        let mut encoded = Vec::with_capacity(documents.len());
        for chunk in documents.chunks(2048) {
            progress("encoding", done.load(Ordering::Relaxed), total);
            encoded.extend(tokenizer.encode_all(chunk, &count));
        }
        encoded
    };
    let (train, validation) = (encode(&corpus.train), encode(&corpus.validation));
    progress("encoding", total, total);
    let width = shards::width(spec.vocab.max(tokenizer.vocab()));
    let bos = tokenizer.bos();
    let manifest = Manifest {
        format: FORMAT,
        key: key.into(),
        width,
        vocab: tokenizer.vocab(),
        tokenizer: tokenizer_hash(folder),
        train: shards::write(&folder.join("train.bin"), &train, bos, corpus.train_bytes(), width)?,
        validation: shards::write(&folder.join("valid.bin"), &validation, bos, corpus.held_out_bytes(), width)?,
    };
    let text = serde_json::to_string_pretty(&manifest).expect("plain data");
    cache::write_whole(&folder.join("manifest.json"), text.as_bytes())
}

fn tokenizer_hash(folder: &Path) -> String {
    let mut hash = Sha256::new();
    for name in ["tokenizer.meta.json", "tokenizer.json"] {
        hash.update(std::fs::read(folder.join(name)).unwrap_or_default());
        hash.update([0]);
    }
    cache::hex(&hash.finalize())
}
