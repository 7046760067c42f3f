//! Token files of other programs, by what they begin with.
//!
//! | file | read as |
//! |---|---|
//! | `NAME.bin` beside `NAME.idx` | Megatron: documents as the index says |
//! | `.bin` that begins with 20240520 | llm.c and modded-nanogpt: 256 numbers of 32 bits, then 16-bit ids |
//! | other `.bin` | nanoGPT: 16-bit ids |
//! | `.npy` | NumPy's array of one dimension, uint16, uint32 or int32, little-endian |
//!
//! Where no index tells documents apart, the token that opens (or ends) them does.

use super::{Manifest, Part, check, ids::Ids, index::Index};
use crate::settings::{Error, Result};
use std::{fs::File, io::Read, path::Path};

/// A token file.
#[derive(Debug)]
pub(in crate::data) struct Tokens {
    /// The ids.
    pub ids: Ids,
    /// Where documents start, if the file says so.
    pub index: Option<Index>,
}

impl Tokens {
    /// Opens a file of any of the kinds. One that a manifest of ours stands beside is compared with it, quickly.
    ///
    /// # Errors
    ///
    /// An unreadable file, of another kind, one that contradicts itself, or one that is not what its manifest says.
    pub fn open(path: &Path) -> Result<Self> {
        let (index, part) = (path.with_extension("idx"), recorded(path)?);
        if part.is_some() || (is_bin(path) && index.is_file()) {
            let tokens = Self::megatron(path, &index)?;
            part.map_or(Ok(()), |part| part.verify(path, &tokens.ids))?;
            return Ok(tokens);
        }
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(1 << 16).read_to_end(&mut head)).map_err(Error::io("read", path))?;
        let word = |at: usize| head.get(at..at + 4).map(|it| i32::from_le_bytes(it.try_into().expect("four bytes")));
        let wrong = |message: String| Error::input(path.display(), message, "see docs/data.md for the token files that are read");
        if head.starts_with(b"\x93NUMPY") {
            let (offset, width, count) = numpy(&head).map_err(wrong)?;
            return Ok(Self { ids: Ids::open(path, offset, width, Some(count))?, index: None });
        }
        if word(0) == Some(20_240_520) {
            let (Some(version), Some(count)) = (word(4), word(8).and_then(|count| u64::try_from(count).ok())) else {
                return Err(wrong("has the mark of llm.c and no count of ids behind it".into()));
            };
            let width = match version {
                1 => 2,
                7 => 4,
                other => return Err(wrong(format!("is of llm.c's version {other}; 1 (GPT-2, 16 bits) and 7 (LLaMA 3, 32 bits) are read"))),
            };
            return Ok(Self { ids: Ids::open(path, 1024, width, Some(count))?, index: None });
        }
        if is_bin(path) {
            return Ok(Self { ids: Ids::open(path, 0, 2, None)?, index: None });
        }
        Err(wrong("is no token file".into()))
    }

    /// Where documents start: as the index says, else where `opening` stands.
    pub fn documents(&self, opening: u32) -> Index {
        if let Some(index) = &self.index {
            return index.clone();
        }
        const PIECE: usize = 1 << 20;
        let mut starts = vec![0];
        for at in (0..self.ids.len()).step_by(PIECE) {
            let ids = self.ids.read(at, PIECE.min(self.ids.len() - at));
            starts.extend(
                ids.iter().enumerate().filter(|(_, id)| **id == opening).map(|(place, _)| (at + place) as u64).filter(|start| *start > 0),
            );
        }
        starts.push(self.ids.len() as u64);
        Index { width: 4, starts }
    }

    /// A hash of length and samples, for files that are too large to be read when a run is planned.
    pub fn check(&self, path: &Path) -> Result<String> {
        check(self.ids.size(), |start, block| self.ids.bytes(start, block)).map_err(Error::io("read", path))
    }

    fn megatron(path: &Path, index: &Path) -> Result<Self> {
        let found = Index::read(index)?;
        let count = found.starts[found.documents()];
        let ids = Ids::open(path, 0, found.width, Some(count))?;
        let length = path.metadata().map_err(Error::io("read", path))?.len();
        if length != ids.size() {
            let message = format!("has {length} bytes, and {} says {}", index.display(), ids.size());
            return Err(Error::input(path.display(), message, "the two are not of one run: make them again"));
        }
        Ok(Self { ids, index: Some(found) })
    }
}

fn is_bin(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "bin")
}

/// What a manifest of ours in the same folder says of a token file, if there is one.
///
/// # Errors
///
/// The manifest is damaged.
pub(in crate::data) fn recorded(path: &Path) -> Result<Option<Part>> {
    let (Some(folder), Some(name), true) = (path.parent(), path.file_stem(), is_bin(path)) else { return Ok(None) };
    Ok(Manifest::beside(folder)?.and_then(|manifest| manifest.part(&name.to_string_lossy()).cloned()))
}

