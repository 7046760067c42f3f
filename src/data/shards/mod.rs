//! Token shards on disk in Megatron's format, `NAME.bin` with `NAME.idx`, and a manifest that says what they are.

mod foreign;
mod ids;
mod index;

pub(super) use foreign::{Tokens, recorded};
pub(super) use ids::Ids;
pub(super) use index::Index;

use super::cache;
use crate::{
    files,
    settings::{Error, Result},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// Version of the layout of the cache, and of the manifest.
pub(super) const FORMAT: u32 = 4;
/// Name of the manifest in a folder of shards.
pub(super) const MANIFEST: &str = "manifest.json";
/// The rule by which documents are held out where none are.
pub(super) const NOTHING_HELD_OUT: &str = "none";

/// Blocks that are read to check a shard quickly, and their size.
const BLOCKS: usize = 64;
const BLOCK: usize = 4096;

/// What `manifest.json` says of a folder of shards.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Hash of the specification or of the recipe that the shards were made for.
    pub key: String,
    /// Bytes per id: 2 or 4.
    pub width: usize,
    /// One more than the highest id of the tokenizer.
    pub vocab: usize,
    /// SHA-256 of the files of the tokenizer.
    pub tokenizer: String,
    /// The rule by which documents are held out.
    pub held_out: String,
    /// Training shards: one for each source of a mixture, or one for each file of a build.
    pub train: Vec<Part>,
    /// `valid.bin`; none of a build, which holds nothing out.
    pub validation: Option<Part>,
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
    /// SHA-256 of the `.idx`, checked on opening.
    pub index: String,
}

/// Ids and the documents that they are.
#[derive(Debug)]
pub(super) struct Shard {
    pub ids: Ids,
    pub index: Index,
}

impl Manifest {
    /// Writes it into the folder of the shards.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        files::write(&folder.join(MANIFEST), serde_json::to_string_pretty(self).expect("plain data").as_bytes())
    }

    /// The manifest of a folder; none if there is none, or one of another program.
    ///
    /// # Errors
    ///
    /// It cannot be read, or it is damaged.
    pub(super) fn beside(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let Some(bytes) = files::if_there(std::fs::read(&path)).map_err(Error::io("read", &path))? else { return Ok(None) };
        let broken = |message: String| Error::input(path.display(), message, "make the shards again");
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| broken(format!("the file is damaged: {error}")))?;
        if value.get("train").is_none() || value.get("held_out").is_none() {
            return Ok(None);
        }
        if value["format"] != FORMAT {
            return Err(broken(format!("is of format {}, and this version reads {FORMAT}", value["format"])));
        }
        serde_json::from_value(value).map(Some).map_err(|error| broken(format!("the file is damaged: {error}")))
    }

    /// What it says of a file without its ending.
    pub(super) fn part(&self, name: &str) -> Option<&Part> {
        self.train.iter().chain(&self.validation).find(|part| part.name == name)
    }
}

impl Part {
    /// Compares ids and index with what was written, quickly: lengths, blocks of the `.bin`, and the whole `.idx`.
    ///
    /// # Errors
    ///
    /// They differ; the message says in what.
    pub(super) fn verify(&self, path: &Path, ids: &Ids) -> Result<()> {
        let wrong = |path: &Path, message: &str| Error::input(path.display(), message, REMEDY);
        if ids.len() as u64 != self.tokens {
            return Err(wrong(path, "the file's size is not what its manifest says"));
        }
        if check(ids.size(), |start, block| ids.bytes(start, block)).map_err(Error::io("read", path))? != self.check {
            return Err(wrong(path, "the file's content is not what its manifest says"));
        }
        let index = path.with_extension("idx");
        if cache::sha256(&index).map_err(Error::io("read", &index))? != self.index {
            return Err(wrong(&index, "the file's content is not what its manifest says"));
        }
        Ok(())
    }

    /// Compares all of the `.bin` with what was written.
    ///
    /// # Errors
    ///
    /// It differs.
    pub(super) fn verify_whole(&self, path: &Path) -> Result<()> {
        match cache::sha256(path).map_err(Error::io("read", path))? == self.sha256 {
            true => Ok(()),
            false => Err(Error::input(path.display(), "the file's content is not what its manifest says", REMEDY)),
        }
    }
}

/// What to do with a shard that is damaged.
const REMEDY: &str = "delete its folder and make the shards again";

