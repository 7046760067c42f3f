//! Tags and text of a page, in the order of the file (WHATWG HTML 13.2.5, simplified: nothing is an error).

use super::{
    super::find::EndTags,
    attributes::{Attributes, hides},
    elements::{Element, PLAIN, RAW},
};
use memchr::{memchr, memchr_iter};

/// A piece of a page; comments and declarations are skipped.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// Text with its references as written. May be one of several pieces, and may begin with a `<` that is no tag.
    Text(&'a str),
    /// A start tag.
    Open(Tag<'a>),
    /// An end tag.
    Close(Element),
}

/// A start tag.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    pub(super) element: Element,
    /// What is between the name and the end.
    pub(super) attributes: &'a str,
    /// It ends in `/>`.
    pub(super) closed: bool,
    /// Its attributes say that the element is not shown.
    pub(super) hidden: bool,
}

/// Reads a page.
pub(super) struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// The element whose content is not markup, if its start tag was just read.
    inside: Option<Element>,
    ends: EndTags,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { html, at: 0, inside: None, ends: EndTags::default() }
    }

    /// Content of an element without tags inside; none where it has no end tag and is read like any other.
    fn content(&mut self, element: Element) -> Option<&'a str> {
        let end = match self.ends.after(self.html, element.name(), self.at) {
            Some(end) => end,
            // A script that never ends takes all the rest, as in a browser; a title does not.
            None if element.is(RAW) => self.html.len(),
            None => return None,
        };
        let content = &self.html[self.at..end];
        self.at = end;
        (!element.is(RAW) && !content.is_empty()).then_some(content)
    }

    /// The tag at `self.at`, which is at a `<`; none if it is text.
    fn markup(&mut self) -> Option<Option<Token<'a>>> {
        let bytes = self.html.as_bytes();
        let at = self.at;
        match bytes.get(at + 1)? {
            b'!' if bytes[at..].starts_with(b"<!--") => {
                self.at = comment(bytes, at);
                Some(None)
            }
            b'!' | b'?' => {
                self.at = after(bytes, at + 2, b'>');
                Some(None)
            }
            b'/' if bytes.get(at + 2).is_some_and(u8::is_ascii_alphabetic) => {
                let end = name_end(bytes, at + 2);
                self.at = after(bytes, end, b'>');
                Some(Some(Token::Close(Element::named(&bytes[at + 2..end]))))
            }
            b'/' => {
                self.at = after(bytes, at + 2, b'>');
                Some(None)
            }
            first if first.is_ascii_alphabetic() => {
                let name = name_end(bytes, at + 1);
                let element = Element::named(&bytes[at + 1..name]);
                let mut hidden = false;
                let mut attributes = Attributes::at(self.html, name);
                for (name, value) in attributes.by_ref() {
                    hidden |= hides(name, value);
                }
                self.at = attributes.behind();
                self.inside = element.is(RAW | PLAIN).then_some(element);
                Some(Some(Token::Open(Tag { element, attributes: &self.html[name..self.at], closed: attributes.closed(), hidden })))
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(element) = self.inside.take()
            && let Some(content) = self.content(element)
        {
            return Some(Token::Text(content));
        }
        while self.at < self.html.len() {
            let start = self.at;
            // From the second byte on: a `<` that is no tag begins a text.
            let from = if self.html.as_bytes()[start] == b'<' {
                match self.markup() {
                    Some(Some(token)) => return Some(token),
                    Some(None) => continue,
                    None => start + 1,
                }
            } else {
                start
            };
            self.at = memchr(b'<', &self.html.as_bytes()[from..]).map_or(self.html.len(), |offset| from + offset);
            return Some(Token::Text(&self.html[start..self.at]));
        }
        None
    }
}

/// Behind the next such byte, or the end of the page.
fn after(bytes: &[u8], at: usize, end: u8) -> usize {
    let at = at.min(bytes.len());
    memchr(end, &bytes[at..]).map_or(bytes.len(), |offset| at + offset + 1)
}

fn name_end(bytes: &[u8], at: usize) -> usize {
    let name = bytes[at..].iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    name.map_or(bytes.len(), |offset| at + offset)
}

/// Behind the comment at `at`. One that never ends takes the rest, as in a browser.
fn comment(bytes: &[u8], at: usize) -> usize {
    let body = at + 4;
    if bytes[body..].starts_with(b">") {
        return body + 1;
    }
    if bytes[body..].starts_with(b"->") {
        return body + 2;
    }
    let closed = memchr_iter(b'>', &bytes[body..]).find(|end| {
        let inside = &bytes[body..body + end];
        inside.ends_with(b"--") || inside.ends_with(b"--!")
    });
    closed.map_or(bytes.len(), |end| body + end + 1)
}
