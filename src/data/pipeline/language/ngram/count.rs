//! Counting n-grams in bounded memory: packed keys are collected, sorted, and written as runs, which are merged at the end.

use super::trie::Trie;
use crate::settings::{Error, Result};
use rayon::prelude::*;
use std::{
    collections::BinaryHeap,
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Bytes of a record of a run: a key and how often it occurs.
const RECORD: usize = 20;

/// n-grams of one order, as numbers: the last word in the highest bits, so that sorting them brings together what ends alike
/// (the suffix order of Heafield et al. 2013). Contexts that reach beyond the start of a sentence are filled with `<s>`.
pub(super) struct Counter {
    order: usize,
    bits: u32,
    last: u128,
    keys: Vec<u128>,
    most: usize,
    memory: usize,
    words: u64,
    scratch: PathBuf,
    runs: Option<Runs>,
}

/// Sorted runs, one behind the other in a file without a name.
struct Runs {
    file: File,
    end: u64,
    /// Start and records of each.
    parts: Vec<(u64, u64)>,
}

impl Counter {
    pub(super) fn new(order: usize, memory: usize, scratch: &Path) -> Result<Self> {
        if memory < 16 {
            return Err(Error::input("memory", format!("{memory} MiB are too few to count with"), "give at least 16"));
        }
        let memory = memory.saturating_mul(1 << 20);
        let scratch = scratch.to_path_buf();
        let bits = (128 / order as u32).min(32);
        Ok(Self { order, bits, last: 0, keys: vec![], most: memory / 16, memory, words: 0, scratch, runs: None })
    }

    /// How many different words the keys have room for.
    pub(super) fn most_words(&self) -> u64 {
        // The highest number of 32 bits marks empty places of tables.
        if self.bits == 32 { u64::from(u32::MAX) - 1 } else { 1 << self.bits }
    }

    pub(super) fn words(&self) -> u64 {
        self.words
    }

    /// Spills after so many n-grams.
    #[cfg(test)]
    pub(super) fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// Starts a sentence.
    pub(super) fn begin(&mut self, word: u32) {
        self.last = (0..self.order).fold(0, |key, _| (key << (self.bits % 128)) | u128::from(word));
    }

    /// Counts the n-gram that ends with this word.
    pub(super) fn word(&mut self, word: u32) -> Result<()> {
        self.last = (u128::from(word) << (self.bits * (self.order as u32 - 1))) | (self.last >> self.bits);
        self.words += 1;
        if self.keys.len() == self.most {
            self.spill()?;
        }
        self.keys.push(self.last);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        sort(&mut self.keys);
        let wrong = |error| Error::io("write sorted n-grams in", &self.scratch)(error);
        let runs = match &mut self.runs {
            Some(runs) => runs,
            None => self.runs.insert(Runs { file: tempfile::tempfile_in(&self.scratch).map_err(wrong)?, end: 0, parts: vec![] }),
        };
        let mut file = BufWriter::with_capacity(1 << 20, &runs.file);
        let mut records = 0;
        for same in self.keys.chunk_by(|a, b| a == b) {
            let mut record = [0; RECORD];
            record[..16].copy_from_slice(&same[0].to_le_bytes());
            record[16..].copy_from_slice(&u32::try_from(same.len()).unwrap_or(u32::MAX).to_le_bytes());
            file.write_all(&record).map_err(wrong)?;
            records += 1;
        }
        file.flush().map_err(wrong)?;
        drop(file);
        runs.parts.push((runs.end, records));
        runs.end += records * RECORD as u64;
        self.keys.clear();
        Ok(())
    }

    /// All n-grams of all orders.
    pub(super) fn into_trie(mut self, thresholds: &[u64], words: usize) -> Result<Trie> {
        let mut trie = Trie::new(self.order, self.bits, thresholds, words);
        if self.runs.is_none() {
            sort(&mut self.keys);
            self.keys.chunk_by(|a, b| a == b).try_for_each(|same| trie.push(same[0], same.len() as u64))?;
        } else {
            self.spill()?;
            self.keys = vec![];
            self.merge(|key, count| trie.push(key, count))?;
        }
        Ok(trie)
    }

    /// Hands on every key once, in order.
    fn merge(&mut self, mut each: impl FnMut(u128, u64) -> Result<()>) -> Result<()> {
        let Some(runs) = &self.runs else { return Ok(()) };
        let wrong = |error| Error::io("read sorted n-grams in", &self.scratch)(error);
        let size = (self.memory / runs.parts.len() / RECORD).clamp(1024, 1 << 16) * RECORD;
        let mut heap = BinaryHeap::with_capacity(runs.parts.len());
        for (start, records) in &runs.parts {
            let mut run = Run { start: *start, left: records * RECORD as u64, bytes: vec![], at: 0, key: 0, count: 0 };
            if run.next(&runs.file, size).map_err(wrong)? {
                heap.push(run);
            }
        }
        let mut current: Option<(u128, u64)> = None;
        while let Some(mut run) = heap.peek_mut() {
            match &mut current {
                Some((key, count)) if *key == run.key => *count += run.count,
                _ => {
                    if let Some((key, count)) = current.replace((run.key, run.count)) {
                        each(key, count)?;
                    }
                }
            }
            if !run.next(&runs.file, size).map_err(wrong)? {
                std::collections::binary_heap::PeekMut::pop(run);
            }
        }
        current.map_or(Ok(()), |(key, count)| each(key, count))
    }
}

/// Equal keys are alike, so that threads cannot change the outcome.
fn sort(keys: &mut [u128]) {
    if rayon::current_num_threads() > 1 { keys.par_sort_unstable() } else { keys.sort_unstable() }
}

/// A run that is being read.
struct Run {
    start: u64,
    left: u64,
    bytes: Vec<u8>,
    at: usize,
    key: u128,
    count: u64,
}

impl Run {
    /// Goes to the next record; false at the end.
    fn next(&mut self, mut file: &File, size: usize) -> std::io::Result<bool> {
        if self.at == self.bytes.len() {
            let some = self.left.min(size as u64);
            if some == 0 {
                return Ok(false);
            }
            self.bytes.resize(some as usize, 0);
            file.seek(SeekFrom::Start(self.start))?;
            file.read_exact(&mut self.bytes)?;
            (self.start, self.left, self.at) = (self.start + some, self.left - some, 0);
        }
        let (key, count) = self.bytes[self.at..self.at + RECORD].split_at(16);
        self.key = u128::from_le_bytes(key.try_into().expect("16 bytes"));
        self.count = u64::from(u32::from_le_bytes(count.try_into().expect("4 bytes")));
        self.at += RECORD;
        Ok(true)
    }
}

/// The lowest key comes first out of a heap that hands out the highest.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.key, other.start).cmp(&(self.key, self.start))
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Run {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_on_disk_give_what_memory_gives() {
        let scratch = tempfile::tempdir().unwrap();
        let counted = |most: usize| {
            let mut counter = Counter::new(3, 16, scratch.path()).unwrap();
            counter.most = most;
            counter.begin(1);
            for at in 0..5000u32 {
                counter.word(3 + at.wrapping_mul(2_654_435_761) % 7).unwrap();
            }
            if counter.runs.is_some() {
                counter.spill().unwrap();
                assert!(counter.runs.as_ref().unwrap().parts.len() > 50);
                let mut all = vec![];
                let mut keep = |key, count| {
                    all.push((key, count));
                    Ok(())
                };
                counter.merge(&mut keep).unwrap();
                return all;
            }
            sort(&mut counter.keys);
            counter.keys.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
        };
        let whole = counted(1 << 20);
        assert_eq!(whole.iter().map(|(_, count)| count).sum::<u64>(), 5000);
        assert_eq!(counted(97), whole);
    }
}
