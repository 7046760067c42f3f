//! Second pass: tags.

use super::{
    super::entities,
    render::{Pass, render},
    structure::{end_tag_end, tag_end},
};

impl Pass<'_, '_> {
    pub(super) fn tag(&mut self) {
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
