//! Models as binary files: the tables as they lie in memory, little-endian, with a checksum.
//!
//! ```text
//! "ablate n-gram 1\n"  order, words, bytes of words, nodes, entries: u64 each
//! words, one behind the other · their ends u64 · unigrams 8 bytes · nodes 8 bytes · entries 16 bytes
//! XXH3 of all of that: u64
//! ```

use super::{
    model::{Entry, FREE, Model, Node, ROOT, Unigram},
    vocabulary::Vocabulary,
};
use crate::{
    files,
    settings::{Error, Result},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};
use xxhash_rust::xxh3::Xxh3;

const MAGIC: [u8; 16] = *b"ablate n-gram 1\n";

/// Bytes that are read or written at once.
const BLOCK: usize = 1 << 16;

impl Model {
    /// Reads a model from a file of either kind: binary, or ARPA.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is cut, damaged, or of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let mut start = Vec::new();
        (&mut file).take(16).read_to_end(&mut start).map_err(Error::io("read", path))?;
        if start != MAGIC {
            return Self::read_arpa(path);
        }
        let mut source = Source { path, file, hash: Xxh3::new() };
        source.hash.update(&MAGIC);
        Self::decode(&mut source, size)
    }

    fn decode(source: &mut Source, size: u64) -> Result<Self> {
        let damaged = |what: &str| Error::input(source.path.display(), what, "make the file again from its ARPA file or its text");
        let mut header = [0u64; 5];
        source.array(5, 8, |at, bytes| header[at] = u64_of(bytes))?;
        let [order, words, text, nodes, entries] = header;
        let expected = [(words, 16u128), (text, 1), (nodes, 8), (entries, 16)].map(|(n, width)| u128::from(n) * width);
        if u128::from(size) != expected.iter().sum::<u128>() + 16 + 40 + 8 {
            return Err(damaged("its size is not what it says: it was cut, or is damaged"));
        }
        let mut bytes = Vec::with_capacity(text as usize);
        source.array(text as usize, 1, |_, byte| bytes.push(byte[0]))?;
        let mut ends = Vec::with_capacity(words as usize);
        source.array(words as usize, 8, |_, bytes| ends.push(u64_of(bytes)))?;
        let mut unigrams = Vec::with_capacity(words as usize);
        source.array(words as usize, 8, |_, b| unigrams.push(Unigram { probability: f32_of(b), next: u32_of(&b[4..]) }))?;
        let mut contexts = Vec::with_capacity(nodes as usize);
        source.array(nodes as usize, 8, |_, b| contexts.push(Node { backoff: f32_of(b), fail: u32_of(&b[4..]), follow: 0 }))?;
        let mut table = Vec::with_capacity(entries as usize);
        source.array(entries as usize, 16, |_, b| {
            table.push(Entry { node: u32_of(b), word: u32_of(&b[4..]), probability: f32_of(&b[8..]), next: u32_of(&b[12..]) });
        })?;
        let found = source.hash.digest();
        let mut sum = 0;
        source.array(1, 8, |_, bytes| sum = u64_of(bytes))?;
        if found != sum {
            return Err(damaged("its checksum differs: it is damaged"));
        }
        let vocabulary = vocabulary(&bytes, &ends).ok_or_else(|| damaged("its words are no list of words"))?;
        let mut model = Self { order: order as usize, vocabulary, unigrams, nodes: contexts, entries: table };
        // A checksum keeps no one from writing a file that sends look-ups astray.
        if !model.is_sound() {
            return Err(damaged("its tables point outside of each other"));
        }
        model.note_what_follows();
        Ok(model)
    }

    /// Every number points to something, falling ends, and searches find a free place.
    fn is_sound(&self) -> bool {
        let there = |node: u32| (node as usize) < self.nodes.len();
        let falls = self.nodes.iter().enumerate().skip(1).all(|(at, node)| (node.fail as usize) < at);
        !self.nodes.is_empty()
            && falls
            && self.unigrams.len() >= 3
            && self.unigrams.iter().all(|unigram| there(unigram.next))
            && self.entries.iter().any(|entry| entry.node == FREE.node)
            && self.entries.iter().all(|entry| entry.node == FREE.node || (entry.node != ROOT && there(entry.node) && there(entry.next)))
    }

    /// Writes the model as a binary file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wrong = |error| Error::io("write", path)(error);
        files::replace_with(path, wrong, |file| {
            let mut target = Target { file, hash: Xxh3::new(), block: Vec::with_capacity(BLOCK + 64) };
            let (text, ends) = self.vocabulary.parts();
            let header = [self.order, self.unigrams.len(), text.len(), self.nodes.len(), self.entries.len()];
            let mut write = || {
                target.put(&MAGIC)?;
                header.iter().try_for_each(|number| target.put(&(*number as u64).to_le_bytes()))?;
                text.as_bytes().chunks(BLOCK).try_for_each(|part| target.put(part))?;
                ends.iter().try_for_each(|end| target.put(&(*end as u64).to_le_bytes()))?;
                self.unigrams.iter().try_for_each(|one| target.put(&pair(one.probability.to_bits(), one.next)))?;
                self.nodes.iter().try_for_each(|node| target.put(&pair(node.backoff.to_bits(), node.fail)))?;
                for entry in &self.entries {
                    target.put(&pair(entry.node, entry.word))?;
                    target.put(&pair(entry.probability.to_bits(), entry.next))?;
                }
                target.finish()
            };
            write().map_err(wrong)
        })
    }
}

/// The words, which must all differ, the special ones first.
fn vocabulary(bytes: &[u8], ends: &[u64]) -> Option<Vocabulary> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = Vocabulary::new();
    let mut start = 0;
    for (id, end) in ends.iter().enumerate() {
        let end = usize::try_from(*end).ok()?;
        if words.add(text.get(start..end)?) as usize != id {
            return None;
        }
        start = end;
    }
    (start == text.len() && words.len() == ends.len()).then_some(words)
}

fn pair(first: u32, second: u32) -> [u8; 8] {
    (u64::from(first) | u64::from(second) << 32).to_le_bytes()
}

fn u64_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"))
}

fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().expect("4 bytes"))
}

fn f32_of(bytes: &[u8]) -> f32 {
    f32::from_bits(u32_of(bytes))
}

/// A file that is hashed while it is read.
struct Source<'a> {
    path: &'a Path,
    file: File,
    hash: Xxh3,
}

impl Source<'_> {
    /// Hands on so many values of some bytes each.
    fn array(&mut self, count: usize, width: usize, mut each: impl FnMut(usize, &[u8])) -> Result<()> {
        let mut block = vec![0; BLOCK.min(count * width)];
        let mut at = 0;
        while at < count {
            let some = (count - at).min(BLOCK / width);
            let bytes = &mut block[..some * width];
            self.file.read_exact(bytes).map_err(Error::io("read", self.path))?;
            self.hash.update(bytes);
            for value in bytes.chunks_exact(width) {
                each(at, value);
                at += 1;
            }
        }
        Ok(())
    }
}

/// A file that is hashed while it is written.
struct Target<'a, W> {
    file: &'a mut W,
    hash: Xxh3,
    block: Vec<u8>,
}

impl<W: Write> Target<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hash.update(&self.block);
        self.file.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.write_all(&self.hash.digest().to_le_bytes())
    }
}