impl Shard {
    /// Opens a shard of a folder and compares it with its manifest; the message of an error says what differs.
    pub(super) fn open(folder: &Path, part: &Part, width: usize) -> Result<Self> {
        let path = folder.join(format!("{}.bin", part.name));
        let wrong = |message: &str| Error::input(path.display(), message, REMEDY);
        let ids = Ids::open(&path, 0, width, None).map_err(|_| wrong("the file's size is not what its manifest says"))?;
        part.verify(&path, &ids)?;
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

/// Takes the documents of a shard, one after the other.
pub(super) struct Encoded<'a> {
    path: &'a Path,
    file: &'a mut BufWriter<File>,
    bos: u32,
    width: usize,
    hash: Sha256,
    lengths: Vec<usize>,
    line: Vec<u8>,
}

impl Encoded<'_> {
    /// Writes a document, opened by the token that opens documents.
    ///
    /// # Errors
    ///
    /// The disk is full, for instance.
    pub(super) fn push(&mut self, ids: &[u32]) -> Result<()> {
        self.line.clear();
        for id in std::iter::once(&self.bos).chain(ids) {
            self.line.extend_from_slice(&id.to_le_bytes()[..self.width]);
        }
        self.hash.update(&self.line);
        self.lengths.push(ids.len() + 1);
        self.file.write_all(&self.line).map_err(Error::io("write", self.path))
    }
}

/// Writes the documents that `fill` pushes, each opened by `bos`, and returns what the manifest says of them but for the bytes of
/// their text, which are `fill`'s result. Of the documents only their lengths are in memory.
///
/// # Errors
///
/// The folder cannot be written to, or `fill` fails: then there is no file, or the one that was there before.
pub(super) fn write(
    folder: &Path,
    name: Named<'_>,
    bos: u32,
    width: usize,
    fill: impl FnOnce(&mut Encoded<'_>) -> Result<u64>,
) -> Result<Part> {
    let path = folder.join(format!("{}.bin", name.file));
    let (mut bytes, mut lengths, mut sha256) = (0, vec![], String::new());
    files::replace_with(
        &path,
        |error| Error::io("write", &path)(error),
        |file| {
            let mut encoded = Encoded { path: &path, file, bos, width, hash: Sha256::new(), lengths: vec![], line: vec![] };
            bytes = fill(&mut encoded)?;
            (lengths, sha256) = (encoded.lengths, cache::hex(&encoded.hash.finalize()));
            Ok(())
        },
    )?;
    let (index, index_path) = (Index::of(lengths.into_iter(), width), path.with_extension("idx"));
    index.write(&index_path)?;
    let ids = Ids::open(&path, 0, width, None)?;
    Ok(Part {
        name: name.file.into(),
        source: name.source.into(),
        documents: index.documents() as u64,
        tokens: ids.len() as u64,
        bytes,
        sha256,
        check: check(ids.size(), |start, block| ids.bytes(start, block)).map_err(Error::io("read", &path))?,
        index: cache::sha256(&index_path).map_err(Error::io("read", &index_path))?,
    })
}

/// SHA-256 of the files of the tokenizer in a folder.
pub(super) fn tokenizer_hash(folder: &Path) -> String {
    let mut hash = Sha256::new();
    for name in ["tokenizer.meta.json", "tokenizer.json", "tokenizer.model", "tokenizer.tiktoken"] {
        hash.update(std::fs::read(folder.join(name)).unwrap_or_default());
        hash.update([0]);
    }
    cache::hex(&hash.finalize())
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
            let make = || {
                write(folder.path(), Named { file: "train", source: "" }, 1, width(vocab), |out| {
                    documents.iter().try_for_each(|ids| out.push(ids)).map(|()| 9)
                })
                .unwrap()
            };
            let part = make();
            assert_eq!((part.documents, part.tokens, part.bytes), (3, 6, 9));
            assert_eq!(part.sha256, cache::sha256(&path).unwrap());
            let open = || Shard::open(folder.path(), &part, width(vocab));
            let shard = open().unwrap();
            assert_eq!(shard.ids.read(0, shard.tokens()), [1, 3, top, 1, 1, 5]);
            assert_eq!((shard.ids.read(2, 2), shard.index.starts), (vec![top, 1], vec![0, 3, 4, 6]));
            let mut content = std::fs::read(&path).unwrap();
            content[3] ^= 1;
            cache::write_whole(&path, &content).unwrap();
            assert!(open().unwrap_err().to_string().contains("content"));
            assert!(part.verify_whole(&path).unwrap_err().to_string().contains("train.bin"));
            content.pop();
            cache::write_whole(&path, &content).unwrap();
            assert!(open().unwrap_err().to_string().contains("size"));
            make();
            part.verify_whole(&path).unwrap();
            Index::of([2, 2, 2].into_iter(), width(vocab)).write(&path.with_extension("idx")).unwrap();
            assert!(open().unwrap_err().to_string().contains("train.idx"));
            make();
            open().unwrap();
        }
    }
}
