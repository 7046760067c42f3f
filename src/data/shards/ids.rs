//! Ids of a file, little-endian, two or four bytes each, from some offset on.
//!
//! They are read, not mapped: a file that another program cuts is an error and no signal that ends the process, and its pages do
//! not count as the memory of a run, which would seem to grow for as long as training finds text that it has not seen.

use crate::settings::{Error, Result};
use std::{fs::File, io, path::Path};

/// Ids of a file.
#[derive(Debug)]
pub(in crate::data) struct Ids {
    file: File,
    offset: u64,
    width: usize,
    count: usize,
}

impl Ids {
    /// `count` ids of `width` bytes behind `offset`; the rest of the file if no count is given.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that is shorter or no whole number of ids.
    pub fn open(path: &Path, offset: u64, width: usize, count: Option<u64>) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let there = length.saturating_sub(offset);
        let wrong = |message: String| Err(Error::input(path.display(), message, "make the shard again"));
        match count {
            Some(count) if u128::from(there) < u128::from(count) * width as u128 || length < offset => {
                wrong(format!("the file has {length} bytes, fewer than {count} ids of {width} bytes need: it was cut"))
            }
            None if !there.is_multiple_of(width as u64) => {
                wrong(format!("{there} bytes are no whole number of ids of {width} bytes: it was cut, or its ids are of another size"))
            }
            _ => Ok(Self { file, offset, width, count: count.unwrap_or(there / width as u64) as usize }),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// `count` ids from `start` on; panics beyond the end, or if the disk fails.
    pub fn read(&self, start: usize, count: usize) -> Vec<u32> {
        assert!(start + count <= self.count, "ids {start}..{} of {}", start + count, self.count);
        let mut bytes = vec![0; count * self.width];
        self.bytes((start * self.width) as u64, &mut bytes).expect("a shard that was opened can be read");
        match self.width {
            2 => bytes.chunks_exact(2).map(|id| u32::from(u16::from_le_bytes([id[0], id[1]]))).collect(),
            _ => bytes.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect(),
        }
    }

    /// Bytes from the first id on.
    pub fn bytes(&self, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_at(&self.file, self.offset + start, buffer)
    }

    /// Bytes of all ids.
    pub fn size(&self) -> u64 {
        (self.count * self.width) as u64
    }
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
