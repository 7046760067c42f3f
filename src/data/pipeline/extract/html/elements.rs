//! The elements of HTML that matter for its text.

use std::sync::LazyLock;

/// An element, as an index into [`ELEMENTS`]; 0 for those that do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element(u8);

/// Any element that is not in the table: a part of its line.
pub(super) const OTHER: Element = Element(0);

/// Begins and ends a line.
pub(super) const BLOCK: u16 = 1;
/// Has no content and no end tag.
pub(super) const VOID: u16 = 1 << 1;
/// Its content is not markup, and nobody sees it.
pub(super) const RAW: u16 = 1 << 2;
/// Its content is text without tags.
pub(super) const PLAIN: u16 = 1 << 3;
/// What is inside is not seen.
pub(super) const UNSEEN: u16 = 1 << 4;
/// Its tags are ignored, but for the line that a block begins: no text depends on where it ends.
pub(super) const LOOSE: u16 = 1 << 5;
/// An open `<p>` ends where it begins.
pub(super) const ENDS_P: u16 = 1 << 6;
/// A cell of a table.
pub(super) const CELL: u16 = 1 << 7;
/// An item of a list.
pub(super) const ITEM: u16 = 1 << 8;
/// White space inside counts.
pub(super) const PRE: u16 = 1 << 9;
/// A line break.
pub(super) const BREAK: u16 = 1 << 10;
/// `<title>`.
pub(super) const TITLE: u16 = 1 << 11;
/// Siblings that have no end tag end where the next one begins; so do the ones inside of them.
pub(super) const LIST: u16 = 1 << 12;
/// As [`LIST`], for `dt` and `dd`.
pub(super) const PAIR: u16 = 1 << 13;
/// As [`LIST`], for rows and groups of rows, which also end cells.
pub(super) const ROW: u16 = 1 << 14;
/// As [`LIST`], for `option`.
pub(super) const CHOICE: u16 = 1 << 15;

const SECTION: u16 = BLOCK | ENDS_P;

/// Names and what they are (WHATWG HTML 15.3 for blocks, 13.1.2 for contents and for tags that may be left out).
#[rustfmt::skip]
const ELEMENTS: &[(&str, u16)] = &[
    ("", 0),
    ("html", LOOSE), ("head", LOOSE), ("body", BLOCK | LOOSE), ("form", SECTION | LOOSE), ("center", SECTION | LOOSE),
    ("title", BLOCK | PLAIN | TITLE), ("textarea", PLAIN | UNSEEN),
    ("script", RAW), ("style", RAW), ("iframe", RAW), ("noembed", RAW), ("noframes", RAW),
    ("noscript", UNSEEN), ("template", UNSEEN), ("svg", UNSEEN), ("object", UNSEEN), ("audio", UNSEEN), ("video", UNSEEN),
    ("canvas", UNSEEN), ("datalist", UNSEEN), ("annotation", UNSEEN), ("annotation-xml", UNSEEN),
    ("area", VOID), ("base", VOID), ("basefont", VOID), ("bgsound", VOID), ("br", VOID | BREAK), ("col", VOID), ("embed", VOID),
    ("frame", VOID), ("hr", VOID | SECTION), ("img", VOID), ("input", VOID), ("keygen", VOID), ("link", VOID), ("meta", VOID),
    ("param", VOID), ("source", VOID), ("track", VOID), ("wbr", VOID),
    ("address", SECTION), ("article", SECTION), ("aside", SECTION), ("blockquote", SECTION), ("details", SECTION), ("dialog", SECTION),
    ("dir", SECTION), ("div", SECTION), ("dl", SECTION), ("fieldset", SECTION), ("figcaption", SECTION), ("figure", SECTION),
    ("footer", SECTION), ("h1", SECTION), ("h2", SECTION), ("h3", SECTION), ("h4", SECTION), ("h5", SECTION), ("h6", SECTION),
    ("header", SECTION), ("hgroup", SECTION), ("legend", BLOCK), ("main", SECTION), ("menu", SECTION), ("nav", SECTION), ("ol", SECTION),
    ("p", SECTION), ("search", SECTION), ("section", SECTION), ("summary", SECTION), ("ul", SECTION),
    ("pre", SECTION | PRE), ("listing", SECTION | PRE), ("xmp", SECTION | PRE), ("plaintext", SECTION | PRE),
    ("li", SECTION | ITEM | LIST), ("dt", SECTION | PAIR), ("dd", SECTION | PAIR),
    ("table", SECTION), ("caption", BLOCK), ("colgroup", BLOCK), ("thead", BLOCK | ROW), ("tbody", BLOCK | ROW), ("tfoot", BLOCK | ROW),
    ("tr", BLOCK | ROW), ("td", CELL), ("th", CELL),
    ("option", BLOCK | CHOICE), ("optgroup", BLOCK | CHOICE),
    ("a", 0), ("b", 0), ("i", 0), ("em", 0), ("strong", 0), ("span", 0), ("code", 0), ("tt", 0), ("u", 0), ("s", 0), ("small", 0),
    ("big", 0), ("font", 0), ("sub", 0), ("sup", 0), ("q", 0), ("cite", 0), ("abbr", 0), ("time", 0), ("mark", 0), ("label", 0),
];

