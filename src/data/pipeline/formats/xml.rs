//! Elements of huge XML files, cut out one by one without parsing what is around them.
//!
//! Dumps are long rows of equal elements. Cut at their tags, no element can harm another, and none is held that is too long.
//! Document types are never read, so that entities that expand to others (XML bombs) stay names.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};
use std::io::{BufRead, Read, Result};

/// Most bytes of what stands before the first element that are kept.
const HEAD: usize = 1 << 16;
/// Bytes that are looked through for the end of a tag at once, outside of elements.
const PIECE: u64 = 1 << 16;
/// Elements within elements whose names are told.
const DEPTH: usize = 3;

/// The elements `<start> … <end>` of a stream.
pub(super) struct Elements<R> {
    reader: R,
    start: &'static [u8],
    end: &'static [u8],
    limit: u64,
    /// Where the reader stands.
    offset: u64,
    buffer: Vec<u8>,
    /// Whether the start of the next element has been read.
    within: bool,
    /// What stands before the first element.
    pub head: Vec<u8>,
    begun: bool,
}

/// What was found where an element begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// From the first byte of its start to the last of its end.
    Whole(&'a [u8]),
    /// Longer than the limit; passed over.
    TooLong(u64),
    /// The next one, or the end of the file, comes before its end.
    Open,
}

impl<R: BufRead> Elements<R> {
    /// Elements of at most `limit` bytes; both tags end in `>`.
    pub fn new(reader: R, start: &'static [u8], end: &'static [u8], limit: u64) -> Self {
        let (buffer, head) = (Vec::new(), Vec::new());
        Self { reader, start, end, limit, offset: 0, buffer, within: false, head, begun: false }
    }

    /// Where the reader stands: near the place of an error.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next element and the byte it begins at.
    pub fn next(&mut self) -> Result<Option<(u64, Element<'_>)>> {
        if !std::mem::take(&mut self.within) {
            if self.buffer.capacity() > 1 << 20 {
                self.buffer = Vec::new();
            }
            if !self.find_start()? {
                return Ok(None);
            }
        }
        self.begun = true;
        self.buffer.clear();
        self.buffer.extend_from_slice(self.start);
        let begin = self.offset - self.start.len() as u64;
        let mut length = self.start.len() as u64;
        loop {
            let (before, held) = (self.buffer.len(), length <= self.limit);
            let most = if held { self.limit - length + 1 } else { PIECE };
            let read = self.reader.by_ref().take(most).read_until(b'>', &mut self.buffer)?;
            self.offset += read as u64;
            length += read as u64;
            if read == 0 {
                return Ok(Some((begin, Element::Open)));
            } else if self.buffer.ends_with(self.end) {
                return Ok(Some((begin, if length > self.limit { Element::TooLong(length) } else { Element::Whole(&self.buffer) })));
            } else if self.buffer.ends_with(self.start) && before > 0 {
                self.within = true;
                return Ok(Some((begin, Element::Open)));
            }
            if length > self.limit {
                // As much as a tag may need stays.
                let keep = self.start.len().max(self.end.len());
                let drop = self.buffer.len().saturating_sub(keep);
                self.buffer.drain(..drop);
                self.buffer.shrink_to(PIECE as usize);
            }
        }
    }

    /// Reads up to the end of the next start.
    fn find_start(&mut self) -> Result<bool> {
        self.buffer.clear();
        loop {
            let read = self.reader.by_ref().take(PIECE).read_until(b'>', &mut self.buffer)?;
            self.offset += read as u64;
            if read == 0 {
                return Ok(false);
            }
            if !self.begun {
                let room = HEAD - self.head.len();
                let piece = &self.buffer[self.buffer.len() - read..];
                self.head.extend_from_slice(&piece[..read.min(room)]);
            }
            if self.buffer.ends_with(self.start) {
                return Ok(true);
            }
            let drop = self.buffer.len().saturating_sub(self.start.len());
            self.buffer.drain(..drop);
        }
    }
}

