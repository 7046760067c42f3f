//! Lines of a stream, none of which can be too long to hold.

use std::io::{BufRead, Read, Result};

/// Where a file is looked at to tell text from what is none: as much as Git looks at.
const FIRST: usize = 8000;

/// A line and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The byte of the unpacked file that it begins at.
    pub offset: u64,
    /// Its length in bytes, without its end.
    pub length: u64,
    /// What it holds.
    pub content: Content<'a>,
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Text, without `\n` or `\r\n`, and without the byte order mark of the first line.
    Text(&'a str),
    /// More than the limit, which was passed over.
    TooLong,
    /// No UTF-8, from that byte of the line on.
    NotUtf8(usize),
    /// A file with a zero byte among its first 8000: no text. Nothing more is read of it.
    Binary,
}

/// Reads line by line.
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    offset: u64,
    limit: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    First,
    Later,
    Done,
}

impl<R: BufRead> Lines<R> {
    /// Lines of at most `limit` bytes; `offset` is where the reader stands.
    pub fn new(reader: R, offset: u64, limit: u64) -> Self {
        Self { reader, line: Vec::new(), offset, limit: usize::try_from(limit).unwrap_or(usize::MAX - 2), state: State::First }
    }

    /// Where the next line begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line. After an error the part of a line that came before it is forgotten.
    ///
    /// # Errors
    ///
    /// As the reader's.
    #[expect(clippy::should_implement_trait, reason = "a line borrows the buffer")]
    pub fn next(&mut self) -> Result<Option<Line<'_>>> {
        let mut skip = 0;
        match self.state {
            State::Done => return Ok(None),
            State::First => {
                let ahead = self.reader.fill_buf()?;
                let binary = ahead.iter().take(FIRST).any(|&byte| byte == 0);
                self.state = if binary { State::Done } else { State::Later };
                if binary {
                    return Ok(Some(Line { offset: self.offset, length: 0, content: Content::Binary }));
                }
                if self.offset == 0 && ahead.starts_with(b"\xEF\xBB\xBF") {
                    skip = 3;
                }
            }
            State::Later => {}
        }
        if self.line.capacity() > 1 << 20 && self.line.len() < self.line.capacity() / 4 {
            self.line = Vec::new();
        }
        self.line.clear();
        let offset = self.offset;
        // Two more for the end of the line.
        let most = self.limit as u64 + 2;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line);
        self.offset += self.line.len() as u64;
        read?;
        if self.line.is_empty() {
            return Ok(None);
        }
        let ended = self.line.last() == Some(&b'\n');
        let mut length = self.line.len() - usize::from(ended);
        if ended && length > 0 && self.line[length - 1] == b'\r' {
            length -= 1;
        }
        if length > self.limit {
            self.line = Vec::new();
            let mut length = length as u64;
            if !ended {
                let (rest, end) = skip_rest(&mut self.reader)?;
                length += rest;
                self.offset += rest + end;
            }
            return Ok(Some(Line { offset, length, content: Content::TooLong }));
        }
        let content = match std::str::from_utf8(&self.line[..length]) {
            Ok(text) => Content::Text(text.get(skip..).unwrap_or_default()),
            Err(error) => Content::NotUtf8(error.valid_up_to()),
        };
        Ok(Some(Line { offset, length: length as u64, content }))
    }
}

/// Passes over the rest of a line; its length, and that of its end.
fn skip_rest(reader: &mut impl BufRead) -> Result<(u64, u64)> {
    let mut length = 0;
    loop {
        let ahead = reader.fill_buf()?;
        let (rest, end) = match ahead.iter().position(|&byte| byte == b'\n') {
            Some(at) => (at, 1),
            None => (ahead.len(), 0),
        };
        let done = end == 1 || ahead.is_empty();
        length += rest as u64;
        reader.consume(rest + end);
        if done {
            return Ok((length, end as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn all(content: &[u8], limit: u64) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(5, content), 0, limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line.content {
                Content::Text(text) => format!("{}:{text}", line.offset),
                other => format!("{}:{other:?} {}", line.offset, line.length),
            });
        }
        assert!(lines.next().unwrap().is_none());
        found
    }

    #[test]
    fn lines_know_where_they_begin() {
        assert_eq!(all(b"one\r\n\ntwo\nthree", 100), ["0:one", "5:", "6:two", "10:three"]);
        assert_eq!(all(b"\xEF\xBB\xBFone\ntwo\n", 100), ["0:one", "7:two"]);
        assert!(all(b"", 100).is_empty());
        assert_eq!(all(b"\n", 100), ["0:"]);
        assert_eq!(all(b"\xEF\xBB\xBF", 100), ["0:"]);
    }

    #[test]
    fn lines_that_are_too_long_are_passed_over() {
        assert_eq!(all(b"1234\n12345\n1234\r\nend", 4), ["0:1234", "5:TooLong 5", "11:1234", "17:end"]);
        let long = [b"a\n".as_slice(), &b"x".repeat(1000), b"\nb"].concat();
        assert_eq!(all(&long, 10), ["0:a", "2:TooLong 1000", "1003:b"]);
        assert_eq!(all(&b"x".repeat(1000), 10), ["0:TooLong 1000"]);
    }

    #[test]
    fn a_line_of_gigabytes_is_never_held() {
        let source = BufReader::new(std::io::repeat(b'x').take(80 << 20).chain(b"\nafter\n".as_slice()));
        let mut lines = Lines::new(source, 0, 1 << 20);
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.offset, line.length, line.content), (0, 80 << 20, Content::TooLong));
        assert!(lines.line.capacity() == 0);
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.offset, line.content), ((80 << 20) + 1, Content::Text("after")));
    }

    #[test]
    fn what_is_no_text_is_told() {
        assert_eq!(all(b"fine\nfi\xFFne\nfine\n", 100), ["0:fine", "5:NotUtf8(2) 5", "11:fine"]);
        assert_eq!(all(b"\x7FELF\0\0\0\n", 100), ["0:Binary 0"]);
    }
}