/// How many elements there are.
pub(super) const COUNT: usize = ELEMENTS.len();

/// Names of up to 16 bytes are compared as one number.
type Key = u128;

fn key(name: &[u8]) -> Option<Key> {
    if name.len() > 16 {
        return None;
    }
    Some(name.iter().fold(0, |key, byte| key << 8 | Key::from(byte.to_ascii_lowercase())))
}

static SORTED: LazyLock<Vec<(Key, u8)>> = LazyLock::new(|| {
    let named = ELEMENTS.iter().enumerate().skip(1);
    let mut sorted: Vec<(Key, u8)> = named.filter_map(|(index, (name, _))| Some((key(name.as_bytes())?, index as u8))).collect();
    sorted.sort_unstable();
    sorted
});

impl Element {
    /// The element of a name in any case.
    pub(super) fn named(name: &[u8]) -> Self {
        let Some(key) = key(name) else { return OTHER };
        SORTED.binary_search_by_key(&key, |(key, _)| *key).map_or(OTHER, |place| Self(SORTED[place].1))
    }

    /// Whether it is any of these.
    pub(super) fn is(self, flags: u16) -> bool {
        ELEMENTS[usize::from(self.0)].1 & flags != 0
    }

    /// Its name; empty for [`OTHER`].
    pub(super) fn name(self) -> &'static str {
        ELEMENTS[usize::from(self.0)].0
    }

    /// A number below [`COUNT`].
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Whether one that is open ends where `next` begins, because its end tag may be left out.
    pub(super) fn ends_before(self, next: Self) -> bool {
        if self.name() == "p" {
            return next.is(ENDS_P | CELL | ROW);
        }
        let flags = ELEMENTS[usize::from(self.0)].1;
        let group = flags & (LIST | PAIR | CHOICE);
        group != 0 && next.is(group)
            || flags & CELL != 0 && next.is(CELL | ROW)
            // A row ends before a row, a group of rows before a group; a row in a group does not end the group.
            || flags & ROW != 0 && next.is(ROW) && (self.name() == "tr" || next.name() != "tr")
            || matches!(self.name(), "caption" | "colgroup") && next.is(ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert!(ELEMENTS.len() < 256);
        for (name, _) in &ELEMENTS[1..] {
            assert_eq!(Element::named(name.as_bytes()).name(), *name);
            assert_eq!(Element::named(name.to_ascii_uppercase().as_bytes()).name(), *name);
        }
        for name in ["", "x", "divx", "o:p", "a-very-long-custom-element"] {
            assert_eq!(Element::named(name.as_bytes()), OTHER);
        }
    }

    #[test]
    fn end_tags_that_may_be_left_out() {
        let element = |name: &str| Element::named(name.as_bytes());
        for (open, next, ends) in [
            ("p", "div", true),
            ("p", "p", true),
            ("p", "span", false),
            ("p", "td", true),
            ("li", "li", true),
            ("li", "div", false),
            ("dt", "dd", true),
            ("td", "th", true),
            ("td", "tr", true),
            ("tr", "tr", true),
            ("tbody", "tr", false),
            ("thead", "tbody", true),
            ("tr", "tbody", true),
            ("caption", "tr", true),
            ("div", "div", false),
            ("option", "option", true),
        ] {
            assert_eq!(element(open).ends_before(element(next)), ends, "{open} {next}");
        }
    }
}
