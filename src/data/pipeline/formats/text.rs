//! Plain text: a document per file, or per block between blank lines.

use super::{
    Limits, Read, Source,
    fault::{Origin, bytes},
    lines::{Content, Lines},
    packed::Unpacked,
};
use crate::{data::pipeline::Document, settings::Result};
use std::io::{BufReader, Read as _};

/// A file as one document.
pub(super) struct Whole {
    origin: Origin,
    limit: u64,
    content: Option<Unpacked>,
}

impl Whole {
    pub fn open(origin: Origin, limits: &Limits) -> Result<Self> {
        let content = Some(origin.content(limits)?);
        Ok(Self { origin, limit: limits.document_bytes, content })
    }
}

impl Source for Whole {
    fn next(&mut self) -> Result<Option<Read>> {
        let Some(content) = self.content.take() else { return Ok(None) };
        let mut raw = Vec::new();
        if let Err(error) = content.take(self.limit.saturating_add(1)).read_to_end(&mut raw) {
            return self.origin.faulty(error, "");
        }
        if raw.len() as u64 > self.limit {
            let most = bytes(self.limit);
            return self.origin.damaged("too_long", "", format!("it is longer than {most}, the limit that `document_bytes` sets"));
        }
        match text(raw) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(Read::Document(document(&self.origin, 0, text)))),
            Err((rule, message)) => self.origin.damaged(rule, "", message),
        }
    }
}

/// The text of a whole file, its byte order mark taken away; or the rule that it breaks, and how.
pub(super) fn text(mut raw: Vec<u8>) -> Result<String, (&'static str, String)> {
    if let Some(at) = raw.iter().position(|&byte| byte == 0) {
        let wide = raw.starts_with(b"\xFF\xFE") || raw.starts_with(b"\xFE\xFF");
        let what = if wide { "UTF-16: convert it to UTF-8" } else { "no text" };
        return Err(("binary", format!("there is a zero byte at {at}: it is {what}")));
    }
    if raw.starts_with(b"\xEF\xBB\xBF") {
        raw.drain(..3);
    }
    String::from_utf8(raw).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ("not_utf8", format!("not UTF-8: byte 0x{:02X} at {at}", error.as_bytes()[at]))
    })
}

fn document(origin: &Origin, number: u64, text: String) -> Document {
    let mut document = Document::new(origin.id(number), text);
    document.meta.insert("path".into(), origin.name.clone().into());
    document
}

/// Blocks of lines between blank ones, each a document; its number is the byte it begins at.
pub(super) struct Paragraphs {
    origin: Origin,
    limit: u64,
    lines: Lines<BufReader<Unpacked>>,
    done: bool,
}

impl Paragraphs {
    pub fn open(origin: Origin, limits: &Limits) -> Result<Self> {
        let lines = Lines::new(BufReader::new(origin.content(limits)?), 0, limits.document_bytes);
        Ok(Self { origin, limit: limits.document_bytes, lines, done: false })
    }
}

impl Source for Paragraphs {
    fn next(&mut self) -> Result<Option<Read>> {
        let (mut block, mut begin, mut wrong) = (String::new(), None, None);
        let long = || ("too_long", format!("a paragraph is longer than {}, the limit that `document_bytes` sets", bytes(self.limit)));
        while !self.done {
            let line = match self.lines.next() {
                Ok(line) => line,
                Err(error) => return self.origin.faulty(error, &format!("byte {}", self.lines.offset())),
            };
            let Some(line) = line else {
                self.done = true;
                break;
            };
            match line.content {
                Content::Text(text) if text.trim().is_empty() => {
                    if begin.is_some() {
                        break;
                    }
                    continue;
                }
                Content::Text(text) if (block.len() + text.len()) as u64 <= self.limit => {
                    block.push_str(text);
                    block.push('\n');
                }
                Content::Text(_) | Content::TooLong => wrong = Some(long()),
                Content::NotUtf8(at) => wrong = Some(("not_utf8", format!("not UTF-8 at byte {}", line.offset + at as u64))),
                Content::Binary => return self.origin.damaged("binary", "", "there is a zero byte near its beginning: it is no text"),
            }
            begin.get_or_insert(line.offset);
            if wrong.is_some() {
                // The rest of it is read, and forgotten.
                block = String::new();
            }
        }
        let begin = begin.unwrap_or_default();
        if let Some((rule, message)) = wrong {
            return self.origin.damaged(rule, &format!("paragraph at byte {begin}"), message);
        }
        block.truncate(block.trim_end().len());
        Ok((!block.is_empty()).then(|| Read::Document(document(&self.origin, begin, block))))
    }
}
