//! Files of records: whole or not there, and refused if a byte differs.
//!
//! ```text
//! header (64 bytes)  magic · version · record size · records · fingerprint · documents · XXH3 of the records · XXH3 of the header
//! records            each of the same size, little-endian
//! ```

use super::record::Record;
use crate::settings::{Error, Result};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

const MAGIC: &[u8; 8] = b"ABLDEDUP";
const VERSION: u32 = 1;
const HEADER: usize = 64;
/// The smallest buffer that reading or writing in pieces pays with.
pub(super) const BUFFER: usize = 4 << 10;
const HELP: &str = "delete it, and what was made after it, and start again: it is made anew";

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Records in the file.
    pub records: u64,
    /// Hash of everything that decides what the file holds.
    pub fingerprint: u64,
    /// Documents that were read to make it.
    pub documents: u64,
    checksum: u64,
}

impl Header {
    fn bytes(&self, size: usize) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(size as u32).to_le_bytes());
        for (place, value) in [self.records, self.fingerprint, self.documents, self.checksum].into_iter().enumerate() {
            bytes[16 + 8 * place..][..8].copy_from_slice(&value.to_le_bytes());
        }
        let check = xxh3_64(&bytes[..HEADER - 8]);
        bytes[HEADER - 8..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The message says what is wrong.
    fn parse(bytes: &[u8; HEADER], size: usize) -> std::result::Result<Self, &'static str> {
        let number = |place: usize| u64::read(&bytes[place..]);
        if &bytes[..8] != MAGIC {
            return Err("it is no file of records");
        }
        if number(HEADER - 8) != xxh3_64(&bytes[..HEADER - 8]) {
            return Err("its header is damaged");
        }
        if u32::read(&bytes[8..]) != VERSION {
            return Err("it was written by another version of this program");
        }
        if u32::read(&bytes[12..]) as usize != size {
            return Err("its records are of another kind");
        }
        Ok(Self { records: number(16), fingerprint: number(24), documents: number(32), checksum: number(40) })
    }
}

/// Writes a file of records under a temporary name; nothing is there before [`finish`](Self::finish).
pub(super) struct Writer<R> {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    buffer: Vec<u8>,
    limit: usize,
    hash: Box<Xxh3Default>,
    records: u64,
    durable: bool,
    done: bool,
    kind: PhantomData<R>,
}

impl<R: Record> Writer<R> {
    /// Starts a file, written in pieces of at most `buffer` bytes.
    pub(super) fn create(path: &Path, buffer: usize) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let mut file = File::create(&temporary).map_err(Error::io("write", &temporary))?;
        file.write_all(&[0; HEADER]).map_err(Error::io("write", &temporary))?;
        let limit = buffer.clamp(BUFFER, 1 << 20).next_multiple_of(R::SIZE);
        let path = path.to_path_buf();
        Ok(Self {
            path,
            temporary,
            file,
            buffer: vec![],
            limit,
            hash: Box::default(),
            records: 0,
            durable: true,
            done: false,
            kind: PhantomData,
        })
    }

    /// The same for a file that nobody needs after a crash: the disk is not waited for.
    pub(super) fn scratch(path: &Path, buffer: usize) -> Result<Self> {
        let mut writer = Self::create(path, buffer)?;
        writer.durable = false;
        Ok(writer)
    }

    /// Adds a record.
    #[inline]
    pub(super) fn push(&mut self, record: &R) -> Result<()> {
        let start = self.buffer.len();
        self.buffer.resize(start + R::SIZE, 0);
        record.write(&mut self.buffer[start..]);
        self.records += 1;
        if self.buffer.len() >= self.limit { self.flush() } else { Ok(()) }
    }

    /// Records so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    fn flush(&mut self) -> Result<()> {
        self.hash.update(&self.buffer);
        self.file.write_all(&self.buffer).map_err(Error::io("write", &self.temporary))?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the header, waits for the disk, and gives the file its name.
    pub(super) fn finish(mut self, fingerprint: u64, documents: u64) -> Result<()> {
        self.flush()?;
        let header = Header { records: self.records, fingerprint, documents, checksum: self.hash.digest() };
        let durable = self.durable;
        let write = |file: &mut File| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header.bytes(R::SIZE))?;
            if durable { file.sync_all() } else { Ok(()) }
        };
        write(&mut self.file).map_err(Error::io("write", &self.temporary))?;
        fs::rename(&self.temporary, &self.path).map_err(Error::io("write", &self.path))?;
        self.done = true;
        Ok(())
    }
}

