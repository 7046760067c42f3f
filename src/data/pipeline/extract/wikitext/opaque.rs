//! First pass: tags whose content is not wikitext, and comments.

use super::{
    Handling,
    structure::{Pass, end_tag_end, tag_end},
};

/// Tags whose content MediaWiki does not read as wikitext, and what becomes of them.
#[rustfmt::skip]
const OPAQUE: [(&str, Opaque); 20] = [
    ("nowiki", Opaque::Kept), ("pre", Opaque::Code), ("source", Opaque::Code), ("syntaxhighlight", Opaque::Code),
    ("math", Opaque::Math), ("chem", Opaque::Math), ("ce", Opaque::Math), ("gallery", Opaque::Gallery), ("ref", Opaque::Reference),
    ("references", Opaque::Dropped), ("timeline", Opaque::Dropped), ("score", Opaque::Dropped), ("graph", Opaque::Dropped),
    ("mapframe", Opaque::Dropped), ("maplink", Opaque::Dropped), ("templatedata", Opaque::Dropped), ("imagemap", Opaque::Dropped),
    ("hiero", Opaque::Dropped), ("inputbox", Opaque::Dropped), ("templatestyles", Opaque::Dropped),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opaque {
    Kept,
    Code,
    Math,
    Gallery,
    Reference,
    Dropped,
}

impl Pass<'_, '_> {
    /// At `<`.
    pub(super) fn tag(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(b"<!--") {
            return self.comment();
        }
        let closing = rest.get(1) == Some(&b'/');
        let name_at = self.at + 1 + usize::from(closing);
        let name = self.text.as_bytes()[name_at..].iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = &self.text[name_at..name_at + name];
        if name.eq_ignore_ascii_case("table") {
            let end = if closing { self.table().zip(end_tag_end(self.text, self.at)) } else { None };
            if let Some((place, end)) = end {
                return self.cut(place, end - self.at, "wikitext.tables");
            }
            if !closing {
                self.open_table();
            }
            return self.copy(1);
        }
        let known = OPAQUE.iter().find(|(known, _)| !closing && name.eq_ignore_ascii_case(known));
        let Some(&(name, kind)) = known else { return self.copy(1) };
        let Some(tag_end) = tag_end(self.text, name_at + name.len()) else { return self.copy(1) };
        if self.text.as_bytes()[tag_end - 2] == b'/' {
            if kind == Opaque::Kept {
                // It keeps marks apart: `'<nowiki/>'`.
                return self.copy(tag_end - self.at);
            }
            self.counts.add(rule(kind), tag_end - self.at);
            self.at = tag_end;
            return self.fill_hole();
        }
        let end = self.ends.after(self.text, name, tag_end).and_then(|end| Some((end, end_tag_end(self.text, end)?)));
        // A reference that reaches over a heading was never closed.
        let over =
            kind == Opaque::Reference && end.is_some_and(|(end, _)| self.heading.after(self.text, tag_end).is_some_and(|at| at < end));
        let Some((_, end)) = end.filter(|_| !over) else {
            self.counts.add("wikitext.unbalanced", tag_end - self.at);
            self.at = tag_end;
            return;
        };
        let kept = match kind {
            Opaque::Kept => true,
            Opaque::Code => self.rules.code == Handling::Keep,
            Opaque::Math => self.rules.math == Handling::Keep,
            Opaque::Gallery => self.rules.galleries == Handling::Keep,
            Opaque::Reference | Opaque::Dropped => false,
        };
        if kept {
            return self.copy(end - self.at);
        }
        self.counts.add(rule(kind), end - self.at);
        self.at = end;
        self.fill_hole();
    }

    /// A comment; alone on its line it takes the line with it.
    fn comment(&mut self) {
        let Some(end) = self.comment_end.after(self.text, self.at + 4) else {
            self.counts.add("wikitext.unbalanced", 4);
            self.at += 4;
            return;
        };
        let end = end + 3;
        self.counts.add("wikitext.comments", end - self.at);
        self.at = end;
        let alone = self.out.is_empty() || self.out.ends_with('\n');
        if alone && self.text.as_bytes().get(end) == Some(&b'\n') {
            self.at += 1;
        }
        self.fill_hole();
    }
}

fn rule(kind: Opaque) -> &'static str {
    match kind {
        Opaque::Kept => "wikitext.nowiki",
        Opaque::Code => "wikitext.code",
        Opaque::Math => "wikitext.math",
        Opaque::Gallery => "wikitext.galleries",
        Opaque::Reference => "wikitext.references",
        Opaque::Dropped => "wikitext.media",
    }
}
