//! Token shards on disk in Megatron's format, `NAME.bin` with `NAME.idx`, and a manifest that says what they are.

mod foreign;
mod ids;
mod index;

pub(super) use foreign::Tokens;
pub(super) use ids::Ids;
pub(super) use index::Index;

use super::cache;
use crate::settings::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{io, path::Path};

/// Version of the layout of the cache.
pub(super) const FORMAT: u32 = 3;

/// Blocks that are read to check a shard quickly, and their size.
const BLOCKS: usize = 64;
const BLOCK: usize = 4096;

/// What `manifest.json` says of a folder of shards.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Hash of the specification that the shards were made for.
    pub key: String,
    /// Bytes per id: 2 or 4.
    pub width: usize,
    /// One more than the highest id of the tokenizer.
    pub vocab: usize,
    /// SHA-256 of `tokenizer.json` and `tokenizer.meta.json`.
    pub tokenizer: String,
    /// The rule by which documents are held out.
    pub held_out: String,
    /// Training shards, one for each source of a mixture.
    pub train: Vec<Part>,
    /// `valid.bin`.
    pub validation: Part,
}

/// One shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Name of the files, without endings.
    pub name: String,
    /// Name of the source in a mixture; empty where there is one source.
    pub source: String,
    /// Documents.
    pub documents: u64,
    /// Ids, those that open documents included.
    pub tokens: u64,
    /// Bytes of the text.
    pub bytes: u64,
    /// SHA-256 of the `.bin`.
    pub sha256: String,
    /// SHA-256 of 64 blocks spread over it, checked on opening.
    pub check: String,
}

/// Ids and the documents that they are.
#[derive(Debug)]
pub(super) struct Shard {
    pub ids: Ids,
    pub index: Index,
}

impl Shard {
    /// Opens a shard of a folder and compares it with its manifest; the message of an error says what differs.
    pub(super) fn open(folder: &Path, part: &Part, width: usize) -> Result<Self> {
        let path = folder.join(&part.name).with_extension("bin");
        let help = "delete its folder: the shards are made again";
        let wrong = |message: &str| Error::input(path.display(), message, help);
        let ids = Ids::open(&path, 0, width, None).map_err(|_| wrong("the file's size is not what its manifest says"))?;
        if ids.len() as u64 != part.tokens {
            return Err(wrong("the file's size is not what its manifest says"));
        }
        let found = check(ids.size(), |start, block| ids.bytes(start, block)).map_err(Error::io("read", &path))?;
        if found != part.check {
            return Err(wrong("the file's content is not what its manifest says"));
        }
        let index = Index::read(&path.with_extension("idx"))?;
        if (index.width, index.starts.last()) != (width, Some(&part.tokens)) || index.documents() as u64 != part.documents {
            return Err(wrong("its .idx is of another shard"));
        }
        Ok(Self { ids, index })
    }

    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }
}

/// Bytes per id for a vocabulary.
pub(super) fn width(vocab: usize) -> usize {
    if vocab <= 1 << 16 { 2 } else { 4 }
}

/// Which shard is written: its file, and the source it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub file: &'a str,
    pub source: &'a str,
}

/// Writes documents, each opened by `bos`, and returns what the manifest says of them.
pub(super) fn write(folder: &Path, name: Named<'_>, documents: &[Vec<u32>], bos: u32, bytes: u64, width: usize) -> Result<Part> {
    let index = Index::of(documents.iter().map(|ids| ids.len() + 1), width);
    let tokens = index.starts[documents.len()];
    let mut content = Vec::with_capacity(tokens as usize * width);
    for id in documents.iter().flat_map(|ids| std::iter::once(&bos).chain(ids)) {
        content.extend_from_slice(&id.to_le_bytes()[..width]);
    }
    let path = folder.join(name.file).with_extension("bin");
    cache::write_whole(&path, &content)?;
    index.write(&path.with_extension("idx"))?;
    Ok(Part {
        name: name.file.into(),
        source: name.source.into(),
        documents: documents.len() as u64,
        tokens,
        bytes,
        sha256: cache::hex(&Sha256::digest(&content)),
        check: check(content.len() as u64, |start, block| {
            block.copy_from_slice(&content[start as usize..][..block.len()]);
            Ok(())
        })
        .expect("memory can be read"),
    })
}

/// SHA-256 of the length and of [`BLOCKS`] blocks, or of all there is if that is no more.
fn check(length: u64, read: impl Fn(u64, &mut [u8]) -> io::Result<()>) -> io::Result<String> {
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    let mut add = |start, size| -> io::Result<()> {
        let mut block = vec![0; size];
        read(start, &mut block)?;
        hash.update(&block);
        Ok(())
    };
    if length <= (BLOCKS * BLOCK) as u64 {
        add(0, length as usize)?;
    } else {
        for block in 0..BLOCKS {
            let start = u128::from(length - BLOCK as u64) * block as u128 / (BLOCKS - 1) as u128;
            add(start as u64, BLOCK)?;
        }
    }
    Ok(cache::hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_come_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.bin");
        for (vocab, top) in [(65_536, 65_535), (65_537, 65_536)] {
            let documents = [vec![3, top], vec![], vec![5]];
            let part = write(folder.path(), Named { file: "train", source: "" }, &documents, 1, 9, width(vocab)).unwrap();
            let open = || Shard::open(folder.path(), &part, width(vocab));
            let shard = open().unwrap();
            assert_eq!(shard.ids.read(0, shard.tokens()), [1, 3, top, 1, 1, 5]);
            assert_eq!((shard.ids.read(2, 2), shard.index.starts), (vec![top, 1], vec![0, 3, 4, 6]));
            let mut content = std::fs::read(&path).unwrap();
            content[3] ^= 1;
            cache::write_whole(&path, &content).unwrap();
            assert!(open().unwrap_err().to_string().contains("content"));
            content.pop();
            cache::write_whole(&path, &content).unwrap();
            assert!(open().unwrap_err().to_string().contains("size"));
            write(folder.path(), Named { file: "train", source: "" }, &documents, 1, 9, width(vocab)).unwrap();
            Index::of([2, 2, 2].into_iter(), width(vocab)).write(&path.with_extension("idx")).unwrap();
            open().unwrap();
            Index::of([3, 3].into_iter(), width(vocab)).write(&path.with_extension("idx")).unwrap();
            assert!(open().unwrap_err().to_string().contains("another shard"));
        }
    }
}
