//! Sorting more records than memory holds: sorted runs on disk, merged.

use super::{file::Writer, merge::Merge, record::Record};
use crate::settings::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Sorts records within a memory budget.
pub(super) struct Sorter<R> {
    folder: PathBuf,
    memory: usize,
    fingerprint: u64,
    buffer: Vec<R>,
    limit: usize,
    runs: Vec<PathBuf>,
    records: u64,
}

impl<R: Record> Sorter<R> {
    /// A sorter that takes about `memory` bytes and spills into `folder`, which is its own: what an earlier, killed one left
    /// there is removed.
    pub(super) fn new(folder: PathBuf, memory: usize, fingerprint: u64) -> Result<Self> {
        remove(&folder)?;
        // A half for the buffer, as growing it may need the other for a moment.
        let limit = (memory / 2 / size_of::<R>().max(1)).max(64);
        Ok(Self { folder, memory, fingerprint, buffer: vec![], limit, runs: vec![], records: 0 })
    }

    /// Adds a record.
    #[inline]
    pub(super) fn push(&mut self, record: R) -> Result<()> {
        if self.buffer.len() == self.buffer.capacity() {
            self.grow()?;
        }
        self.buffer.push(record);
        self.records += 1;
        Ok(())
    }

    /// Records so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    fn grow(&mut self) -> Result<()> {
        if self.buffer.len() >= self.limit {
            return self.spill();
        }
        let more = self.buffer.len().max(64).min(self.limit - self.buffer.len());
        self.buffer.reserve_exact(more);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create the folder", &self.folder))?;
        let path = self.folder.join(format!("{:06}.run", self.runs.len()));
        self.write(Writer::scratch(&path, self.memory / 4)?, 0)?;
        self.runs.push(path);
        Ok(())
    }

    fn write(&mut self, mut writer: Writer<R>, documents: u64) -> Result<()> {
        self.buffer.sort_unstable();
        self.buffer.iter().try_for_each(|record| writer.push(record))?;
        writer.finish(self.fingerprint, documents)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes all records, sorted, to one file, which says of how many documents they are.
    pub(super) fn finish(mut self, path: &Path, documents: u64) -> Result<()> {
        if self.runs.is_empty() {
            let writer = Writer::create(path, self.memory / 4)?;
            return self.write(writer, documents);
        }
        let (fingerprint, memory) = (self.fingerprint, self.memory);
        let mut sorted = self.sorted()?;
        let mut writer = Writer::create(path, memory / 4)?;
        while let Some(record) = sorted.next()? {
            writer.push(&record)?;
        }
        writer.finish(fingerprint, documents)
    }

    /// All records in order.
    pub(super) fn sorted(mut self) -> Result<Sorted<R>> {
        if self.runs.is_empty() {
            self.buffer.sort_unstable();
            return Ok(Sorted::Memory(self.buffer.into_iter()));
        }
        if !self.buffer.is_empty() {
            self.spill()?;
        }
        self.buffer = vec![];
        let merge = Merge::open(&self.runs, &self.folder.join("merged"), self.memory, self.fingerprint)?;
        Ok(Sorted::Disk(merge, Folder(self.folder)))
    }
}

/// A folder that goes when it is no longer needed.
pub(super) struct Folder(pub(super) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is removed by the next that uses it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sorted records, from memory or from disk.
pub(super) enum Sorted<R> {
    /// They were few.
    Memory(std::vec::IntoIter<R>),
    /// They were many.
    Disk(Merge<R>, #[expect(dead_code, reason = "what is in it is removed with it")] Folder),
}

impl<R: Record> Sorted<R> {
    /// The next one.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<R>> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::Disk(merge, _) => merge.next(),
        }
    }
}

/// Removes a folder that may not be there.
pub(super) fn remove(folder: &Path) -> Result<()> {
    crate::files::if_there(fs::remove_dir_all(folder)).map(drop).map_err(Error::io("remove the folder", folder))
}

#[cfg(test)]
mod tests {
    use super::{super::file::Reader, *};
    use proptest::prelude::*;

    fn drain<R: Record>(mut sorted: Sorted<R>) -> Vec<R> {
        std::iter::from_fn(|| sorted.next().unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn sorting_on_disk_is_sorting(records in prop::collection::vec((0u64..500, any::<u32>()), 0..6000), memory in 0usize..40_000) {
            let folder = tempfile::tempdir().unwrap();
            let fill = || {
                let mut sorter = Sorter::new(folder.path().join("spill"), memory, 1).unwrap();
                records.iter().for_each(|record| sorter.push(*record).unwrap());
                sorter
            };
            let mut expected = records.clone();
            expected.sort_unstable();
            prop_assert_eq!(drain(fill().sorted().unwrap()), &expected[..]);
            let path = folder.path().join("whole.run");
            fill().finish(&path, 3).unwrap();
            let mut reader = Reader::<(u64, u32)>::open(&path, 1, 0).unwrap();
            prop_assert_eq!(reader.header().documents, 3);
            let read: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
            prop_assert_eq!(read, expected);
            // Neither spilled runs nor merged ones are left.
            prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn more_files_than_memory_has_room_for_are_merged_in_steps() {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(folder.path().join("spill"), 64, 1).unwrap();
        // 64 records a run, two files at a time.
        (0..2000u64).for_each(|number| sorter.push(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap());
        assert_eq!(sorter.records(), 2000);
        let mut expected: Vec<u64> = (0..2000u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        expected.sort_unstable();
        assert_eq!(drain(sorter.sorted().unwrap()), expected);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