/// Where the numbers of a `.npy` file start, their width and their count (NumPy's format, versions 1 to 3).
fn numpy(head: &[u8]) -> Result<(u64, usize, u64), String> {
    let cut = || "is cut in its head".to_string();
    let (length, start) = match head.get(6) {
        Some(1) => (head.get(8..10).map(|it| u64::from(u16::from_le_bytes([it[0], it[1]]))), 10),
        Some(2 | 3) => (head.get(8..12).map(|it| u64::from(u32::from_le_bytes([it[0], it[1], it[2], it[3]]))), 12),
        _ => return Err("is of a version of NumPy's format that is not known".into()),
    };
    let length = length.ok_or_else(cut)?;
    let text = head.get(start..start + length as usize).ok_or_else(cut)?;
    let text = String::from_utf8_lossy(text);
    let value = |key: &str| {
        let at = text.find(&format!("'{key}':"))? + key.len() + 3;
        Some(text[at..].trim_start())
    };
    let kind = value("descr").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split('\'').next()).unwrap_or_default();
    let width = match kind {
        "<u2" => 2,
        "<u4" | "<i4" => 4,
        other => return Err(format!("has elements of type {other:?}; <u2, <u4 and <i4 are read")),
    };
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split(')').next()).unwrap_or_default();
    let sizes: Vec<&str> = shape.split(',').map(str::trim).filter(|size| !size.is_empty()).collect();
    match sizes.as_slice() {
        [size] => size.parse().map(|count| (start as u64 + length, width, count)).map_err(|_| format!("has the shape ({shape})")),
        _ => Err(format!("has the shape ({shape}), not one dimension")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn array(kind: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        while !(10 + head.len() + 1).is_multiple_of(64) {
            head.push(' ');
        }
        head.push('\n');
        [b"\x93NUMPY\x01\x00", &(head.len() as u16).to_le_bytes()[..], head.as_bytes(), numbers].concat()
    }

    #[test]
    fn files_of_other_programs_are_read() {
        let read = |name: &str, bytes: &[u8]| {
            let (_folder, path) = write(name, bytes);
            let tokens = Tokens::open(&path).unwrap();
            tokens.ids.read(0, tokens.ids.len())
        };
        let short: Vec<u8> = [50256u16, 7, 65535].iter().flat_map(|id| id.to_le_bytes()).collect();
        let long: Vec<u8> = [128_000u32, 7].iter().flat_map(|id| id.to_le_bytes()).collect();
        assert_eq!(read("train.bin", &short), [50256, 7, 65535]);
        assert_eq!(read("a.npy", &array("<u2", "(3,)", &short)), [50256, 7, 65535]);
        assert_eq!(read("a.npy", &array("<u4", "(2,)", &long)), [128_000, 7]);
        let mut head = vec![0; 1024];
        head[..12].copy_from_slice(&[20_240_520i32, 1, 3].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
        assert_eq!(read("fineweb_train_000001.bin", &[head.clone(), short.clone()].concat()), [50256, 7, 65535]);
        head[4] = 7;
        head[8] = 2;
        assert_eq!(read("llama3.bin", &[head, long].concat()), [128_000, 7]);
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_named() {
        let refused = |name: &str, bytes: &[u8], reason: &str| {
            let (_folder, path) = write(name, bytes);
            let error = Tokens::open(&path).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(name), "{error}");
        };
        refused("a.bin", &[1, 2, 3], "no whole number");
        refused("a.npy", &array("<u2", "(4,)", &[0; 6]), "fewer than 4 ids");
        refused("a.npy", &array("<f4", "(1,)", &[0; 4]), "<f4");
        refused("a.npy", &array("<u2", "(1, 2)", &[0; 4]), "(1, 2)");
        refused("a.npy", b"\x93NUMPY\x01\x00\xff", "cut in its head");
        refused("a.npy", b"\x93NUMPY\x09\x00\xff\xff", "not known");
        refused("a.bin", &[20_240_520i32, 3, 1].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>(), "version 3");
        refused("a.bin", &[20_240_520i32, 1, 9].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>(), "it was cut");
        refused("notes.txt", b"tokens", "no token file");
        let (folder, path) = write("b.bin", &[0; 10]);
        Index::of([3, 1].into_iter(), 2).write(&folder.path().join("b.idx")).unwrap();
        assert!(Tokens::open(&path).unwrap_err().to_string().contains("not of one run"));
        std::fs::write(&path, [0; 8]).unwrap();
        assert_eq!(Tokens::open(&path).unwrap().index.unwrap().starts, [0, 3, 4]);
    }
}
