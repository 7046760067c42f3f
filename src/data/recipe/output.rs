//! The files that a build leaves.

use super::{config::Recipe, report::FileReport, shard::Shard, step::STEP_PATHS, tally::Size};
use crate::{
    data::{
        Tokenizer, cache,
        pipeline::{Document, formats},
        shards::{self, Named},
    },
    settings::{Error, Result},
};
use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub size: Size,
    pub by_source: BTreeMap<String, Size>,
    pub files: Vec<FileReport>,
}

/// Shards of one file, and what is in it.
type Group<'a> = (usize, &'a [Shard]);

/// Writes documents in the order of shards. A file holds whole shards, about as many bytes as asked for; which ones depends on
/// the sizes of shards alone.
pub(super) fn write(shards: &[Shard], recipe: &Recipe, out: &Path, done: &AtomicU64, stop: &AtomicBool) -> Result<Written> {
    let folder = out.join("documents");
    std::fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    let tokenizer = recipe.output.tokenizer.as_ref().map(|path| Tokenizer::read(Path::new(path))).transpose()?;
    let tokens = out.join("tokens");
    if let Some(tokenizer) = &tokenizer {
        std::fs::create_dir_all(&tokens).map_err(Error::io("create the folder", &tokens))?;
        tokenizer.save(&tokens)?;
    }
    let groups = groups(shards, recipe.output.file_bytes / 4);
    let write = |(number, shards): &Group<'_>| -> Result<(Vec<FileReport>, BTreeMap<String, Size>)> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::input("the build", "was interrupted", "the same command goes on"));
        }
        let name = format!("{number:05}.{}", recipe.output.packing.ending());
        let (mut by_source, mut size) = (BTreeMap::<String, Size>::new(), Size::default());
        let mut encoded = vec![];
        formats::write(&folder.join(&name), |sink| {
            let mut each = |document: Document| {
                size.add(&document);
                by_source.entry(document.source.clone()).or_default().add(&document);
                if let Some(tokenizer) = &tokenizer {
                    encoded.push(tokenizer.encode(&document.text));
                }
                sink.push(&document)
            };
            shards.iter().try_for_each(|shard| shard.read(&recipe.limits, &mut each, &mut |_| Ok(())))
        })?;
        let sha256 = cache::sha256(&folder.join(&name)).map_err(Error::io("read", &folder.join(&name)))?;
        let mut files = vec![FileReport { name: format!("documents/{name}"), size, sha256, tokens: None }];
        if let Some(tokenizer) = &tokenizer {
            let (width, file) = (shards::width(tokenizer.vocab()), format!("{number:05}"));
            let part = shards::write(&tokens, Named { file: &file, source: "" }, &encoded, tokenizer.bos(), size.bytes, width)?;
            files.push(FileReport { name: format!("tokens/{file}.bin"), size, sha256: part.sha256, tokens: Some(part.tokens) });
        }
        done.fetch_add(shards.iter().map(|shard| shard.bytes).sum(), Ordering::Relaxed);
        Ok((files, by_source))
    };
    let parts: Vec<_> = groups.par_iter().map(write).collect::<Result<_>>()?;
    let mut written = Written::default();
    for (files, by_source) in parts {
        written.files.extend(files);
        for (source, size) in by_source {
            written.size.documents += size.documents;
            written.size.bytes += size.bytes;
            let sum = written.by_source.entry(source).or_default();
            sum.documents += size.documents;
            sum.bytes += size.bytes;
        }
    }
    Ok(written)
}

/// Cuts shards into files by the bytes that they have on the disk, packed.
fn groups(shards: &[Shard], bytes: u64) -> Vec<Group<'_>> {
    let (mut groups, mut start, mut sum) = (vec![], 0, 0);
    for (at, shard) in shards.iter().enumerate() {
        sum += shard.bytes;
        if sum >= bytes || at + 1 == shards.len() {
            groups.push((groups.len(), &shards[start..=at]));
            (start, sum) = (at + 1, 0);
        }
    }
    groups
}

/// SHA-256 of what a recipe says, without where files lie.
pub(super) fn fingerprint(recipe: &Recipe) -> String {
    let mut value = serde_json::to_value(recipe).expect("a recipe is plain data");
    value["output"]["tokenizer"].take();
    let clean = |steps: &mut Value| {
        for step in steps.as_array_mut().into_iter().flatten() {
            let kind = step["apply"]["kind"].as_str().unwrap_or_default().to_string();
            for path in STEP_PATHS {
                if let Some((_, key)) = path.split_once('.').filter(|(of, _)| *of == kind) {
                    step["apply"][key].take();
                }
            }
        }
    };
    clean(&mut value["step"]);
    for source in value["source"].as_array_mut().into_iter().flatten() {
        source["paths"].take();
        clean(&mut source["step"]);
    }
    cache::hex(&Sha256::digest(value.to_string()))
}
