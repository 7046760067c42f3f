//! Attributes of a start tag.

use super::tokens::Tag;
use memchr::memchr;

/// Attributes of a tag up to its end, wherever quotes end.
pub(super) struct Attributes<'a> {
    text: &'a str,
    /// Behind what was read; behind the `>` at the end.
    at: usize,
    closed: bool,
}

impl<'a> Attributes<'a> {
    /// Of a start tag.
    pub(super) fn of(tag: &Tag<'a>) -> Self {
        Self::at(tag.attributes, 0)
    }

    /// Of the tag whose name ends at `at`.
    pub(super) fn at(text: &'a str, at: usize) -> Self {
        Self { text, at, closed: false }
    }

    /// What is behind the tag, once all were read.
    pub(super) fn behind(&self) -> usize {
        self.at
    }

    /// Whether the tag ends in `/>`, once all were read.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        loop {
            match bytes.get(at) {
                Some(b'/') => self.closed = true,
                Some(byte) if byte.is_ascii_whitespace() => {}
                Some(b'>') => {
                    self.at = at + 1;
                    return None;
                }
                None => {
                    self.at = at;
                    return None;
                }
                Some(_) => break,
            }
            at += 1;
        }
        self.closed = false;
        let run =
            |at: usize, stop: fn(u8) -> bool| bytes[at..].iter().position(|byte| stop(*byte)).map_or(bytes.len(), |offset| at + offset);
        let name_end = run(at + 1, |byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'='));
        let name = self.text.get(at..name_end).unwrap_or("");
        at = run(name_end, |byte| !byte.is_ascii_whitespace());
        if bytes.get(at) != Some(&b'=') {
            self.at = name_end;
            return Some((name, ""));
        }
        at = run(at + 1, |byte| !byte.is_ascii_whitespace());
        let quoted = match bytes.get(at) {
            // Without a second quote in the page the first is a part of the value.
            Some(quote @ (b'"' | b'\'')) => memchr(*quote, &bytes[at + 1..]).map(|offset| (at + 1, at + 1 + offset)),
            _ => None,
        };
        let (start, end) = quoted.unwrap_or_else(|| (at, run(at, |byte| byte.is_ascii_whitespace() || byte == b'>')));
        self.at = end + usize::from(quoted.is_some());
        Some((name, &self.text[start..end]))
    }
}

/// Whether an attribute says that its element is not shown.
pub(super) fn hides(name: &str, value: &str) -> bool {
    if name.eq_ignore_ascii_case("hidden") {
        return !value.eq_ignore_ascii_case("until-found");
    }
    name.eq_ignore_ascii_case("style")
        && value.split(';').filter_map(|declaration| declaration.split_once(':')).any(|(property, value)| {
            let value = value.split('!').next().unwrap_or("").trim();
            let is = |name: &str, set: &str| property.trim().eq_ignore_ascii_case(name) && value.eq_ignore_ascii_case(set);
            is("display", "none") || is("visibility", "hidden")
        })
}
