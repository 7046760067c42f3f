//! The visible text of a page by lines.

use super::{
    super::entities,
    elements::{BLOCK, BREAK, CELL, Element, ITEM, PRE, TITLE},
    tokens::Tag,
    walk::{Sink, walk},
};

/// What is due before the next visible character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Nothing,
    Space,
    Cell,
    Line,
}

/// The text of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Lines without blanks at their ends and without empty ones, but for what is preformatted.
    pub text: String,
    /// Content of the first `<title>` that has any, in one line; empty if there is none.
    pub title: String,
}

/// Takes the visible text out of HTML.
///
/// As browsers compute `innerText` (WHATWG HTML 3.2.7): blocks, items of lists, options, rows and `<br>` end lines, cells are separated
/// by a tab, white space collapses except in `<pre>`. Different from it: one newline also between paragraphs, as in the WET files of
/// Common Crawl, the title is a line, no-break spaces are spaces, and no style sheet is read. Scripts, styles, comments, embedded
/// media, forms' text areas and what `hidden` or `style` attributes hide are left out. `bullets` puts `- ` before items of lists.
///
/// Linear in the page; the result is at most about one and a half times its size.
pub fn text(html: &str, bullets: bool) -> Text {
    let mut writer = Writer { out: String::with_capacity(html.len() / 4), bullets, ..Writer::default() };
    walk(html, &mut writer);
    let mut text = writer.out;
    text.truncate(text.trim_end().len());
    Text { text, title: writer.title }
}

struct Writer {
    out: String,
    due: Due,
    /// How many preformatted elements are open.
    pre: usize,
    /// The next byte is the first in a `<pre>`.
    pre_start: bool,
    bullets: bool,
    /// The next visible character is the first of an item.
    item: bool,
    title: String,
    title_start: Option<usize>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            out: String::new(),
            due: Due::Nothing,
            pre: 0,
            pre_start: false,
            bullets: false,
            item: false,
            title: String::new(),
            title_start: None,
        }
    }
}

impl Writer {
    fn due(&mut self, due: Due) {
        self.due = self.due.max(due);
    }

    /// Writes what is due.
    fn flush(&mut self) {
        let line_start = self.out.is_empty() || self.out.ends_with('\n');
        match self.due {
            Due::Space if !line_start => self.out.push(' '),
            Due::Cell if !line_start => self.out.push('\t'),
            Due::Line => {
                self.out.truncate(self.out.trim_end().len());
                if !self.out.is_empty() {
                    self.out.push('\n');
                }
            }
            _ => {}
        }
        self.due = Due::Nothing;
        if std::mem::take(&mut self.item) && self.bullets {
            self.out.push_str("- ");
        }
    }

    fn preformatted(&mut self, text: &str) {
        let text = if std::mem::take(&mut self.pre_start) {
            text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text)
        } else {
            text
        };
        if text.is_empty() {
            return;
        }
        self.flush();
        let mut lines = text.split("\r\n");
        entities::decode(lines.next().unwrap_or(""), &mut self.out);
        for line in lines {
            self.out.push('\n');
            entities::decode(line, &mut self.out);
        }
    }

    fn collapsed(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            // A run of bytes that are copied: single spaces inside of it too.
            let start = at;
            while let Some(byte) = bytes.get(at) {
                match CLASS[usize::from(*byte)] {
                    Class::Copied => at += 1,
                    Class::Space
                        if *byte == b' '
                            && at > start
                            && bytes.get(at + 1).is_some_and(|next| CLASS[usize::from(*next)] == Class::Copied) =>
                    {
                        at += 2;
                    }
                    Class::Latin if bytes.get(at + 1) != Some(&0xa0) => at += 1,
                    _ => break,
                }
            }
            if at > start {
                if self.due != Due::Nothing || self.item {
                    self.flush();
                }
                self.out.push_str(&text[start..at]);
            }
            match bytes.get(at) {
                None => {}
                Some(b'&') => at += self.reference(&text[at..]),
                // The no-break space.
                Some(0xc2) => {
                    self.due(Due::Space);
                    at += 2;
                }
                Some(_) => {
                    self.due(Due::Space);
                    at += 1;
                }
            }
        }
    }

    fn reference(&mut self, text: &str) -> usize {
        let (length, characters) = entities::reference(text).unwrap_or((1, [Some('&'), None]));
        for character in characters.into_iter().flatten() {
            if matches!(character, '\u{a0}' | ' ' | '\n' | '\t' | '\r') {
                self.due(Due::Space);
            } else {
                self.flush();
                self.out.push(character);
            }
        }
        length
    }
}

impl Sink for Writer {
    fn open(&mut self, tag: &Tag<'_>) {
        let element = tag.element;
        if self.pre > 0 && element.is(BREAK) {
            self.flush();
            self.out.push('\n');
        } else if element.is(BLOCK | BREAK) {
            self.due(Due::Line);
        }
        if element.is(CELL) {
            self.due(Due::Cell);
        }
        self.item |= element.is(ITEM);
        if element.is(PRE) {
            self.pre += 1;
            self.pre_start = true;
        }
        if element.is(TITLE) && self.title.is_empty() {
            self.flush();
            self.title_start = Some(self.out.len());
        }
    }

    fn close(&mut self, element: Element) {
        if element.is(BLOCK) {
            self.due(Due::Line);
        }
        if element.is(ITEM) {
            self.item = false;
        }
        if element.is(PRE) {
            self.pre = self.pre.saturating_sub(1);
        }
        if element.is(TITLE)
            && let Some(start) = self.title_start.take()
        {
            self.title = self.out[start..].trim().to_string();
        }
    }

    fn text(&mut self, text: &str) {
        if self.pre > 0 { self.preformatted(text) } else { self.collapsed(text) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Copied,
    Space,
    Reference,
    /// First byte of what may be a no-break space.
    Latin,
}

static CLASS: [Class; 256] = {
    let mut class = [Class::Copied; 256];
    class[b' ' as usize] = Class::Space;
    class[b'\n' as usize] = Class::Space;
    class[b'\t' as usize] = Class::Space;
    class[b'\r' as usize] = Class::Space;
    class[0x0c] = Class::Space;
    class[b'&' as usize] = Class::Reference;
    class[0xc2] = Class::Latin;
    class
};
