//! First pass: what is taken out as a whole, with all that is inside.
//!
//! Comments, templates and their parameters, tables, references. Contents of tags that MediaWiki does not read as wikitext
//! (`<nowiki>`, `<math>`, `<syntaxhighlight>`) are copied as they are, so nothing in them opens or closes anything.

use super::{
    super::find::{EndTags, Next},
    Handling, Wikitext, templates,
};
use crate::data::pipeline::Counts;
use memchr::memchr3;

/// Something open that will be cut out when it closes: back to this length of the output.
enum Frame {
    /// That many opening braces that are not closed yet.
    Braces(usize, usize),
    /// A table: `{|` or `<table>`.
    Table(usize),
}

/// Takes them out. Linear; what is opened and never closed stays.
pub(super) fn strip(text: &str, rules: &Wikitext, counts: &mut Counts) -> String {
    let mut pass = Pass {
        text,
        rules,
        counts,
        out: String::with_capacity(text.len() / 2),
        frames: Vec::new(),
        tables: 0,
        at: 0,
        comment_end: Next::new("-->"),
        heading: Next::new("\n=="),
        ends: EndTags::default(),
    };
    pass.run();
    pass.out
}

pub(super) struct Pass<'a, 'b> {
    pub(super) text: &'a str,
    pub(super) rules: &'b Wikitext,
    pub(super) counts: &'b mut Counts,
    pub(super) out: String,
    frames: Vec<Frame>,
    /// How many of the frames are tables.
    pub(super) tables: usize,
    pub(super) at: usize,
    pub(super) comment_end: Next<'static>,
    pub(super) heading: Next<'static>,
    pub(super) ends: EndTags,
}

