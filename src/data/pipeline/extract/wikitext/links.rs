//! Second pass: links.

use super::{super::entities, names, names::Target, render::Pass};

/// Links that are open inside of each other at most; a caption may hold links, nothing needs more.
const LINKS: usize = 40;
/// Longest target of a link that is looked at, in bytes; MediaWiki's titles have at most 255.
const TITLE: usize = 600;

/// A link that is open.
pub(super) struct Link {
    /// It goes to another site and ends at `]`.
    pub(super) external: bool,
    pub(super) target: Target,
    /// Where the target begins in the source, and the text in the output.
    pub(super) source: usize,
    pub(super) out: usize,
    /// Its first `|` was read.
    pub(super) piped: bool,
    /// `[[:`: always shown.
    pub(super) colon: bool,
}

impl Pass<'_, '_> {
    pub(super) fn open(&mut self) {
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
    pub(super) fn target(&self, link: &Link) -> Target {
        if link.colon || link.external {
            return Target::Page;
        }
        self.text.get(link.source..self.at).filter(|target| target.len() <= TITLE).map_or(Target::Page, names::target)
    }

    pub(super) fn pipe(&mut self) {
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

    pub(super) fn close(&mut self) {
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

    pub(super) fn end_link(&mut self, link: &Link) {
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
}

/// Whether a link to another site begins here.
fn scheme(bytes: &[u8]) -> bool {
    const SCHEMES: [&str; 12] =
        ["http://", "https://", "//", "ftp://", "mailto:", "news:", "irc://", "git://", "svn://", "tel:", "urn:", "gopher://"];
    SCHEMES.iter().any(|scheme| bytes.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes())))
}
