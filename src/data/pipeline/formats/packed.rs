//! A file as a stream of bytes, unpacked on the way, that neither a bomb nor a broken end can harm.

use super::{
    Limits,
    fault::{Broken, Origin, bytes},
    gzip::Gzip,
    pushback::Pushback,
};
use crate::settings::{Error, Result};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use structured_zstd::decoding::{ContentChecksum, FrameDecoder, StreamingDecoder};

/// Below so many unpacked bytes no ratio is held against a file: short texts of one line repeated are no attack.
const HARMLESS: u64 = 64 << 20;
const BUFFER: usize = 1 << 16;

/// How a file is packed, by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// `.gz`, `.tgz`: one or more members (RFC 1952).
    Gzip,
    /// `.zst`, `.tzst`: one or more frames, skippable ones too (RFC 8878).
    Zstd,
    /// `.bz2`, `.tbz2`: one or more streams.
    Bzip2,
}

impl Packing {
    /// The packing of a file of that name.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "gz" | "tgz" => Self::Gzip,
            "zst" | "tzst" => Self::Zstd,
            "bz2" | "tbz2" => Self::Bzip2,
            _ => Self::None,
        }
    }
}

/// The unpacked content of a file. What is wrong with it is an error of kind `InvalidData` after all that came before; the end follows.
pub struct Unpacked {
    inner: Box<dyn Read + Send>,
    what: &'static str,
    /// Bytes of the file that have been read.
    packed: Arc<AtomicU64>,
    unpacked: u64,
    bytes: u64,
    ratio: u64,
    resumes: bool,
    over: bool,
}

/// Opens a file, unpacked according to its name.
///
/// # Errors
///
/// It cannot be opened, or is a folder.
pub fn open(path: &Path, limits: &Limits) -> Result<Unpacked> {
    counted(path, limits, 0, false, Arc::default())
}

impl Origin {
    /// The unpacked content of the file.
    pub fn content(&self, limits: &Limits) -> Result<Unpacked> {
        self.content_at(limits, 0, false)
    }

    /// The same from a byte of a plain file on, or of a `.gz` whose broken members are passed over after an error.
    pub fn content_at(&self, limits: &Limits, from: u64, resumes: bool) -> Result<Unpacked> {
        counted(&self.path, limits, from, resumes, Arc::clone(&self.read))
    }
}

fn counted(path: &Path, limits: &Limits, from: u64, resumes: bool, packed: Arc<AtomicU64>) -> Result<Unpacked> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    if file.metadata().map_err(Error::io("open", path))?.is_dir() {
        return Err(Error::input(path.display(), "is a folder", "name files, or let the folder be searched"));
    }
    if from > 0 {
        file.seek(SeekFrom::Start(from)).map_err(Error::io("read", path))?;
    }
    let file = Counted { inner: file, count: Arc::clone(&packed) };
    let source = |file| BufReader::with_capacity(BUFFER, file);
    let packing = Packing::of(path);
    let (inner, what): (Box<dyn Read + Send>, _) = match packing {
        Packing::None => (Box::new(file), ""),
        Packing::Gzip => (Box::new(Gzip::new(Pushback::new(source(file)), resumes)), "gzip"),
        Packing::Zstd => (Box::new(zstd(source(file))), "zstd"),
        Packing::Bzip2 => (Box::new(bzip2::bufread::MultiBzDecoder::new(source(file))), "bzip2"),
    };
    // A plain file is what it is: its size is no surprise.
    let (bytes, ratio) = if packing == Packing::None { (u64::MAX, u64::MAX) } else { (limits.unpacked_bytes, limits.ratio) };
    Ok(Unpacked { inner, what, packed, unpacked: 0, bytes, ratio, resumes: resumes && packing == Packing::Gzip, over: false })
}

/// All frames of Zstandard, their checksums compared. Windows above 128 MiB are refused, as by `zstd` without `--long=31`.
pub(in crate::data) fn zstd<R: Read>(source: R) -> StreamingDecoder<R, FrameDecoder> {
    let mut decoder = FrameDecoder::new();
    decoder.set_content_checksum(ContentChecksum::Verify);
    StreamingDecoder::new_with_decoder(source, decoder)
}

impl Unpacked {
    /// Counts the bytes of the file, as it lies there, that have been read.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.packed)
    }

    /// Why the file must be a bomb.
    fn bomb(&self) -> Option<String> {
        if self.unpacked > self.bytes {
            return Some(format!("it unpacks to more than {}, the limit that `unpacked_bytes` sets", bytes(self.bytes)));
        }
        let packed = self.packed.load(Relaxed).max(1);
        (self.unpacked > HARMLESS && self.unpacked / packed > self.ratio).then(|| {
            let (from, to) = (bytes(packed), bytes(self.unpacked));
            format!("{from} unpack to more than {to}, over {} times as much, the limit that `ratio` sets", self.ratio)
        })
    }
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.over {
            return Ok(0);
        }
        match self.inner.read(into) {
            Ok(count) => {
                self.unpacked += count as u64;
                let Some(bomb) = self.bomb() else { return Ok(count) };
                self.over = true;
                Err(Broken::new("bomb", bomb).into_io())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) if self.what.is_empty() => Err(error),
            // An empty file is no broken one.
            Err(_) if self.packed.load(Relaxed) == 0 => Ok(0),
            Err(error) => {
                self.over = !self.resumes;
                Err(Broken::from_decoder(error, self.what))
            }
        }
    }
}

/// Counts what is read of a file.
struct Counted {
    inner: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.count.fetch_add(count as u64, Relaxed);
        Ok(count)
    }
}
