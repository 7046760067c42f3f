//! From a specification to shards in the cache, made once.

use super::{
    CorpusConfig, DataSpec, Extent, Progress, Tokenizer, TokenizerConfig, Validation, WAITING, cache,
    corpus::{self, Corpus, Document, Kind, expand},
    recipe,
    shards::{self, FORMAT, Manifest, Named, Shard, Tokens, tokenizer_hash},
};
use crate::{
    files::Lock,
    settings::{Error, Result},
};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Training tokens of one source.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name in a mixture; empty where there is one source.
    pub name: String,
    /// Its files, with where documents start if that is known.
    pub files: Vec<Tokens>,
    /// How much it holds; of token files of other programs, tokens alone.
    pub extent: Extent,
}

/// What was prepared, opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// What is trained on, by the order of names.
    pub sources: Vec<Source>,
    /// What validation scores.
    pub validation: Validation,
    /// How much that is.
    pub held_out: Extent,
    /// Text to ids.
    pub tokenizer: Tokenizer,
}

/// Opens the shards of a specification, making them first if they are missing or damaged.
///
/// A file lock lets one process at a time make the same shards; the others wait and then find them.
pub(super) fn open_or_make(spec: &DataSpec, cache: &Path, progress: Progress<'_>) -> Result<Opened> {
    let key = key(spec);
    let all = cache.join("shards");
    let folder = all.join(&key);
    if let Ok(opened) = open(spec, &folder, &key) {
        return Ok(opened);
    }
    cache::create_folder(&all)?;
    let lock = all.join(format!("{key}.lock"));
    let _lock = Lock::wait(&lock, || progress(WAITING, 0, 1)).map_err(Error::io("create", &lock))?;
    if let Ok(opened) = open(spec, &folder, &key) {
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
    open(spec, &folder, &key)
}

/// Hash of everything that the shards depend on.
fn key(spec: &DataSpec) -> String {
    // Paths and weights are left out: the fingerprint stands for the content of the files, and how often each is read is no
    // matter of the shards.
    let part = |(name, corpus): (&str, &CorpusConfig)| match corpus {
        CorpusConfig::Crates { part } => format!("{name} crates {part:?}"),
        CorpusConfig::Text { .. } => format!("{name} text"),
        CorpusConfig::Jsonl { field, .. } => format!("{name} jsonl {field}"),
        CorpusConfig::Shards { opening, .. } => format!("{name} shards {opening:?}"),
        // What it says is part of the fingerprint.
        CorpusConfig::Recipe { .. } => format!("{name} recipe"),
        CorpusConfig::Mixture(_) | CorpusConfig::Synthetic(_) | CorpusConfig::Batches { .. } => unreachable!("no part of a text"),
    };
    let of = |corpus: &CorpusConfig| corpus.parts().into_iter().map(part).collect::<Vec<_>>();
    let tokenizer = match &spec.tokenizer {
        TokenizerConfig::File { .. } => "file".to_string(),
        other => serde_json::to_string(other).expect("plain data"),
    };
    let texts = (of(&spec.corpus), spec.validation.as_ref().map(of));
    let parts = (FORMAT, texts, tokenizer, spec.vocab, spec.train_bytes, spec.validation_bytes, &spec.fingerprint);
    cache::hex(&Sha256::digest(serde_json::to_vec(&parts).expect("plain data")))
}

fn open(spec: &DataSpec, folder: &Path, key: &str) -> Result<Opened> {
    let broken = || Error::input(folder.display(), "holds no manifest of these shards", "delete it: the shards are made again");
    let manifest = Manifest::beside(folder)?.ok_or_else(broken)?;
    if manifest.key != key || manifest.tokenizer != tokenizer_hash(folder) {
        return Err(broken());
    }
    let mut sources = vec![];
    for (name, corpus) in spec.corpus.parts() {
        if let CorpusConfig::Shards { paths, .. } = corpus {
            sources.push(in_place(name, paths, spec.vocab)?);
            continue;
        }
        let part = manifest.train.iter().find(|part| part.source == name).ok_or_else(broken)?;
        let shard = Shard::open(folder, part, manifest.width)?;
        let extent = Extent { documents: part.documents, bytes: part.bytes, tokens: part.tokens };
        sources.push(Source { name: name.into(), files: vec![Tokens { ids: shard.ids, index: Some(shard.index) }], extent });
    }
    let held = manifest.validation.as_ref().ok_or_else(broken)?;
    let validation = Shard::open(folder, held, manifest.width)?;
    Ok(Opened {
        sources,
        validation: Validation { tokens: validation.ids.read(0, validation.tokens()), bytes: held.bytes },
        held_out: Extent { documents: held.documents, bytes: held.bytes, tokens: held.tokens },
        tokenizer: Tokenizer::load(folder)?,
    })
}

/// Token files, read where they lie. Ids are looked at here and there: a file of another tokenizer shows itself soon.
fn in_place(name: &str, paths: &[String], vocab: usize) -> Result<Source> {
    let mut source = Source { name: name.into(), files: vec![], extent: Extent { documents: 0, bytes: 0, tokens: 0 } };
    for path in token_files(paths)? {
        let tokens = Tokens::open(&path)?;
        let count = tokens.ids.len();
        for at in (0..count).step_by((count / 64).max(1)) {
            let highest = tokens.ids.read(at, 1024.min(count - at)).into_iter().max().unwrap_or_default();
            if highest as usize >= vocab {
                let message = format!("holds the id {highest}, and the tokenizer has {vocab}");
                return Err(Error::input(path.display(), message, "name the tokenizer that made these tokens as data.tokenizer.path"));
            }
        }
        source.extent.documents += tokens.index.as_ref().map_or(0, |index| index.documents() as u64);
        source.extent.tokens += count as u64;
        source.files.push(tokens);
    }
    Ok(source)
}

/// Token files of paths. Of a folder with a manifest none may be missing.
fn token_files(paths: &[String]) -> Result<Vec<PathBuf>> {
    let files = expand(paths, Kind::Tokens)?;
    for folder in paths.iter().map(Path::new).filter(|path| path.is_dir()) {
        for part in Manifest::beside(folder)?.iter().flat_map(|manifest| &manifest.train) {
            let path = folder.join(format!("{}.bin", part.name));
            if !files.contains(&path) {
                let help = "make the shards again, or name the files that are there instead of the folder";
                return Err(Error::input(path.display(), "the file is missing, and its manifest names it", help));
            }
        }
    }
    Ok(files)
}

/// Compares token files that a manifest stands beside with all that it says of them.
fn verify(paths: &[String]) -> Result<()> {
    token_files(paths)?.iter().try_for_each(|path| shards::recorded(path)?.map_or(Ok(()), |part| part.verify_whole(path)))
}

/// What is read of a specification before it is tokenised.
struct Texts {
    /// Training documents of the sources that are text, by name.
    train: Vec<(String, Vec<Document>)>,
    /// Documents that are held out, where they are text.
    validation: Vec<Document>,
}

/// Reads a corpus of text and splits it; a recipe is built first.
pub(super) fn read_corpus(config: &CorpusConfig, cache: &Path, progress: Progress<'_>) -> Result<Corpus> {
    match config {
        CorpusConfig::Recipe { path, without, steps } => recipe::read(Path::new(path), without, steps, cache, progress),
        other => corpus::read(other, progress),
    }
}

fn read(spec: &DataSpec, cache: &Path, progress: Progress<'_>) -> Result<Texts> {
    let mut texts = Texts { train: vec![], validation: vec![] };
    for (name, corpus) in spec.corpus.parts() {
        if matches!(corpus, CorpusConfig::Shards { .. }) {
            continue;
        }
        let mut read = read_corpus(corpus, cache, progress)?;
        read.limit_train(spec.train_bytes);
        if read.train.is_empty() {
            return Err(Error::input("data.corpus", format!("there is no training text in {name}"), "name more text"));
        }
        texts.train.push((name.into(), read.train));
        texts.validation.extend(read.validation);
    }
    if let Some(validation) = spec.validation.as_ref().filter(|validation| !matches!(validation, CorpusConfig::Shards { .. })) {
        texts.validation = read_corpus(validation, cache, progress)?.validation;
    } else if spec.validation.is_some() {
        texts.validation.clear();
    }
    corpus::limit_validation(&mut texts.validation, spec.validation_bytes);
    Ok(texts)
}

fn make(spec: &DataSpec, key: &str, folder: &Path, cache: &Path, progress: Progress<'_>) -> Result<()> {
    let fingerprint = spec.corpus_and_tokenizer_fingerprint(cache)?;
    if fingerprint != spec.fingerprint {
        let help = "plan again with the files as they are, or bring the old ones back";
        return Err(Error::input("data.corpus", "files of the corpus or the tokenizer have changed since this run was planned", help));
    }
    // Once: later only blocks of them are looked at.
    for (_, corpus) in spec.corpus.parts().into_iter().chain(spec.validation.iter().flat_map(CorpusConfig::parts)) {
        if let CorpusConfig::Shards { paths, held_out, .. } = corpus {
            progress("checking token files", 0, 1);
            verify(paths).and_then(|()| verify(held_out))?;
        }
    }
    let texts = read(spec, cache, progress)?;
    progress("training the tokenizer", 0, 1);
    let tokenizer = match texts.train.as_slice() {
        [(_, only)] => Tokenizer::create(&spec.tokenizer, only)?,
        several => Tokenizer::create(&spec.tokenizer, &dealt(several))?,
    };
    tokenizer.save(folder)?;

    let bytes = |documents: &[Document]| documents.iter().map(|document| document.text.len() as u64).sum::<u64>();
    let total = texts.train.iter().map(|(_, documents)| bytes(documents)).sum::<u64>() + bytes(&texts.validation);
    let done = AtomicU64::new(0);
    let count = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
    };
    let encode = |documents: &[Document]| {
        let mut encoded = Vec::with_capacity(documents.len());
        for chunk in documents.chunks(2048) {
            progress("encoding", done.load(Ordering::Relaxed), total);
            encoded.extend(tokenizer.encode_all(chunk, &count));
        }
        encoded
    };
    let width = shards::width(spec.vocab.max(tokenizer.vocab()));
    let bos = tokenizer.bos();
    let write = |name: Named<'_>, documents: &[Vec<u32>], bytes: u64| {
        shards::write(folder, name, bos, width, |out| documents.iter().try_for_each(|ids| out.push(ids)).map(|()| bytes))
    };
    let mut train = vec![];
    for (source, documents) in &texts.train {
        let file = if source.is_empty() { "train".to_string() } else { format!("train-{source}") };
        train.push(write(Named { file: &file, source }, &encode(documents), bytes(documents))?);
    }
    let name = Named { file: "valid", source: "" };
    let held_out = [spec.validation.as_ref()].into_iter().flatten().chain(spec.corpus.parts().into_iter().map(|(_, corpus)| corpus));
    let tokens = held_out.take(if spec.validation.is_some() { 1 } else { usize::MAX }).find_map(|corpus| match corpus {
        CorpusConfig::Shards { held_out, opening, .. } => Some((held_out, opening.unwrap_or(bos))),
        _ => None,
    });
    let validation = match tokens {
        Some((paths, opening)) if texts.validation.is_empty() => {
            let (documents, bytes) = tokens_held_out(paths, opening, &tokenizer, spec.validation_bytes)?;
            write(name, &documents, bytes)?
        }
        _ => write(name, &encode(&texts.validation), bytes(&texts.validation))?,
    };
    progress("encoding", total, total);
    let manifest = Manifest {
        format: FORMAT,
        key: key.into(),
        width,
        vocab: tokenizer.vocab(),
        tokenizer: tokenizer_hash(folder),
        held_out: corpus::HELD_OUT_RULE.into(),
        train,
        validation: Some(validation),
    };
    manifest.write(folder)
}

