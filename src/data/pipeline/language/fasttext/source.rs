//! Reading model files that may hold anything.

use crate::settings::{Error, Result};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// A file of which it is known how much is left, so that nothing larger is ever allocated.
pub(super) struct Source {
    path: PathBuf,
    file: BufReader<File>,
    left: u64,
    size: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let left = file.metadata().map_err(Error::io("read", path))?.len();
        Ok(Self { path: path.to_path_buf(), file: BufReader::with_capacity(1 << 16, file), left, size: left })
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn wrong(&self, what: &str) -> Error {
        Error::input(self.path.display(), what, "give a fastText classifier (.bin or .ftz), and compare its size with that of its source")
    }

    /// Takes so many values of so many bytes into account.
    pub(super) fn claim(&mut self, count: i64, width: u64) -> Result<usize> {
        let bytes = u64::try_from(count).ok().and_then(|count| count.checked_mul(width)).filter(|bytes| *bytes <= self.left);
        self.left -= bytes.ok_or_else(|| self.wrong("it is cut or damaged: it says that it holds more than it does"))?;
        Ok(count as usize)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.claim(1, N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        Ok(self.bytes::<1>()?[0] != 0)
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        self.bytes().map(i32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        self.bytes().map(i64::from_le_bytes)
    }

    pub(super) fn vec_u8(&mut self, count: i64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.claim(count, 1)?];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    pub(super) fn vec_f32(&mut self, count: i64) -> Result<Vec<f32>> {
        let count = self.claim(count, 4)?;
        let mut values = Vec::with_capacity(count);
        let mut block = vec![0; (count * 4).min(1 << 16)];
        while values.len() < count {
            let bytes = &mut block[..((count - values.len()) * 4).min(1 << 16)];
            self.file.read_exact(bytes).map_err(Error::io("read", &self.path))?;
            values.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        }
        Ok(values)
    }

    /// Bytes up to a NUL, which is not among them.
    pub(super) fn name(&mut self) -> Result<Vec<u8>> {
        let mut name = vec![];
        let read = (&mut self.file).take(self.left).read_until(0, &mut name).map_err(Error::io("read", &self.path))?;
        self.left -= read as u64;
        match name.pop() {
            Some(0) => Ok(name),
            _ => Err(self.wrong("it is cut: a word has no end")),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<()> {
        if self.left > 0 { Err(self.wrong("something follows where the model ends: it is damaged")) } else { Ok(()) }
    }
}
