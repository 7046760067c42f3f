//! Many sorted files as one.

use super::{
    file::{BUFFER, Reader, Writer},
    record::Record,
    sorted::{Folder, remove},
};
use crate::settings::{Error, Result};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    fs,
    path::{Path, PathBuf},
};

/// Most files that are read at the same time.
const MOST_FILES: usize = 128;

/// Merges sorted files into one ordered stream.
pub(super) struct Merge<R> {
    readers: Vec<Reader<R>>,
    heap: BinaryHeap<Reverse<(R, usize)>>,
    /// Holds the files of a merge in steps.
    folder: Option<Folder>,
}

impl<R: Record> Merge<R> {
    /// Opens files, each of which is sorted. If they are more than memory has room for, groups of them are merged into
    /// files in `folder` first.
    pub(super) fn open(paths: &[PathBuf], folder: &Path, memory: usize, fingerprint: u64) -> Result<Self> {
        let most = (memory / (2 * BUFFER)).clamp(2, MOST_FILES);
        if paths.len() <= most {
            return Self::direct(paths, memory, fingerprint);
        }
        remove(folder)?;
        let mut level = paths.to_vec();
        let mut step = 0;
        while level.len() > most {
            let below = folder.join(format!("{step}"));
            fs::create_dir_all(&below).map_err(Error::io("create the folder", &below))?;
            let mut next = vec![];
            for (number, group) in level.chunks(most).enumerate() {
                let path = below.join(format!("{number:06}.run"));
                let mut merge = Self::direct(group, memory / 2, fingerprint)?;
                let mut writer = Writer::scratch(&path, memory / 4)?;
                while let Some(record) = merge.next()? {
                    writer.push(&record)?;
                }
                writer.finish(fingerprint, 0)?;
                next.push(path);
            }
            if step > 0 {
                remove(&folder.join(format!("{}", step - 1)))?;
            }
            (level, step) = (next, step + 1);
        }
        let mut merge = Self::direct(&level, memory, fingerprint)?;
        merge.folder = Some(Folder(folder.to_path_buf()));
        Ok(merge)
    }

    fn direct(paths: &[PathBuf], memory: usize, fingerprint: u64) -> Result<Self> {
        let buffer = memory / (paths.len() + 1);
        let mut readers = paths.iter().map(|path| Reader::open(path, fingerprint, buffer)).collect::<Result<Vec<_>>>()?;
        let mut heap = BinaryHeap::with_capacity(readers.len());
        for (number, reader) in readers.iter_mut().enumerate() {
            if let Some(record) = reader.next()? {
                heap.push(Reverse((record, number)));
            }
        }
        Ok(Self { readers, heap, folder: None })
    }

    /// The next record, the lowest of all that are left.
    ///
    /// # Errors
    ///
    /// A file cannot be read, was changed, or is not sorted.
    pub(super) fn next(&mut self) -> Result<Option<R>> {
        let Some(mut top) = self.heap.peek_mut() else { return Ok(None) };
        let Reverse((record, number)) = *top;
        match self.readers[number].next()? {
            Some(next) if next < record => return Err(self.readers[number].damaged("the file is not sorted")),
            Some(next) => *top = Reverse((next, number)),
            None => drop(PeekMut::pop(top)),
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sorted_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mixed.run");
        let mut writer = Writer::create(&path, 0).unwrap();
        [3u64, 1].iter().for_each(|record| writer.push(record).unwrap());
        writer.finish(1, 0).unwrap();
        let mut merge = Merge::<u64>::open(&[path], folder.path(), 0, 1).unwrap();
        let error = merge.next().unwrap_err().to_string();
        assert!(error.contains("mixed.run") && error.contains("not sorted"), "{error}");
    }
}
