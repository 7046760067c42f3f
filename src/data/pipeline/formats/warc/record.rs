//! Records of a WARC file: headers, blocks, and where the next one really is.

use crate::data::pipeline::formats::{fault::Broken, pushback::Pushback};
use std::io::{BufRead, Read, Result};

/// Most bytes of the headers of a record, and of an HTTP message.
const HEADERS: u64 = 1 << 16;
/// Line ends that may follow a block; the standard says two.
const BLANK: usize = 8;

/// The headers of a record.
pub(super) struct Record {
    headers: Headers,
    /// Bytes of the block that follows, as told.
    pub length: u64,
}

/// `Name: value` lines, names in lower case.
#[derive(Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes a line; false if it is none of a header.
    pub fn push(&mut self, line: &[u8]) -> bool {
        let text = match std::str::from_utf8(line) {
            Ok(text) => text.into(),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(line).0,
        };
        // A line that begins with a space goes on where the one before it ended (RFC 2616, 2.2).
        if text.starts_with([' ', '\t']) {
            let Some((_, value)) = self.0.last_mut() else { return false };
            value.push(' ');
            value.push_str(text.trim());
            return true;
        }
        let Some((name, value)) = text.split_once(':') else { return false };
        self.0.push((name.trim().to_ascii_lowercase(), value.trim().to_string()));
        true
    }

    /// The value of the first header of that name, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Record {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Where the content is from. Some writers of WARC 1.0 put it in angle brackets.
    pub fn url(&self) -> Option<&str> {
        let url = self.get("warc-target-uri")?;
        Some(url.strip_prefix('<').and_then(|url| url.strip_suffix('>')).unwrap_or(url))
    }

    /// The type of the block, without parameters, in lower case.
    pub fn mime(&self) -> String {
        essence(self.get("content-type").unwrap_or_default())
    }

    /// False if what the crawler found out about the content rules text out.
    pub fn may_hold_text(&self) -> bool {
        let kind = self.get("warc-type").unwrap_or_default();
        let known = essence(self.get("warc-identified-payload-type").unwrap_or_default());
        let text = known.is_empty() || super::http::is_text(&known);
        kind.eq_ignore_ascii_case("conversion") || text && ["response", "resource"].iter().any(|k| kind.eq_ignore_ascii_case(k))
    }
}

/// `Text/HTML; charset=x` → `text/html`.
pub(super) fn essence(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The content of a record.
pub(super) enum Block {
    Whole(Vec<u8>),
    /// More than the limit.
    TooLong,
    /// It does not end where it should; how is told.
    Wrong(String),
}

/// The records of a stream.
pub(super) struct Records<R> {
    source: Pushback<R>,
    limit: u64,
    /// What went wrong behind a record that is whole.
    pub noticed: Option<std::io::Error>,
}

impl<R: BufRead> Records<R> {
    pub fn new(source: Pushback<R>, limit: u64) -> Self {
        Self { source, limit, noticed: None }
    }

    /// The headers of the next record. Its block must be read next, by [`Records::block`].
    pub fn next(&mut self) -> Result<Option<Record>> {
        loop {
            let ahead = self.source.peek(5)?;
            match ahead {
                [] => return Ok(None),
                [b'\r' | b'\n', ..] => {
                    let blank = ahead.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    self.source.consume(blank);
                }
                _ if ahead.starts_with(b"WARC/") => break,
                _ => {
                    let skipped = self.seek(u64::MAX)?;
                    return Err(Broken::new("warc", format!("{skipped} bytes that are of no record were passed over")).into_io());
                }
            }
        }
        let mut headers = Headers::default();
        let (mut line, mut read) = (Vec::new(), 0);
        loop {
            line.clear();
            self.source.by_ref().take(HEADERS - read).read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                let long = read + line.len() as u64 >= HEADERS;
                let (rule, what) = if long { ("warc", "headers of more than 64 KiB") } else { ("truncated", "ends within its headers") };
                if long {
                    self.seek(u64::MAX)?;
                }
                return Err(Broken::new(rule, what).into_io());
            }
            let first = read == 0;
            read += line.len() as u64;
            let text = line.trim_ascii_end();
            if text.is_empty() {
                break;
            }
            if !first {
                headers.push(text);
            }
        }
        match headers.get("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => Ok(Some(Record { headers, length })),
            None => {
                self.seek(u64::MAX)?;
                Err(Broken::new("length", "a record without a Content-Length").into_io())
            }
        }
    }

    /// The block of the record that was read last.
    pub fn block(&mut self, record: &Record) -> Result<Block> {
        let length = record.length;
        if length > self.limit {
            let skipped = self.seek(length)?;
            return if skipped < length { Ok(Block::Wrong(self.wrong(length, skipped)?)) } else { Ok(Block::TooLong) };
        }
        // What is told may be wrong, so that not all of it is reserved.
        let mut block = Vec::with_capacity(length.min(1 << 20) as usize);
        self.source.by_ref().take(length).read_to_end(&mut block)?;
        let whole = block.len() as u64 == length;
        match whole.then(|| self.at_boundary()) {
            Some(Ok(true)) => return Ok(Block::Whole(block)),
            Some(Err(error)) => {
                // Of what came before the error, a few bytes of a record that is lost.
                self.source.forget();
                self.noticed = Some(error);
                return Ok(Block::Whole(block));
            }
            Some(Ok(false)) | None => {}
        }
        // Told too long, the next records are in the block; told too short, its own end comes next.
        let found = match inner(&block) {
            Some(at) => {
                self.source.give_back(&block[at..]);
                at as u64
            }
            None if whole => length + self.seek(u64::MAX)?,
            None => block.len() as u64,
        };
        Ok(Block::Wrong(self.wrong(length, found)?))
    }

    /// What is wrong with a record that ends `found` bytes after its headers.
    fn wrong(&mut self, told: u64, found: u64) -> Result<String> {
        let next = if self.source.peek(1)?.is_empty() { "the file ends" } else { "the next record begins" };
        Ok(format!("Content-Length is {told}, but {next} after {found} bytes: the record is dropped"))
    }

    /// Whether a record ends here: with the two blank lines of the standard, or with others and the next one or the end behind them.
    fn at_boundary(&mut self) -> Result<bool> {
        let ahead = self.source.peek(BLANK + 5)?;
        let blank = ahead.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let rest = &ahead[blank..];
        Ok(ahead.starts_with(b"\r\n\r\n") || rest.is_empty() || blank > BLANK || rest.starts_with(b"WARC/"))
    }

    /// Passes over at most `most` bytes, to a line that begins a record; how many they were.
    fn seek(&mut self, most: u64) -> Result<u64> {
        let mut skipped = 0;
        while skipped < most {
            let count = self.source.by_ref().take(most - skipped).skip_until(b'\n')? as u64;
            skipped += count;
            if count == 0 || starts(self.source.peek(7)?) {
                break;
            }
        }
        Ok(skipped)
    }
}

/// Whether a record begins here.
fn starts(bytes: &[u8]) -> bool {
    bytes.starts_with(b"WARC/1.") || bytes.starts_with(b"WARC/0.")
}

/// Where, within a block, another record begins: at a line of its own, behind an empty one.
fn inner(block: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + block[from..].windows(2).position(|two| two == b"\nW")? + 1;
        let before = block[..at - 1].strip_suffix(b"\r").unwrap_or(&block[..at - 1]);
        if starts(&block[at..]) && (before.is_empty() || before.ends_with(b"\n")) {
            return Some(at);
        }
        from = at;
    }
}
