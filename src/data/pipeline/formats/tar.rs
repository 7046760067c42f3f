//! Archives of files, read as they come: nothing is written to the disk.

use super::{
    Limits, Read, Source,
    fault::{Broken, Origin, bytes},
    packed::{self, Unpacked},
    text::text,
};
use crate::{data::pipeline::Document, settings::Result};
use std::{
    io::{self, BufReader, Read as _},
    path::Path,
};
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Most bytes of a long name or of extended attributes.
const NAME: u64 = 1 << 20;

/// The regular members of a `.tar`, packed or not, each a document.
pub(super) struct Tar {
    origin: Origin,
    endings: Vec<String>,
    limit: u64,
    content: BufReader<Unpacked>,
    /// Regular members so far.
    number: u64,
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

enum Member {
    End,
    Skipped,
    Read(Option<Read>),
}

impl Tar {
    pub fn open(origin: Origin, endings: &[String], limits: &Limits) -> Result<Self> {
        let content = BufReader::new(packed::open(&origin.path, limits)?);
        let endings = endings.iter().map(|ending| ending.trim_start_matches('.').to_ascii_lowercase()).collect();
        let (limit, extended) = (limits.document_bytes, Extended::default());
        Ok(Self { origin, endings, limit, content, number: 0, lost: false, extended, padding: 0 })
    }

    fn member(&mut self) -> io::Result<Member> {
        let padding = std::mem::take(&mut self.padding);
        self.skip_rest(padding)?;
        let mut block = [0; BLOCK];
        let read = fill(&mut self.content, &mut block)?;
        if read == 0 {
            return Ok(Member::End);
        } else if read < BLOCK {
            return Err(Broken::new("truncated", "the archive ends within a header").into_io());
        } else if block.iter().all(|&byte| byte == 0) {
            return Ok(Member::Skipped);
        }
        let header = Header::from_byte_slice(&block);
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        let told: u64 = block[148..156].iter().map(|&byte| u64::from(byte)).sum();
        let whole = header.cksum().is_ok_and(|cksum| u64::from(cksum) == sum - told + 8 * u64::from(b' '));
        let Some(size) = header.entry_size().ok().filter(|_| whole) else {
            let first = !std::mem::replace(&mut self.lost, true);
            return match first {
                true => Err(Broken::new("tar", "no header of a member where one must be: going on at the next one").into_io()),
                false => Ok(Member::Skipped),
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
                if matches!(kind, EntryType::Regular | EntryType::Continuous) || kind.as_byte() == 0 {
                    return self.regular(&path, size).map(Member::Read);
                }
                self.skip(size)?;
            }
        }
        Ok(Member::Skipped)
    }

    fn regular(&mut self, path: &[u8], size: u64) -> io::Result<Option<Read>> {
        self.number += 1;
        let path = String::from_utf8_lossy(path);
        let path = path.strip_prefix("./").unwrap_or(&path).to_string();
        let ending = Path::new(&path).extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if size == 0 || !(self.endings.is_empty() || self.endings.contains(&ending)) {
            self.skip(size)?;
            return Ok(None);
        }
        if size > self.limit {
            let message = format!("{}, more than {}, the limit that `document_bytes` sets", bytes(size), bytes(self.limit));
            let found = self.damage("too_long", &path, message);
            self.skip(size)?;
            return Ok(found);
        }
        let mut raw = Vec::new();
        self.content.by_ref().take(size).read_to_end(&mut raw)?;
        if (raw.len() as u64) < size {
            return Err(Broken::new("truncated", format!("the archive ends within {path}")).into_io());
        }
        self.pad(size);
        match text(raw) {
            Ok(text) => {
                let mut document = Document::new(self.origin.id(self.number), text);
                document.meta.insert("path".into(), path.into());
                Ok(Some(Read::Document(document)))
            }
            Err((rule, message)) => Ok(self.damage(rule, &path, message)),
        }
    }

    fn damage(&self, rule: &'static str, member: &str, message: String) -> Option<Read> {
        Some(Read::Damage(self.origin.damage(rule, &format!("member {member}"), message)))
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

impl Source for Tar {
    fn next(&mut self) -> Result<Option<Read>> {
        loop {
            match self.member() {
                Ok(Member::End) => return Ok(None),
                Ok(Member::Read(Some(read))) => return Ok(Some(read)),
                Ok(Member::Read(None) | Member::Skipped) => {}
                Err(error) => return self.origin.faulty(error, &format!("after {} members", self.number)),
            }
        }
    }
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