impl Pass<'_, '_> {
    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(offset) = memchr3(b'<', b'{', b'}', &bytes[self.at..]) {
            let place = self.at + offset;
            self.out.push_str(&self.text[self.at..place]);
            self.at = place;
            match bytes[place] {
                b'<' => self.tag(),
                b'{' => self.open(),
                _ => self.close(),
            }
        }
        self.out.push_str(&self.text[self.at..]);
        for _ in &self.frames {
            self.counts.add("wikitext.unbalanced", 0);
        }
    }

    pub(super) fn copy(&mut self, length: usize) {
        self.out.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    /// How often the byte here is repeated.
    fn run_length(&self) -> usize {
        let bytes = &self.text.as_bytes()[self.at..];
        bytes.iter().take_while(|byte| **byte == bytes[0]).count()
    }

    /// Whether only indentation is between the last line break and a place.
    fn line_start(&self, at: usize) -> bool {
        let before = &self.text.as_bytes()[..at];
        let last = before.iter().rev().take(64).find(|byte| !matches!(byte, b' ' | b'\t' | b':' | b'*'));
        last.is_none_or(|byte| *byte == b'\n')
    }

    /// At `{`: braces are counted as MediaWiki's preprocessor does.
    fn open(&mut self) {
        let braces = self.run_length();
        let table = self.text.as_bytes().get(self.at + braces) == Some(&b'|') && self.line_start(self.at);
        if braces == 1 {
            if table {
                self.open_table();
            }
        } else {
            self.frames.push(Frame::Braces(braces, self.out.len()));
        }
        self.copy(braces);
    }

    /// At `}`.
    fn close(&mut self) {
        let mut braces = self.run_length();
        let bytes = self.text.as_bytes();
        if braces == 1 {
            // `|}` at the start of a line.
            let bar = self.at.checked_sub(1).filter(|place| bytes[*place] == b'|');
            let table = bar.is_some_and(|place| self.line_start(place));
            match if table { self.table() } else { None } {
                Some(place) => self.cut(place, 1, "wikitext.tables"),
                None => self.copy(1),
            }
            return;
        }
        while braces >= 2 {
            // Not looked for where there are tables only.
            if self.tables == self.frames.len() {
                break;
            }
            let Some(place) = self.frames.iter().rposition(|frame| matches!(frame, Frame::Braces(..))) else { break };
            self.drop_frames(place + 1);
            let Frame::Braces(open, start) = &mut self.frames[place] else { break };
            let pair = if *open >= 3 && braces >= 3 { 3 } else { 2 };
            *open -= pair;
            braces -= pair;
            let (closed, start) = (*open < 2, *start + *open);
            let inner = self.out.get(start + pair..).filter(|_| self.rules.text_templates == Handling::Keep);
            let shown = inner.and_then(|inner| if pair == 2 { templates::text(inner) } else { templates::default(inner) });
            let shown = shown.unwrap_or_default();
            self.counts.add("wikitext.templates", (self.out.len() + pair).saturating_sub(start + shown.len()));
            self.out.truncate(start);
            self.out.push_str(&shown);
            self.at += pair;
            if closed {
                self.drop_frames(place);
            }
            if braces < 2 {
                self.fill_hole();
            }
        }
        // What closes nothing is left out.
        if braces >= 2 {
            self.at += braces;
        } else {
            self.copy(braces);
        }
    }

    /// Cuts out the frame at `place`, and all in it, with `length` bytes that close it.
    pub(super) fn cut(&mut self, place: usize, length: usize, rule: &str) {
        let (Frame::Table(start) | Frame::Braces(_, start)) = self.frames[place];
        self.counts.add(rule, self.out.len().saturating_sub(start) + length);
        self.out.truncate(start);
        self.drop_frames(place);
        self.at += length;
    }

    pub(super) fn open_table(&mut self) {
        self.frames.push(Frame::Table(self.out.len()));
        self.tables += 1;
    }

    /// The innermost open table; not looked for where there is none.
    pub(super) fn table(&self) -> Option<usize> {
        if self.tables == 0 { None } else { self.frames.iter().rposition(|frame| matches!(frame, Frame::Table(_))) }
    }

    fn drop_frames(&mut self, depth: usize) {
        let tables = self.frames[depth..].iter().filter(|frame| matches!(frame, Frame::Table(_))).count();
        self.tables -= tables;
        self.frames.truncate(depth);
    }

    /// Where something was just taken out: parentheses that held nothing else go too, as does punctuation behind an opening one.
    pub(super) fn fill_hole(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = |bytes: &[u8]| bytes.iter().take(16).take_while(|byte| matches!(byte, b' ' | b',' | b';')).count();
        let open = {
            let out = self.out.as_bytes();
            let trailing = out.iter().rev().take(16).take_while(|byte| matches!(byte, b' ' | b',' | b';')).count();
            (out.len() - trailing > 0 && out[out.len() - trailing - 1] == b'(').then(|| out.len() - trailing)
        };
        let Some(inside) = open else { return };
        let skipped = blanks(rest);
        if rest.get(skipped) == Some(&b')') {
            self.out.truncate(inside - 1);
            while self.out.ends_with(' ') {
                self.out.pop();
            }
            self.at += skipped + 1;
        } else if skipped > 0 {
            self.out.truncate(inside);
            self.at += skipped;
        }
    }
}

/// Behind the `>` of a start tag whose name ends at `at`; none if another tag begins before.
pub(super) fn tag_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes.get(at).is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')) {
        return None;
    }
    let offset = memchr::memchr2(b'<', b'>', &bytes[at..])?;
    (bytes[at + offset] == b'>').then_some(at + offset + 1)
}

/// Behind the `>` of an end tag at `at`.
pub(super) fn end_tag_end(text: &str, at: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[at..];
    let name = bytes.iter().skip(2).take(20).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let blanks = bytes[2 + name..].iter().take(20).take_while(|byte| byte.is_ascii_whitespace()).count();
    (bytes.get(2 + name + blanks) == Some(&b'>')).then_some(at + 3 + name + blanks)
}
