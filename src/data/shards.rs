//! Token shards on disk: raw little-endian ids, readable by any tool that maps `u16` or `u32` arrays.
//!
//! Here they are read, not mapped: the pages of a map count as the memory of a run, which would seem to grow for as long
//! as training finds text that it has not seen.

use super::cache;
use crate::settings::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fs::File, io, path::Path};

/// Version of the layout of the cache.
pub(super) const FORMAT: u32 = 2;

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
    /// `train.bin`.
    pub train: Part,
    /// `valid.bin`.
    pub validation: Part,
}

/// One shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Documents.
    pub documents: u64,
    /// Ids, those that open documents included.
    pub tokens: u64,
    /// Bytes of the text.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// SHA-256 of 64 blocks spread over the file, checked on opening.
    pub check: String,
}

/// Ids of a file.
#[derive(Debug)]
pub(super) struct Shard {
    file: File,
    width: usize,
    tokens: usize,
}

impl Shard {
    /// Opens a shard and compares it with its manifest; the message of an error says what differs.
    pub(super) fn open(path: &Path, part: &Part, width: usize) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let help = "delete its folder: the shards are made again";
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        if length != part.tokens * width as u64 {
            return Err(Error::input(path.display(), "the file's size is not what its manifest says", help));
        }
        let found = check(length, |start, block| read_at(&file, start, block)).map_err(Error::io("read", path))?;
        if found != part.check {
            return Err(Error::input(path.display(), "the file's content is not what its manifest says", help));
        }
        Ok(Self { file, width, tokens: part.tokens as usize })
    }

    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// `count` ids from `start` on; panics beyond the end, or if the disk fails.
    pub(super) fn read(&self, start: usize, count: usize) -> Vec<u32> {
        let mut bytes = vec![0; count * self.width];
        read_at(&self.file, (start * self.width) as u64, &mut bytes).expect("a shard that was opened can be read");
        match self.width {
            2 => bytes.chunks_exact(2).map(|id| u32::from(u16::from_le_bytes([id[0], id[1]]))).collect(),
            _ => bytes.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect(),
        }
    }
}

/// Bytes per id for a vocabulary.
pub(super) fn width(vocab: usize) -> usize {
    if vocab <= 1 << 16 { 2 } else { 4 }
}

/// Writes documents, each opened by `bos`, and returns what the manifest says of them.
pub(super) fn write(path: &Path, documents: &[Vec<u32>], bos: u32, bytes: u64, width: usize) -> Result<Part> {
    let tokens: usize = documents.iter().map(|ids| ids.len() + 1).sum();
    let mut content = Vec::with_capacity(tokens * width);
    for id in documents.iter().flat_map(|ids| std::iter::once(&bos).chain(ids)) {
        content.extend_from_slice(&id.to_le_bytes()[..width]);
    }
    cache::write_whole(path, &content)?;
    Ok(Part {
        documents: documents.len() as u64,
        tokens: tokens as u64,
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

/// Fills the buffer from an offset on, without moving a position that other threads share.
#[cfg(unix)]
fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (offset, buffer) = (offset + count as u64, &mut buffer[count..]);
    }
    Ok(())
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
            let part = write(&path, &documents, 1, 9, width(vocab)).unwrap();
            let shard = Shard::open(&path, &part, width(vocab)).unwrap();
            assert_eq!(shard.read(0, shard.tokens()), [1, 3, top, 1, 1, 5]);
            assert_eq!(shard.read(2, 2), [top, 1]);
            let mut content = std::fs::read(&path).unwrap();
            content[3] ^= 1;
            cache::write_whole(&path, &content).unwrap();
            assert!(Shard::open(&path, &part, width(vocab)).unwrap_err().to_string().contains("content"));
            content.pop();
            cache::write_whole(&path, &content).unwrap();
            assert!(Shard::open(&path, &part, width(vocab)).unwrap_err().to_string().contains("size"));
        }
    }
}
