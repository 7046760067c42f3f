//! Documents as lines of JSON, packed or not: the same bytes for the same documents, and whole or not there.

use super::packed::Packing;
use crate::{
    data::pipeline::Document,
    files,
    settings::{Error, Result},
};
use flate2::{Compression, write::GzEncoder};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};
use structured_zstd::encoding::{CompressionLevel, compress_slice_to_vec};

/// Bytes of text in a frame of Zstandard, which holds whole lines: several can be read, and could be packed, at once.
const FRAME: usize = 4 << 20;
/// The level that `zstd` has by default. Every frame ends in a checksum.
const LEVEL: CompressionLevel = CompressionLevel::Level(3);

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents, one a line.
    pub documents: u64,
    /// Bytes of JSON before packing.
    pub bytes: u64,
}

/// Takes the documents of a file.
pub struct Sink<'a> {
    path: &'a Path,
    out: Out<'a>,
    line: Vec<u8>,
    written: Written,
}

enum Out<'a> {
    Plain(&'a mut BufWriter<File>),
    Gzip(Box<GzEncoder<&'a mut BufWriter<File>>>),
    Zstd { file: &'a mut BufWriter<File>, frame: Vec<u8> },
}

/// Writes the documents that `fill` pushes, one JSON object a line, packed by the ending of the name: `.gz`, `.zst` or not.
///
/// # Errors
///
/// The folder cannot be written to, the name ends in `.bz2`, or `fill` fails: then there is no file, or the one that was there before.
pub fn write(path: &Path, fill: impl FnOnce(&mut Sink<'_>) -> Result<()>) -> Result<Written> {
    let packing = Packing::of(path);
    if packing == Packing::Bzip2 {
        return Err(Error::input(path.display(), "documents are not packed with bzip2", "end the name in .jsonl, .jsonl.gz or .jsonl.zst"));
    }
    let mut written = Written::default();
    let failed = |error| Error::io("write", path)(error);
    files::replace_with(path, failed, |file| {
        let out = match packing {
            Packing::None | Packing::Bzip2 => Out::Plain(file),
            // Without a time or a name in its header.
            Packing::Gzip => Out::Gzip(Box::new(GzEncoder::new(file, Compression::default()))),
            Packing::Zstd => Out::Zstd { file, frame: Vec::new() },
        };
        let mut sink = Sink { path, out, line: Vec::new(), written: Written::default() };
        fill(&mut sink)?;
        written = sink.written;
        sink.finish().map_err(failed)
    })?;
    Ok(written)
}

impl Sink<'_> {
    /// Writes a document.
    ///
    /// # Errors
    ///
    /// The disk is full, for instance.
    pub fn push(&mut self, document: &Document) -> Result<()> {
        let failed = || Error::io("write", self.path);
        self.line.clear();
        serde_json::to_writer(&mut self.line, document).map_err(std::io::Error::other).map_err(failed())?;
        self.line.push(b'\n');
        self.written.documents += 1;
        self.written.bytes += self.line.len() as u64;
        match &mut self.out {
            Out::Plain(file) => file.write_all(&self.line),
            Out::Gzip(file) => file.write_all(&self.line),
            Out::Zstd { file, frame } => {
                frame.extend_from_slice(&self.line);
                if frame.len() < FRAME {
                    return Ok(());
                }
                let packed = compress_slice_to_vec(frame, LEVEL);
                frame.clear();
                file.write_all(&packed)
            }
        }
        .map_err(failed())
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.written
    }

    fn finish(self) -> std::io::Result<()> {
        match self.out {
            Out::Plain(_) => Ok(()),
            Out::Gzip(file) => file.finish().map(drop),
            Out::Zstd { frame, file } if !frame.is_empty() => file.write_all(&compress_slice_to_vec(&frame, LEVEL)),
            Out::Zstd { .. } => Ok(()),
        }
    }
}