impl<R> Drop for Writer<R> {
    fn drop(&mut self) {
        if !self.done {
            // A left-over that cannot be removed does no harm.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Reads a file of records from first to last, and says at its end whether all was as written.
pub(super) struct Reader<R> {
    path: PathBuf,
    file: File,
    header: Header,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    left: u64,
    hash: Box<Xxh3Default>,
    kind: PhantomData<R>,
}

impl<R: Record> Reader<R> {
    /// Opens a file, read in pieces of at most `buffer` bytes.
    ///
    /// # Errors
    ///
    /// It is not there, its header or its length is not that of such a file, or another recipe made it.
    pub(super) fn open(path: &Path, fingerprint: u64, buffer: usize) -> Result<Self> {
        let damaged = |message: &str| Error::input(path.display(), message, HELP);
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let mut bytes = [0; HEADER];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(damaged("the file is cut off")),
            read => read.map_err(Error::io("read", path))?,
        }
        let header = Header::parse(&bytes, R::SIZE).map_err(damaged)?;
        if header.fingerprint != fingerprint {
            let help = "use another working folder, or delete this one";
            return Err(Error::input(path.display(), "it belongs to another recipe or other inputs", help));
        }
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        if header.records.checked_mul(R::SIZE as u64).and_then(|bytes| bytes.checked_add(HEADER as u64)) != Some(length) {
            return Err(damaged("the file's length is not what its header says"));
        }
        // A file of few records needs no more than that.
        let most = usize::try_from(length - HEADER as u64).unwrap_or(usize::MAX).max(1);
        let size = buffer.clamp(BUFFER, 1 << 20).min(most).next_multiple_of(R::SIZE);
        let path = path.to_path_buf();
        let left = header.records;
        Ok(Self { path, file, header, buffer: vec![0; size], at: 0, filled: 0, left, hash: Box::default(), kind: PhantomData })
    }

    /// The same, with all bytes checked before the first record is read: for what is used as it comes.
    pub(super) fn open_checked(path: &Path, fingerprint: u64, buffer: usize) -> Result<Self> {
        let mut check = Self::open(path, fingerprint, buffer)?;
        while check.next()?.is_some() {}
        Self::open(path, fingerprint, buffer)
    }

    /// What the file says of itself.
    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// The next record; none after the last, if all bytes were as written.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<R>> {
        if self.at == self.filled && !self.fill()? {
            return Ok(None);
        }
        let record = R::read(&self.buffer[self.at..]);
        self.at += R::SIZE;
        Ok(Some(record))
    }

    fn fill(&mut self) -> Result<bool> {
        if self.left == 0 {
            if self.hash.digest() != self.header.checksum {
                return Err(self.damaged("the file's content is damaged"));
            }
            return Ok(false);
        }
        let records = self.left.min((self.buffer.len() / R::SIZE) as u64);
        let bytes = &mut self.buffer[..records as usize * R::SIZE];
        self.file.read_exact(bytes).map_err(Error::io("read", &self.path))?;
        self.hash.update(bytes);
        (self.at, self.filled, self.left) = (0, bytes.len(), self.left - records);
        Ok(true)
    }

    /// An error of this file.
    pub(super) fn damaged(&self, message: &str) -> Error {
        Error::input(self.path.display(), message, HELP)
    }
}

/// Records of a file by number, after one check of all its bytes.
pub(super) struct Table<R> {
    reader: Reader<R>,
}

impl<R: Record> Table<R> {
    /// Opens a file; the first time that one is opened, all its bytes should be checked.
    pub(super) fn open(path: &Path, fingerprint: u64, check: bool) -> Result<Self> {
        let reader = if check { Reader::open_checked(path, fingerprint, 64 << 10) } else { Reader::open(path, fingerprint, 0) };
        Ok(Self { reader: reader? })
    }

    /// Records in the file.
    pub(super) fn len(&self) -> u64 {
        self.reader.header.records
    }

    /// Records from a number on, read into `out`, whose length says how many.
    pub(super) fn read(&mut self, start: u64, count: usize, out: &mut Vec<R>) -> Result<()> {
        let reader = &mut self.reader;
        out.clear();
        let end = start.checked_add(count as u64).filter(|end| *end <= reader.header.records);
        if end.is_none() {
            return Err(reader.damaged("the file has fewer records than another file says"));
        }
        reader.buffer.resize(count.saturating_mul(R::SIZE), 0);
        let mut read = || {
            reader.file.seek(SeekFrom::Start(HEADER as u64 + start * R::SIZE as u64))?;
            reader.file.read_exact(&mut reader.buffer)
        };
        read().map_err(Error::io("read", &reader.path))?;
        out.extend(reader.buffer.chunks_exact(R::SIZE).map(R::read));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, records: u64) {
        let mut writer = Writer::create(path, 0).unwrap();
        (0..records).for_each(|record| writer.push(&(record, 7u32)).unwrap());
        writer.finish(5, records).unwrap();
    }

    fn read(path: &Path) -> Result<u64> {
        let mut reader = Reader::<(u64, u32)>::open(path, 5, 0)?;
        let mut count = 0;
        while let Some((number, seven)) = reader.next()? {
            assert!(number == count && seven == 7);
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn records_come_back_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.run");
        for records in [0, 1, 341, 342, 100_000] {
            write(&path, records);
            assert_eq!(read(&path).unwrap(), records);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        let mut table = Table::<(u64, u32)>::open(&path, 5, true).unwrap();
        let mut out = vec![];
        table.read(99_998, 2, &mut out).unwrap();
        assert_eq!(out, [(99_998, 7), (99_999, 7)]);
        assert!(table.read(99_999, 2, &mut out).is_err() && table.len() == 100_000);
    }

    #[test]
    fn a_file_that_is_not_finished_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(&folder.path().join("a.run"), 0).unwrap();
        writer.push(&1u32).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn every_damaged_byte_is_seen_and_the_file_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.run");
        write(&path, 3);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(Reader::<(u64, u32)>::open_checked(&path, 5, 0).err().unwrap().to_string().contains("b.run"), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(Reader::<(u64, u32)>::open_checked(&path, 5, 0).err().unwrap().to_string().contains("b.run"), "cut at {at}");
        }
        fs::write(&path, &whole).unwrap();
        assert!(Reader::<(u64, u32)>::open(&path, 6, 0).err().unwrap().to_string().contains("another recipe"));
        assert!(Reader::<u64>::open(&path, 5, 0).err().unwrap().to_string().contains("another kind"));
    }
}
