//! Second pass: what is left, line by line, without its marks.

use super::{
    super::{
        entities,
        find::{EndTags, Next},
    },
    Wikitext,
    headings::Section,
    links::Link,
    names::Target,
    quotes::apostrophe,
};
use crate::data::pipeline::Counts;
use memchr::memchr;

/// Takes the marks off. Linear in the text.
pub(super) fn render(text: &str, rules: &Wikitext, counts: &mut Counts) -> String {
    let mut pass = Pass {
        text,
        rules,
        counts,
        out: String::with_capacity(text.len()),
        at: 0,
        links: Vec::new(),
        sections: Vec::new(),
        heading: None,
        apostrophe: None,
        ends: EndTags::default(),
        variant_end: Next::new("}-"),
        variants: 0,
    };
    pass.run();
    pass.out
}

pub(super) struct Pass<'a, 'b> {
    pub(super) text: &'a str,
    pub(super) rules: &'b Wikitext,
    pub(super) counts: &'b mut Counts,
    pub(super) out: String,
    pub(super) at: usize,
    pub(super) links: Vec<Link>,
    pub(super) sections: Vec<Section>,
    /// In a heading: where its text and its line end.
    pub(super) heading: Option<(usize, usize)>,
    /// A run of apostrophes in this line of which the first is one.
    pub(super) apostrophe: Option<usize>,
    pub(super) ends: EndTags,
    pub(super) variant_end: Next<'static>,
    /// How many `-{` are open.
    pub(super) variants: usize,
}

impl Pass<'_, '_> {
    pub(super) fn run(&mut self) {
        let bytes = self.text.as_bytes();
        self.line_start();
        loop {
            let limit = self.heading.map_or(bytes.len(), |(end, _)| end);
            let start = self.at;
            let mut at = start;
            while at < limit && !SPECIAL[usize::from(bytes[at])] {
                at += 1;
                // A single blank between words.
                if at + 1 < limit && bytes[at] == b' ' && !SPECIAL[usize::from(bytes[at + 1])] {
                    at += 1;
                }
            }
            self.out.push_str(&self.text[start..at]);
            self.at = at;
            if at < limit {
                self.special(bytes[at]);
            } else if self.heading.is_some() {
                self.end_heading();
            } else {
                break;
            }
        }
        self.end_sections(0);
        self.out.truncate(self.out.trim_end().len());
    }

    pub(super) fn special(&mut self, byte: u8) {
        match byte {
            b'\n' => self.line_end(),
            b' ' | b'\t' | b'\r' => self.space(1),
            0xc2 if self.next(1) == Some(0xa0) => self.space(2),
            b'\'' => self.quotes(),
            b'[' => self.open(),
            b']' => self.close(),
            b'|' => self.pipe(),
            b'<' => self.tag(),
            b'&' => self.reference(),
            b'_' => self.magic_word(),
            b'~' => self.unless_run(3),
            b'{' if self.variant() => {
                self.out.pop();
                self.variants += 1;
                self.at += 1;
            }
            b'}' if self.variants > 0 && self.next(1) == Some(b'-') => {
                self.variants -= 1;
                self.at += 2;
            }
            b'{' | b'}' => self.unless_run(2),
            _ => self.copy(1),
        }
    }

    pub(super) fn next(&self, offset: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + offset).copied()
    }

    /// How often the byte here is repeated.
    pub(super) fn repeated(&self) -> usize {
        let bytes = &self.text.as_bytes()[self.at..];
        bytes.iter().take_while(|byte| **byte == bytes[0]).count()
    }

    /// Copies what begins here: a character at least.
    pub(super) fn copy(&mut self, length: usize) {
        let length = (length..length + 4).find(|length| self.text.is_char_boundary(self.at + length)).unwrap_or(length);
        self.out.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    /// Copies a run of the byte here if it is shorter than `mark`, else leaves it out.
    pub(super) fn unless_run(&mut self, mark: usize) {
        let length = self.repeated();
        if length < mark { self.copy(length) } else { self.at += length }
    }

    pub(super) fn space(&mut self, length: usize) {
        self.at += length;
        if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }

    /// Ends the line of the output; at most one empty line is kept.
    pub(super) fn newline(&mut self) {
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    pub(super) fn line_end(&mut self) {
        // Links to other sites end with their line, links with their paragraph.
        let paragraph = self.next(1) == Some(b'\n');
        while self.links.last().is_some_and(|link| link.external || paragraph && link.target != Target::File) {
            self.links.pop();
            self.counts.add("wikitext.unbalanced", 0);
        }
        self.newline();
        self.at += 1;
        self.line_start();
    }

    pub(super) fn line_start(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &self.text[self.at..self.at + end];
        self.apostrophe = apostrophe(line).map(|place| self.at + place);
        match line.as_bytes() {
            [b'=', ..] => self.start_heading(line),
            [b'*' | b'#' | b':' | b';', ..] => {
                let marks = line.len() - line.trim_start_matches(['*', '#', ':', ';']).len();
                if self.rules.bullets && line[..marks].contains(['*', '#']) {
                    self.out.push_str("- ");
                }
                self.at += marks;
            }
            [b'-', b'-', b'-', b'-', ..] => self.at += self.repeated(),
            // Rows of a table or parameters of a template that never began or never ended.
            [b'|', ..] | [b'{', b'|', ..] => {
                self.counts.add("wikitext.unbalanced", line.len());
                self.at += end;
            }
            _ => {}
        }
    }

    /// Bold and italics; see [`apostrophe`].
    pub(super) fn quotes(&mut self) {
        let length = self.repeated();
        let shown = match length {
            1 => 1,
            2 | 3 | 5 => 0,
            4 => 1,
            _ => length - 5,
        } + usize::from(self.apostrophe == Some(self.at));
        self.out.extend(std::iter::repeat_n('\'', shown));
        self.at += length;
    }

    /// Cuts the output back to a length that it had; blanks at its end may be gone since.
    pub(super) fn cut(&mut self, length: usize) {
        if let Some(length) = (0..=length.min(self.out.len())).rev().find(|length| self.out.is_char_boundary(*length)) {
            self.out.truncate(length);
        }
    }

    pub(super) fn reference(&mut self) {
        let (length, characters) = entities::reference(&self.text[self.at..]).unwrap_or((1, [Some('&'), None]));
        self.at += length;
        for character in characters.into_iter().flatten() {
            if matches!(character, '\u{a0}' | ' ' | '\n' | '\t') { self.space(0) } else { self.out.push(character) }
        }
    }

    /// `__TOC__` and its like, in any language.
    pub(super) fn magic_word(&mut self) {
        let run = self.repeated();
        let rest = &self.text[self.at + run..];
        let word = rest.chars().take(40).take_while(|letter| letter.is_uppercase() || *letter == '_').map(char::len_utf8).sum();
        if run == 2 && word > 4 && rest[..word].ends_with("__") {
            self.at += run + word;
        } else {
            self.copy(run);
        }
    }

    /// Whether this `{` begins `-{text}-`, which keeps text from being converted between scripts.
    pub(super) fn variant(&mut self) -> bool {
        self.next(1) != Some(b'{')
            && self.out.ends_with('-')
            && self.text[..self.at].ends_with('-')
            && self.variant_end.after(self.text, self.at).is_some_and(|end| end < self.at + 2000)
    }
}

static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let marks = b"\n \t\r'[]|<&_~{}";
    let mut index = 0;
    while index < marks.len() {
        special[marks[index] as usize] = true;
        index += 1;
    }
    // First byte of the no-break space.
    special[0xc2] = true;
    special
};