/// Documents of all sources, one of each in turn, for a tokenizer that looks at the first of them.
fn dealt(sources: &[(String, Vec<Document>)]) -> Vec<Document> {
    let longest = sources.iter().map(|(_, documents)| documents.len()).max().unwrap_or_default();
    (0..longest).flat_map(|at| sources.iter().filter_map(move |(_, documents)| documents.get(at))).cloned().collect()
}

/// Documents of validation token files, up to so many bytes of text, without the token that opens each; and these bytes.
fn tokens_held_out(paths: &[String], opening: u32, tokenizer: &Tokenizer, limit: u64) -> Result<(Vec<Vec<u32>>, u64)> {
    let (mut documents, mut bytes) = (vec![], 0);
    for path in token_files(paths)? {
        let tokens = Tokens::open(&path)?;
        for pair in tokens.documents(opening).starts.windows(2) {
            let ids = tokens.ids.read(pair[0] as usize, (pair[1] - pair[0]) as usize);
            let plain: Vec<u32> = ids.into_iter().filter(|id| *id != opening).collect();
            if plain.is_empty() {
                continue;
            }
            bytes += tokenizer.decode_bytes(&plain).len() as u64;
            documents.push(plain);
            if bytes >= limit {
                return Ok((documents, bytes));
            }
        }
    }
    if documents.is_empty() {
        return Err(Error::input("data.corpus.held_out", "there is no text in it", "name token files with text"));
    }
    Ok((documents, bytes))
}
