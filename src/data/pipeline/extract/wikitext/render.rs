//! Second pass: what is left, line by line, without its marks.

use super::{
    super::{
        entities,
        find::{EndTags, Next},
    },
    Handling, Wikitext, names,
    names::Target,
    quotes::apostrophe,
    structure::{end_tag_end, tag_end},
};
use crate::data::pipeline::Counts;
use memchr::memchr;

/// Links that are open inside of each other at most; a caption may hold links, nothing needs more.
const LINKS: usize = 40;
/// Longest target of a link that is looked at, in bytes; MediaWiki's titles have at most 255.
const TITLE: usize = 600;

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

/// A link that is open.
struct Link {
    /// It goes to another site and ends at `]`.
    external: bool,
    target: Target,
    /// Where the target begins in the source, and the text in the output.
    source: usize,
    out: usize,
    /// Its first `|` was read.
    piped: bool,
    /// `[[:`: always shown.
    colon: bool,
}

/// A section: level and where its heading begins and ends in the output.
struct Section {
    level: usize,
    start: usize,
    end: usize,
    dropped: bool,
}

struct Pass<'a, 'b> {
    text: &'a str,
    rules: &'b Wikitext,
    counts: &'b mut Counts,
    out: String,
    at: usize,
    links: Vec<Link>,
    sections: Vec<Section>,
    /// In a heading: where its text and its line end.
    heading: Option<(usize, usize)>,
    /// A run of apostrophes in this line of which the first is one.
    apostrophe: Option<usize>,
    ends: EndTags,
    variant_end: Next<'static>,
    /// How many `-{` are open.
    variants: usize,
}

