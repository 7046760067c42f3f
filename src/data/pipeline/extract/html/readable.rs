//! The main content of a page, by Readability's rules.

use super::{
    super::entities,
    attributes::Attributes,
    elements::{BREAK, Element, LOOSE, OTHER, PRE, VOID},
    tokens::Tag,
    walk::{Sink, walk},
};
use dom_smoothie::{Config, Readability};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Elements of more than this depth are opened up: their text counts for the element around them.
const DEPTH: usize = 200;
/// Longest value of an attribute that is looked at, in bytes.
const VALUE: usize = 400;
/// Attributes that the rules look at.
const ATTRIBUTES: [&str; 6] = ["class", "id", "href", "role", "rel", "itemprop"];

/// The part of a page that holds its main content, as HTML; none if the rules find nothing or the page has more elements than
/// `max_elements`. Its text is for [`shown`].
///
/// Rules of Mozilla's Readability as ported by the crate `dom_smoothie`. It gets a page that was made simple first: balanced tags, only
/// visible elements and the attributes that the rules read, at most 200 elements deep. A page that was written to make a browser's tree
/// builder slow is so not slow here.
pub(super) fn readable(html: &str, max_elements: usize) -> Option<String> {
    let mut plain = Plain { out: String::with_capacity(html.len() / 2), depth: 0, elements: 0, max_elements, breaks: 0 };
    walk(html, &mut plain);
    if plain.elements > max_elements {
        return None;
    }
    let config = Config { disable_json_ld: true, max_elements_to_parse: 0, ..Config::default() };
    // It is someone else's code on anyone's input: if it panics, the page has no main content.
    let article = catch_unwind(AssertUnwindSafe(|| Readability::new(plain.out, None, Some(config)).ok()?.parse().ok())).ok()??;
    Some(article.content.to_string())
}

/// Writes a simple page.
struct Plain {
    out: String,
    depth: usize,
    elements: usize,
    max_elements: usize,
    /// Line breaks since the last text.
    breaks: usize,
}

/// The name that is written for an element.
fn name(element: Element) -> &'static str {
    // Obsolete names for it have contents that are no markup.
    if element.is(PRE) { "pre" } else { element.name() }
}

impl Sink for Plain {
    fn open(&mut self, tag: &Tag<'_>) {
        let element = tag.element;
        if element == OTHER || element.is(LOOSE) {
            return;
        }
        self.elements += 1;
        if self.elements > self.max_elements {
            return;
        }
        if element.is(BREAK) {
            self.breaks += 1;
            if self.breaks <= 2 {
                self.out.push_str("<br>");
            }
            return;
        }
        if element.is(VOID) {
            match element.name() {
                "img" => self.out.push_str("<img>"),
                "hr" => self.out.push_str("<hr>"),
                _ => {}
            }
            return;
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return;
        }
        self.out.push('<');
        self.out.push_str(name(element));
        let mut seen = [false; ATTRIBUTES.len()];
        for (attribute, value) in Attributes::of(tag) {
            let Some(index) = ATTRIBUTES.iter().position(|known| attribute.eq_ignore_ascii_case(known)) else { continue };
            if value.len() <= VALUE && !value.contains('"') && !std::mem::replace(&mut seen[index], true) {
                self.out.push(' ');
                self.out.push_str(ATTRIBUTES[index]);
                self.out.push_str("=\"");
                self.out.push_str(value);
                self.out.push('"');
            }
        }
        self.out.push('>');
    }

    fn close(&mut self, element: Element) {
        if element == OTHER || element.is(LOOSE) {
            return;
        }
        if self.depth <= DEPTH && self.elements <= self.max_elements {
            self.out.push_str("</");
            self.out.push_str(name(element));
            self.out.push('>');
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, text: &str) {
        if self.elements > self.max_elements {
            return;
        }
        self.breaks = if text.trim_start().is_empty() { self.breaks } else { 0 };
        let mut rest = text;
        while let Some(place) = rest.bytes().position(|byte| matches!(byte, b'&' | b'<' | b'>' | 0xc2 | 0xef)) {
            self.out.push_str(&rest[..place]);
            rest = &rest[place..];
            let reference = if rest.starts_with('&') { entities::reference(rest) } else { None };
            let (length, characters) =
                reference.unwrap_or_else(|| (rest.chars().next().map_or(1, char::len_utf8), [rest.chars().next(), None]));
            self.out.extend(characters.into_iter().flatten().map(hide));
            rest = &rest[length..];
        }
        self.out.push_str(rest);
    }
}

/// Marks of HTML in text are written as characters that no text has: a serialiser that escapes them takes the square of their number.
fn hide(character: char) -> char {
    match character {
        '&' => '\u{fdd0}',
        '<' => '\u{fdd1}',
        '>' => '\u{fdd2}',
        '\u{a0}' => ' ',
        '\u{fdd0}'..='\u{fdd2}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// The text of what [`readable`] gave, as it was in the page.
pub(super) fn shown(text: &str) -> String {
    let show = |character| match character {
        '\u{fdd0}' => '&',
        '\u{fdd1}' => '<',
        '\u{fdd2}' => '>',
        other => other,
    };
    text.chars().map(show).collect()
}
