//! More than memory holds, in order: parts are sorted, written to a temporary file and merged.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{Read, Result, Seek, SeekFrom, Write},
    ops::Range,
};

/// What is sorted by: question, then kind, then number.
pub(super) type Key = (u64, u8, u64);

/// Bytes of a part that are read at once.
const BUFFER: usize = 1 << 17;
/// Bytes in a part before each item: key and length.
const HEADER: usize = 8 + 1 + 8 + 4;

/// Takes items in any order.
pub(super) struct Sorter {
    /// Bytes that may be held.
    memory: usize,
    held: Vec<u8>,
    index: Vec<(Key, usize, u32)>,
    parts: Vec<Range<u64>>,
    file: Option<File>,
}

impl Sorter {
    pub fn new(memory: u64) -> Self {
        let memory = usize::try_from(memory).unwrap_or(usize::MAX);
        Self { memory, held: Vec::new(), index: Vec::new(), parts: Vec::new(), file: None }
    }

    /// Adds an item of less than 4 GiB.
    pub fn push(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let index = (self.index.len() + 1) * size_of::<(Key, usize, u32)>();
        if !self.index.is_empty() && self.held.len() + item.len() + index > self.memory {
            self.spill()?;
        }
        let length = u32::try_from(item.len()).map_err(std::io::Error::other)?;
        if self.held.capacity() - self.held.len() < item.len() {
            // Doubled like any vector, but not beyond what may be held.
            let room = self.memory.saturating_sub(self.held.len());
            self.held.reserve_exact(self.held.len().min(room).max(item.len()));
        }
        self.index.push((key, self.held.len(), length));
        self.held.extend_from_slice(item);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.index.sort_unstable();
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(tempfile::tempfile()?),
        };
        let begin = file.seek(SeekFrom::End(0))?;
        let mut out = std::io::BufWriter::with_capacity(BUFFER, &*file);
        for &((group, kind, number), at, length) in &self.index {
            out.write_all(&group.to_le_bytes())?;
            out.write_all(&[kind])?;
            out.write_all(&number.to_le_bytes())?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&self.held[at..at + length as usize])?;
        }
        out.flush()?;
        drop(out);
        self.parts.push(begin..file.stream_position()?);
        self.held.clear();
        self.index.clear();
        Ok(())
    }

    /// All items in order; equal keys in the order they came in.
    pub fn finish(mut self) -> Result<Merged> {
        if self.file.is_some() && !self.index.is_empty() {
            self.spill()?;
            self.held = Vec::new();
        }
        self.index.sort_unstable();
        let parts: Vec<Part> = self.parts.iter().map(|range| Part { rest: range.clone(), buffer: Vec::new(), at: 0 }).collect();
        let mut merged = Merged { file: self.file, parts, heap: BinaryHeap::new(), held: self.held, index: self.index.into_iter() };
        for part in 0..merged.parts.len() {
            merged.advance(part)?;
        }
        Ok(merged)
    }
}

/// Items in order.
pub(super) struct Merged {
    file: Option<File>,
    parts: Vec<Part>,
    /// The next key of each part.
    heap: BinaryHeap<Reverse<(Key, usize)>>,
    /// What was never written: all, if it was little.
    held: Vec<u8>,
    index: std::vec::IntoIter<(Key, usize, u32)>,
}

struct Part {
    rest: Range<u64>,
    buffer: Vec<u8>,
    at: usize,
}

impl Merged {
    /// The next item, put in place of what `item` held.
    pub fn next(&mut self, item: &mut Vec<u8>) -> Result<Option<Key>> {
        item.clear();
        if let Some((key, at, length)) = self.index.next() {
            item.extend_from_slice(&self.held[at..at + length as usize]);
            return Ok(Some(key));
        }
        let Some(Reverse((key, number))) = self.heap.pop() else { return Ok(None) };
        let (Some(file), part) = (&mut self.file, &mut self.parts[number]) else { return Ok(None) };
        let length = u32::from_le_bytes(part.take(file)?);
        part.take_into(file, item, length as usize)?;
        self.advance(number)?;
        Ok(Some(key))
    }

    /// The key of the next item.
    pub fn peek(&self) -> Option<Key> {
        self.index.as_slice().first().map(|first| first.0).or_else(|| self.heap.peek().map(|Reverse((key, _))| *key))
    }

    /// Puts the next key of a part in the heap.
    fn advance(&mut self, number: usize) -> Result<()> {
        let (Some(file), part) = (&mut self.file, &mut self.parts[number]) else { return Ok(()) };
        if part.left() >= HEADER as u64 {
            let group = u64::from_le_bytes(part.take(file)?);
            let [kind] = part.take(file)?;
            let key = (group, kind, u64::from_le_bytes(part.take(file)?));
            self.heap.push(Reverse((key, number)));
        }
        Ok(())
    }
}

impl Part {
    fn left(&self) -> u64 {
        self.rest.end - self.rest.start + (self.buffer.len() - self.at) as u64
    }

    fn take<const N: usize>(&mut self, file: &mut File) -> Result<[u8; N]> {
        let mut bytes = Vec::with_capacity(N);
        self.take_into(file, &mut bytes, N)?;
        bytes.try_into().map_err(|_| std::io::ErrorKind::UnexpectedEof.into())
    }

    fn take_into(&mut self, file: &mut File, into: &mut Vec<u8>, mut count: usize) -> Result<()> {
        while count > 0 {
            if self.at == self.buffer.len() {
                let length = (self.rest.end - self.rest.start).min(BUFFER as u64);
                if length == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                self.buffer.resize(length as usize, 0);
                file.seek(SeekFrom::Start(self.rest.start))?;
                file.read_exact(&mut self.buffer)?;
                self.rest.start += length;
                self.at = 0;
            }
            let some = count.min(self.buffer.len() - self.at);
            into.extend_from_slice(&self.buffer[self.at..self.at + some]);
            self.at += some;
            count -= some;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_depend_on_memory() {
        let items: Vec<(Key, Vec<u8>)> = (0..3000_u64)
            .map(|n| {
                let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                ((mixed >> 56, (mixed >> 54) as u8 & 1, n % 7), mixed.to_string().repeat(1 + (mixed % 40) as usize).into_bytes())
            })
            .collect();
        let mut expected = items.clone();
        expected.sort_by_key(|item| item.0);
        for memory in [0, 5000, 100_000, u64::MAX] {
            let mut sorter = Sorter::new(memory);
            for (key, item) in items.iter().take(if memory == 0 { 200 } else { 3000 }) {
                sorter.push(*key, item).unwrap();
            }
            let mut expected = if memory == 0 { items[..200].to_vec() } else { expected.clone() };
            expected.sort_by_key(|item| item.0);
            let mut merged = sorter.finish().unwrap();
            let (mut found, mut item) = (Vec::new(), Vec::new());
            while let Some(next) = merged.peek() {
                assert_eq!(merged.next(&mut item).unwrap(), Some(next));
                found.push((next, item.clone()));
            }
            assert_eq!(merged.next(&mut item).unwrap(), None);
            assert!(found == expected, "memory {memory}");
        }
    }

    #[test]
    fn nothing_in_order_is_nothing() {
        assert_eq!(Sorter::new(10).finish().unwrap().next(&mut Vec::new()).unwrap(), None);
    }
}