impl Pass<'_, '_> {
    fn run(&mut self) {
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

    fn special(&mut self, byte: u8) {
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

    fn next(&self, offset: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + offset).copied()
    }

    /// How often the byte here is repeated.
    fn repeated(&self) -> usize {
        let bytes = &self.text.as_bytes()[self.at..];
        bytes.iter().take_while(|byte| **byte == bytes[0]).count()
    }

    /// Copies what begins here: a character at least.
    fn copy(&mut self, length: usize) {
        let length = (length..length + 4).find(|length| self.text.is_char_boundary(self.at + length)).unwrap_or(length);
        self.out.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    /// Copies a run of the byte here if it is shorter than `mark`, else leaves it out.
    fn unless_run(&mut self, mark: usize) {
        let length = self.repeated();
        if length < mark { self.copy(length) } else { self.at += length }
    }

    fn space(&mut self, length: usize) {
        self.at += length;
        if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }

    /// Ends the line of the output; at most one empty line is kept.
    fn newline(&mut self) {
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn line_end(&mut self) {
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

    fn line_start(&mut self) {
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

    fn start_heading(&mut self, line: &str) {
        let line = line.trim_end();
        let marks = |count: usize| count.min(6).min((line.len() - 1) / 2);
        let opening = line.bytes().take_while(|byte| *byte == b'=').count();
        let closing = line.bytes().rev().take_while(|byte| *byte == b'=').count();
        let level = marks(opening.min(closing));
        if level == 0 {
            return;
        }
        self.links.clear();
        self.end_sections(level);
        let start = self.out.len();
        self.sections.push(Section { level, start, end: start, dropped: false });
        self.heading = Some((self.at + line.len() - level, self.at + line.len()));
        self.at += level;
    }

    fn end_heading(&mut self) {
        self.links.clear();
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        if let Some((_, next)) = self.heading.take() {
            self.at = self.at.max(next);
        }
        if let Some(section) = self.sections.last_mut() {
            let name = self.out.get(section.start..).unwrap_or("");
            section.dropped = names::section(name).is_some_and(|kind| self.rules.drop_sections.contains(&kind));
            section.end = self.out.len();
        }
    }

    /// Ends the open sections of this level and below; those to be left out are cut off.
    fn end_sections(&mut self, level: usize) {
        while let Some(section) = self.sections.pop_if(|section| section.level >= level) {
            let empty = self.rules.empty_sections == Handling::Drop && self.out.trim_end().len() <= section.end;
            if section.dropped || empty {
                let rule = if section.dropped { "wikitext.sections" } else { "wikitext.empty_sections" };
                self.counts.add(rule, self.out.len().saturating_sub(section.start));
                self.cut(section.start);
            }
        }
    }

    /// Bold and italics; see [`apostrophe`].
    fn quotes(&mut self) {
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

    fn open(&mut self) {
        let length = self.repeated();
        let url = length <= 2 && scheme(&self.text.as_bytes()[self.at + length..]);
        if length == 1 && !url {
            return self.copy(1);
        }
        // Of three or more the last two open a link.
        self.out.extend(std::iter::repeat_n('[', length.saturating_sub(2)));
        self.at += length;
        if self.links.len() >= LINKS {
            return;
        }
        let mut link = Link { external: url, target: Target::Page, source: self.at, out: self.out.len(), piped: false, colon: false };
        if url {
            let rest = &self.text.as_bytes()[self.at..];
            let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b'<' | b'>' | b'"'));
            let end = end.unwrap_or(rest.len());
            self.counts.add("wikitext.external_links", end);
            self.at += end;
        } else if self.next(0) == Some(b':') {
            link.colon = true;
            self.at += 1;
        }
        self.links.push(link);
    }

    /// What the link whose target ends here leads to.
    fn target(&self, link: &Link) -> Target {
        if link.colon || link.external {
            return Target::Page;
        }
        self.text.get(link.source..self.at).filter(|target| target.len() <= TITLE).map_or(Target::Page, names::target)
    }

    fn pipe(&mut self) {
        let target = match self.links.last() {
            Some(link) if !link.external => self.target(link),
            _ => return self.copy(1),
        };
        let Some(link) = self.links.last_mut() else { return };
        if !link.piped {
            (link.piped, link.target) = (true, target);
        } else if link.target == Target::Page {
            return self.copy(1);
        }
        // What is before was no text: target, or size and place of a picture.
        let start = link.out;
        self.cut(start);
        self.at += 1;
    }

    /// Cuts the output back to a length that it had; blanks at its end may be gone since.
    fn cut(&mut self, length: usize) {
        if let Some(length) = (0..=length.min(self.out.len())).rev().find(|length| self.out.is_char_boundary(*length)) {
            self.out.truncate(length);
        }
    }

    fn close(&mut self) {
        let double = self.next(1) == Some(b']');
        match self.links.pop() {
            Some(link) if link.external => self.at += 1,
            Some(link) if double => self.end_link(&link),
            Some(link) => {
                self.links.push(link);
                self.copy(1);
            }
            None => self.unless_run(2),
        }
    }

    fn end_link(&mut self, link: &Link) {
        let target = if link.piped { link.target } else { self.target(link) };
        let rule = match target {
            Target::Page => {
                if link.piped && self.out.len() <= link.out {
                    // `[[Target|]]`.
                    let shown = self.text[link.source..self.at].trim_start_matches(':').trim_end_matches('|');
                    entities::decode(shown.get(..shown.len().min(TITLE)).unwrap_or(""), &mut self.out);
                }
                "wikitext.links"
            }
            Target::File => "wikitext.files",
            Target::Unseen => "wikitext.categories",
        };
        if target != Target::Page {
            self.cut(link.out);
        }
        let kept = self.out.len().saturating_sub(link.out);
        self.at += 2;
        self.counts.add(rule, (self.at + 2 - link.source).saturating_sub(kept));
    }

    fn reference(&mut self) {
        let (length, characters) = entities::reference(&self.text[self.at..]).unwrap_or((1, [Some('&'), None]));
        self.at += length;
        for character in characters.into_iter().flatten() {
            if matches!(character, '\u{a0}' | ' ' | '\n' | '\t') { self.space(0) } else { self.out.push(character) }
        }
    }

    /// `__TOC__` and its like, in any language.
    fn magic_word(&mut self) {
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
    fn variant(&mut self) -> bool {
        self.next(1) != Some(b'{')
            && self.out.ends_with('-')
            && self.text[..self.at].ends_with('-')
            && self.variant_end.after(self.text, self.at).is_some_and(|end| end < self.at + 2000)
    }

    fn tag(&mut self) {
        let closing = usize::from(self.next(1) == Some(b'/'));
        let name_at = self.at + 1 + closing;
        let length = self.text.as_bytes()[name_at..].iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = self.text[name_at..name_at + length].to_ascii_lowercase();
        let Some((name, kind)) = TAGS.iter().find(|(known, _)| *known == name) else { return self.copy(1) };
        let Some(end) = tag_end(self.text, name_at + length) else { return self.copy(1) };
        let alone = closing == 1 || self.text.as_bytes()[end - 2] == b'/';
        let tag = self.at;
        self.at = end;
        match kind {
            Tag::Inline => {}
            Tag::Line => self.newline_in_text(),
            Tag::Blank => self.space(0),
            _ if alone => {}
            kind => {
                let close = self.ends.after(self.text, name, end).and_then(|close| Some((close, end_tag_end(self.text, close)?)));
                let Some((close, after)) = close else { return };
                self.at = after;
                self.contents(*kind, end..close);
            }
        }
        self.counts.add("wikitext.tags", self.at - tag);
    }

    /// A line break that a tag makes, unless the source has one here.
    fn newline_in_text(&mut self) {
        if !self.out.ends_with('\n') && self.next(0) != Some(b'\n') {
            self.newline();
        }
    }

    /// Content that is not wikitext.
    fn contents(&mut self, kind: Tag, range: std::ops::Range<usize>) {
        let content = &self.text[range];
        match kind {
            Tag::Verbatim => entities::decode(content, &mut self.out),
            Tag::Math => {
                self.out.push('$');
                self.out.push_str(content.trim());
                self.out.push('$');
            }
            Tag::Code => {
                if !self.out.ends_with('\n') {
                    self.newline();
                }
                entities::decode(content.trim_matches('\n').trim_end(), &mut self.out);
                self.newline_in_text();
            }
            Tag::Gallery => {
                for caption in content.lines().filter_map(|line| line.split_once('|')) {
                    if !self.out.ends_with('\n') {
                        self.newline();
                    }
                    let caption = render(caption.1, self.rules, self.counts);
                    self.out.push_str(&caption);
                }
                self.newline_in_text();
            }
            Tag::Inline | Tag::Line | Tag::Blank => {}
        }
    }
}

/// Whether a link to another site begins here.
fn scheme(bytes: &[u8]) -> bool {
    const SCHEMES: [&str; 12] =
        ["http://", "https://", "//", "ftp://", "mailto:", "news:", "irc://", "git://", "svn://", "tel:", "urn:", "gopher://"];
    SCHEMES.iter().any(|scheme| bytes.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes())))
}

/// What a tag does to the text around it.
#[derive(Clone, Copy)]
enum Tag {
    Inline,
    Line,
    Blank,
    Verbatim,
    Math,
    Code,
    Gallery,
}

/// Tags that MediaWiki knows; other `<` are text.
#[rustfmt::skip]
const TAGS: [(&str, Tag); 72] = [
    ("nowiki", Tag::Verbatim), ("math", Tag::Math), ("chem", Tag::Math), ("ce", Tag::Math), ("pre", Tag::Code), ("source", Tag::Code),
    ("syntaxhighlight", Tag::Code), ("gallery", Tag::Gallery), ("ref", Tag::Inline), ("references", Tag::Inline),
    ("br", Tag::Line), ("p", Tag::Line), ("div", Tag::Line), ("center", Tag::Line), ("blockquote", Tag::Line), ("hr", Tag::Line),
    ("h1", Tag::Line), ("h2", Tag::Line), ("h3", Tag::Line), ("h4", Tag::Line), ("h5", Tag::Line), ("h6", Tag::Line), ("ul", Tag::Line),
    ("ol", Tag::Line), ("li", Tag::Line), ("dl", Tag::Line), ("dt", Tag::Line), ("dd", Tag::Line), ("table", Tag::Line), ("tr", Tag::Line),
    ("caption", Tag::Line), ("td", Tag::Blank), ("th", Tag::Blank), ("poem", Tag::Line),
    ("b", Tag::Inline), ("i", Tag::Inline), ("u", Tag::Inline), ("s", Tag::Inline), ("em", Tag::Inline), ("strong", Tag::Inline),
    ("small", Tag::Inline), ("big", Tag::Inline), ("sub", Tag::Inline), ("sup", Tag::Inline), ("span", Tag::Inline), ("font", Tag::Inline),
    ("code", Tag::Inline), ("tt", Tag::Inline), ("kbd", Tag::Inline), ("samp", Tag::Inline), ("var", Tag::Inline), ("cite", Tag::Inline),
    ("q", Tag::Inline), ("abbr", Tag::Inline), ("del", Tag::Inline), ("ins", Tag::Inline), ("strike", Tag::Inline), ("bdi", Tag::Inline),
    ("bdo", Tag::Inline), ("ruby", Tag::Inline), ("rb", Tag::Inline), ("rt", Tag::Inline), ("rp", Tag::Inline), ("time", Tag::Inline),
    ("mark", Tag::Inline), ("wbr", Tag::Inline), ("dfn", Tag::Inline), ("data", Tag::Inline), ("section", Tag::Inline),
    ("noinclude", Tag::Inline), ("includeonly", Tag::Inline), ("onlyinclude", Tag::Inline),
];

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