/// Calls `each` with the text of every element that holds text, and the names of those it lies in, the outermost first.
///
/// Entities of XML itself and of numbers are resolved; others stay as they are written.
///
/// # Errors
///
/// What is no XML, for a person.
pub(super) fn texts(xml: &str, mut each: impl FnMut(&[&str], Part<'_>) -> bool) -> std::result::Result<(), String> {
    let mut reader = Reader::from_str(xml);
    // Deeper elements are nobody's, and only counted.
    let (mut names, mut depth) = ([const { String::new() }; DEPTH], 0);
    let enter = |names: &mut [String; DEPTH], depth: usize, name: &str| {
        if let Some(known) = names.get_mut(depth) {
            known.clear();
            known.push_str(name);
        }
        depth + 1
    };
    let mut told = |names: &[String; DEPTH], depth: usize, part: Part<'_>| {
        let path = names.each_ref().map(String::as_str);
        depth > DEPTH || each(&path[..depth], part)
    };
    loop {
        let goes_on = match reader.read_event().map_err(|error| format!("not XML: {error}"))? {
            Event::Eof => return Ok(()),
            Event::Start(tag) => {
                depth = enter(&mut names, depth, tag.name().as_ref());
                told(&names, depth, Part::Begin)
            }
            Event::Empty(tag) => {
                let inner = enter(&mut names, depth, tag.name().as_ref());
                told(&names, inner, Part::Begin)
            }
            Event::End(_) => {
                depth -= 1;
                true
            }
            Event::Text(text) => told(&names, depth, Part::Text(&text.xml10_content())),
            Event::CData(text) => told(&names, depth, Part::Text(&text)),
            Event::GeneralRef(entity) => told(&names, depth, Part::Text(&resolve(&entity))),
            _ => true,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

/// What [`texts`] meets.
pub(super) enum Part<'a> {
    /// An element begins.
    Begin,
    /// A piece of its text.
    Text(&'a str),
}

/// What a reference stands for; unknown ones stay as they are.
fn resolve(entity: &BytesRef<'_>) -> String {
    match entity.resolve_char_ref() {
        Ok(Some(character)) => character.to_string(),
        _ => resolve_predefined_entity(entity).map_or_else(|| format!("&{};", &**entity), str::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn all(content: &str, limit: u64) -> Vec<String> {
        let mut elements = Elements::new(BufReader::with_capacity(3, content.as_bytes()), b"<p>", b"</p>", limit);
        let mut found = Vec::new();
        while let Some((at, element)) = elements.next().unwrap() {
            found.push(match element {
                Element::Whole(bytes) => format!("{at}:{}", String::from_utf8_lossy(bytes)),
                other => format!("{at}:{other:?}"),
            });
        }
        found
    }

    #[test]
    fn elements_are_cut_out() {
        assert_eq!(all("<x><p>one</p> <p><q>two</q></p></x>", 100), ["3:<p>one</p>", "14:<p><q>two</q></p>"]);
        assert!(all("", 10).is_empty() && all("<x>", 10).is_empty() && all("</p>", 10).is_empty());
        assert_eq!(all("<p>on<p>two</p><p>thr", 100), ["0:Open", "5:<p>two</p>", "15:Open"]);
        assert_eq!(all("<p>123</p><p>1234</p><p>1</p>", 10), ["0:<p>123</p>", "10:TooLong(11)", "21:<p>1</p>"]);
        assert_eq!(all("<p>12345678901234567890<p>1</p>", 10), ["0:Open", "23:<p>1</p>"]);
    }

    #[test]
    fn an_element_of_gigabytes_is_never_held() {
        let long = std::io::repeat(b'x').take(80 << 20);
        let content = b"<x><p>".chain(long).chain(b"</p><p>next</p>".as_slice());
        let mut elements = Elements::new(BufReader::new(content), b"<p>", b"</p>", 1 << 20);
        assert_eq!(elements.next().unwrap().unwrap(), (3, Element::TooLong((80 << 20) + 7)));
        assert!(elements.buffer.capacity() <= 2 * PIECE as usize);
        assert_eq!(elements.next().unwrap().unwrap().1, Element::Whole(b"<p>next</p>"));
    }

    #[test]
    fn entities_that_expand_stay_names() {
        let mut text = String::new();
        let bomb = "<p><t>a&lt;&#65;&lol9;&x;</t></p>";
        let collect = |path: &[&str], part: Part<'_>| {
            if let (["p", "t"], Part::Text(piece)) = (path, part) {
                text.push_str(piece);
            }
            true
        };
        texts(bomb, collect).unwrap();
        assert_eq!(text, "a<A&lol9;&x;");
        assert!(texts("<p><t></p>", |_, _| true).is_err());
        assert!(texts(&"<a>".repeat(10_000), |_, _| true).is_ok());
    }
}
