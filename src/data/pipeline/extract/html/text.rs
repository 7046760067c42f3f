//! The visible text of a page by lines.

use super::{
    elements::{BLOCK, BREAK, CELL, Element, ITEM, PRE, TITLE},
    tokens::Tag,
    walk::{Sink, walk},
    writer::{Due, Writer},
};

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
