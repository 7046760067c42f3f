//! Members of archives, read as they come: nothing is written to the disk.

use super::fault::Broken;
use std::{
    io::{self, Read as _},
    path::Path,
};
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Most bytes of a long name or of extended attributes.
const NAME: u64 = 1 << 20;

/// The regular members of an archive.
pub(super) struct Members<R> {
    content: R,
    limit: u64,
    /// Regular members so far.
    pub number: u64,
    /// Whether the last block was no header, which is told once.
    lost: bool,
    /// What the next header is preceded by.
    extended: Extended,
    /// Bytes of padding before it: a member is delivered before they are looked at.
    padding: u64,
}

/// What a header alone has no room for.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

/// A regular member that holds something.
pub(super) struct Member {
    pub path: String,
    /// Its content, or its length if that is above the limit.
    pub content: Result<Vec<u8>, u64>,
}

/// What comes next in an archive.
enum Next {
    End,
    Nothing,
    Member(Member),
}

impl<R: io::Read> Members<R> {
    /// Members of at most `limit` bytes.
    pub fn new(content: R, limit: u64) -> Self {
        Self { content, limit, number: 0, lost: false, extended: Extended::default(), padding: 0 }
    }

    /// The next member of which `wanted` says so by its path.
    pub fn next(&mut self, wanted: impl Fn(&str) -> bool) -> io::Result<Option<Member>> {
        loop {
            match self.step(&wanted)? {
                Next::End => return Ok(None),
                Next::Nothing => {}
                Next::Member(member) => return Ok(Some(member)),
            }
        }
    }

    fn step(&mut self, wanted: impl Fn(&str) -> bool) -> io::Result<Next> {
        let padding = std::mem::take(&mut self.padding);
        self.skip_rest(padding)?;
        let mut block = [0; BLOCK];
        let read = fill(&mut self.content, &mut block)?;
        if read == 0 {
            return Ok(Next::End);
        } else if read < BLOCK {
            return Err(Broken::new("truncated", "the archive ends within a header").into_io());
        } else if block.iter().all(|&byte| byte == 0) {
            return Ok(Next::Nothing);
        }
        let Some((header, size)) = valid(&block) else {
            return match std::mem::replace(&mut self.lost, true) {
                false => Err(Broken::new("tar", "no header of a member where one must be: going on at the next one").into_io()),
                true => Ok(Next::Nothing),
            };
        };
        self.lost = false;
        match header.entry_type() {
            EntryType::GNULongName => {
                let mut name = self.attribute(size)?;
                name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
                self.extended.path = Some(name);
            }
            EntryType::XHeader => {
                let attributes = self.attribute(size)?;
                attributes_of(&attributes, &mut self.extended);
            }
            EntryType::XGlobalHeader | EntryType::GNULongLink => self.skip(size)?,
            kind => {
                let extended = std::mem::take(&mut self.extended);
                let size = extended.size.unwrap_or(size);
                let path = extended.path.unwrap_or_else(|| header.path_bytes().into_owned());
                if matches!(kind, EntryType::Regular | EntryType::Continuous) {
                    return self.regular(&path, size, wanted);
                }
                self.skip(size)?;
            }
        }
        Ok(Next::Nothing)
    }

    fn regular(&mut self, path: &[u8], size: u64, wanted: impl Fn(&str) -> bool) -> io::Result<Next> {
        self.number += 1;
        let path = String::from_utf8_lossy(path);
        let path = path.strip_prefix("./").unwrap_or(&path).to_string();
        if size == 0 || !wanted(&path) {
            self.skip(size)?;
            return Ok(Next::Nothing);
        }
        if size > self.limit {
            self.skip(size)?;
            return Ok(Next::Member(Member { path, content: Err(size) }));
        }
        let mut raw = Vec::new();
        self.content.by_ref().take(size).read_to_end(&mut raw)?;
        if (raw.len() as u64) < size {
            return Err(Broken::new("truncated", format!("the archive ends within {path}")).into_io());
        }
        self.pad(size);
        Ok(Next::Member(Member { path, content: Ok(raw) }))
    }

    /// The content of a member that describes the next one.
    fn attribute(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut raw = Vec::new();
        self.content.by_ref().take(size.min(NAME)).read_to_end(&mut raw)?;
        self.skip_rest(size - raw.len() as u64)?;
        self.pad(size);
        Ok(raw)
    }

    fn skip(&mut self, size: u64) -> io::Result<()> {
        self.skip_rest(size)?;
        self.pad(size);
        Ok(())
    }

    /// Members begin at whole blocks.
    fn pad(&mut self, size: u64) {
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_rest(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.content.by_ref().take(count), &mut io::sink())?;
        if skipped < count {
            return Err(Broken::new("truncated", "the archive ends within a member").into_io());
        }
        Ok(())
    }
}

/// The header that a block is, and the size it tells, if the checksum agrees.
fn valid(block: &[u8; BLOCK]) -> Option<(&Header, u64)> {
    let header = Header::from_byte_slice(block);
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    // The checksum's own eight bytes count as spaces.
    let expected = sum(block) - sum(&block[148..156]) + 8 * u64::from(b' ');
    header.cksum().ok().filter(|&told| u64::from(told) == expected)?;
    Some((header, header.entry_size().ok()?))
}

/// Whether an archive begins here.
pub(super) fn is_tar(content: &[u8]) -> bool {
    content.first_chunk().is_some_and(|block| valid(block).is_some())
}

/// Reads until the block is full or the file ends.
fn fill(content: &mut impl io::Read, block: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < block.len() {
        match content.read(&mut block[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Path and size of `length key=value` records (POSIX.1-2001, pax).
fn attributes_of(mut records: &[u8], extended: &mut Extended) {
    while let Some(space) = records.iter().position(|&byte| byte == b' ') {
        let length = std::str::from_utf8(&records[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
        let Some(length) = length.filter(|&length| length > space && length <= records.len()) else { return };
        let record = records[space + 1..length].strip_suffix(b"\n").unwrap_or_default();
        if let Some(path) = record.strip_prefix(b"path=") {
            extended.path = Some(path.to_vec());
        } else if let Some(size) = record.strip_prefix(b"size=") {
            extended.size = std::str::from_utf8(size).ok().and_then(|digits| digits.parse().ok());
        }
        records = &records[length..];
    }
}

/// The ending of a path in lower case.
pub(super) fn ending(path: &str) -> String {
    Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
}
