//! Megatron's index of documents, the `.idx` beside a `.bin` (`megatron/core/datasets/indexed_dataset.py`): which ids are one
//! document. GPT-NeoX, NeMo and Megatron read it.

use crate::{
    files,
    settings::{Error, Result},
};
use std::{io::Write, path::Path};

const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";
const VERSION: u64 = 1;
/// Bytes before the lengths: magic, version, type of the ids, and two counts.
const HEAD: usize = 9 + 8 + 1 + 8 + 8;

/// What an index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Index {
    /// Bytes of an id.
    pub width: usize,
    /// Where documents start, in ids, and behind the last of them the number of all ids.
    pub starts: Vec<u64>,
}

impl Index {
    /// The index of documents with these lengths.
    pub fn of(lengths: impl Iterator<Item = usize>, width: usize) -> Self {
        let mut starts = vec![0];
        for length in lengths {
            starts.push(starts[starts.len() - 1] + length as u64);
        }
        Self { width, starts }
    }

    /// Documents.
    pub fn documents(&self) -> usize {
        self.starts.len() - 1
    }

    /// Writes the index. Every document is one of Megatron's sequences.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to; a document of 2^31 ids or more.
    pub fn write(&self, path: &Path) -> Result<()> {
        let count = self.documents() as u64;
        let lengths: Option<Vec<i32>> = self.starts.windows(2).map(|pair| i32::try_from(pair[1] - pair[0]).ok()).collect();
        let Some(lengths) = lengths else {
            return Err(Error::input(path.display(), "a document has more ids than this format can say (2^31)", "cut the document"));
        };
        let wrong = |error| Error::io("write", path)(error);
        files::replace_with(path, wrong, |file| {
            let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(wrong);
            put(MAGIC)?;
            put(&VERSION.to_le_bytes())?;
            // The codes of uint16 and int32.
            put(&[if self.width == 2 { 8 } else { 4 }])?;
            put(&count.to_le_bytes())?;
            put(&(count + 1).to_le_bytes())?;
            lengths.iter().try_for_each(|length| put(&length.to_le_bytes()))?;
            self.starts[..count as usize].iter().try_for_each(|start| put(&(start * self.width as u64).to_le_bytes()))?;
            (0..=count).try_for_each(|document| put(&document.to_le_bytes()))
        })
    }

    /// Reads an index, checked against itself.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is no such index, is cut, or contradicts itself; ids of another type.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::parse(&bytes).map_err(|message| Error::input(path.display(), message, "make the shard again, with its .bin"))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let number = |at: usize| bytes.get(at..at + 8).map(|it| u64::from_le_bytes(it.try_into().expect("eight bytes")));
        if bytes.len() < HEAD || !bytes.starts_with(MAGIC) {
            return Err("is no Megatron index: it does not begin with MMIDIDX".into());
        }
        if number(9) != Some(VERSION) {
            return Err(format!("is of version {}, not {VERSION}", number(9).unwrap_or_default()));
        }
        let width = match bytes[17] {
            8 => 2,
            4 => 4,
            code => return Err(format!("has ids of type {code}; 4 (int32) and 8 (uint16) are read")),
        };
        let (sequences, marks) = (number(18).unwrap_or_default(), number(26).unwrap_or_default());
        let needed = HEAD as u128 + u128::from(sequences) * 12 + u128::from(marks) * 8;
        if bytes.len() as u128 != needed {
            return Err(format!("has {} bytes, and {sequences} sequences in {marks} marks take {needed}: it was cut", bytes.len()));
        }
        let (sequences, marks) = (sequences as usize, marks as usize);
        let (lengths, pointers) = bytes[HEAD..].split_at(sequences * 4);
        let (pointers, marks) = (&pointers[..sequences * 8], &pointers[sequences * 8..][..marks * 8]);
        let mut starts = vec![0u64];
        for (number, length) in lengths.chunks_exact(4).enumerate() {
            let length = i32::from_le_bytes(length.try_into().expect("four bytes"));
            let pointer = u64::from_le_bytes(pointers[number * 8..][..8].try_into().expect("eight bytes"));
            let start = starts[number];
            if length < 0 || pointer != start * width as u64 {
                return Err(format!("contradicts itself at sequence {number}: {length} ids at byte {pointer}"));
            }
            starts.push(start + length as u64);
        }
        // Documents may consist of several sequences.
        let marks = marks.chunks_exact(8).map(|mark| u64::from_le_bytes(mark.try_into().expect("eight bytes")) as usize);
        let mut documents: Vec<u64> = Vec::with_capacity(sequences + 1);
        let mut before = None;
        for mark in marks {
            if mark > sequences || before.is_some_and(|before| mark < before) || (before.is_none() && mark != 0) {
                return Err(format!("contradicts itself: a document at sequence {mark} of {sequences}"));
            }
            documents.push(starts[mark]);
            before = Some(mark);
        }
        if before != Some(sequences) {
            return Err("contradicts itself: its documents do not hold all its sequences".into());
        }
        Ok(Self { width, starts: documents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(index: &Index) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.idx");
        index.write(&path).unwrap();
        assert_eq!(&Index::read(&path).unwrap(), index);
        std::fs::read(path).unwrap()
    }

    /// As `IndexedDatasetBuilder` of Megatron writes three documents of 3, 1 and 2 ids of uint16 (layout from its source).
    #[test]
    fn the_layout_is_megatrons() {
        let found = bytes(&Index::of([3, 1, 2].into_iter(), 2));
        let mut expected = b"MMIDIDX\0\0".to_vec();
        expected.extend(1u64.to_le_bytes());
        expected.push(8);
        expected.extend(3u64.to_le_bytes());
        expected.extend(4u64.to_le_bytes());
        [3i32, 1, 2].iter().for_each(|length| expected.extend(length.to_le_bytes()));
        [0i64, 6, 8].iter().for_each(|pointer| expected.extend(pointer.to_le_bytes()));
        [0i64, 1, 2, 3].iter().for_each(|document| expected.extend(document.to_le_bytes()));
        assert_eq!(found, expected);
        bytes(&Index::of(std::iter::empty(), 4));
    }

    #[test]
    fn documents_of_several_sequences_are_one() {
        let mut found = bytes(&Index::of([3, 1, 2].into_iter(), 4));
        let at = found.len() - 32;
        found.splice(at.., [0u64, 2, 3].iter().flat_map(|mark| mark.to_le_bytes()));
        found[26..34].copy_from_slice(&3u64.to_le_bytes());
        assert_eq!(Index::parse(&found).unwrap().starts, [0, 4, 6]);
    }

    #[test]
    fn damage_is_named() {
        let good = bytes(&Index::of([3, 1, 2].into_iter(), 2));
        let broken = |change: &dyn Fn(&mut Vec<u8>), reason: &str| {
            let mut bytes = good.clone();
            change(&mut bytes);
            let error = Index::parse(&bytes).unwrap_err();
            assert!(error.contains(reason), "{error}");
        };
        broken(&|bytes| bytes[0] = b'X', "no Megatron index");
        broken(&|bytes| bytes[9] = 2, "version 2");
        broken(&|bytes| bytes[17] = 6, "type 6");
        broken(&|bytes| bytes.truncate(60), "it was cut");
        broken(&|bytes| bytes[25] = 0xff, "it was cut");
        broken(&|bytes| bytes[HEAD] = 4, "contradicts itself");
        broken(&|bytes| bytes[HEAD + 3] = 0xff, "contradicts itself");
        let end = good.len();
        broken(&|bytes| bytes[end - 8] = 2, "do not hold all");
        broken(&|bytes| bytes[end - 16] = 9, "sequence 9");
    }
}
