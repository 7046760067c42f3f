//! Dumps of Wikipedia: `pages-articles.xml`, packed or not (<https://www.mediawiki.org/wiki/Help:Export>).

use super::{
    Limits, Read, Source,
    fault::{Origin, bytes},
    packed::Unpacked,
    xml::{Element, Elements, Part, texts},
};
use crate::{data::pipeline::Document, settings::Result};
use std::{fmt::Write as _, io::BufReader};

const BUFFER: usize = 1 << 17;

/// The articles of a dump: pages of name space 0 that are no redirects.
pub(super) struct Wikipedia {
    origin: Origin,
    limit: u64,
    pages: Elements<BufReader<Unpacked>>,
    site: Option<Site>,
}

/// What a dump says of itself.
#[derive(Default)]
struct Site {
    /// `https://en.wikipedia.org/wiki/`; empty if it is not told.
    base: String,
    /// `en`; empty if it is not told.
    language: String,
}

/// A page, of which as much is read as is needed.
#[derive(Default)]
struct Page {
    title: String,
    id: String,
    namespace: String,
    redirect: bool,
    model: String,
    text: String,
}

impl Wikipedia {
    pub fn open(origin: Origin, limits: &Limits) -> Result<Self> {
        let content = BufReader::with_capacity(BUFFER, origin.content(limits)?);
        let pages = Elements::new(content, b"<page>", b"</page>", limits.document_bytes);
        Ok(Self { origin, limit: limits.document_bytes, pages, site: None })
    }
}

impl Source for Wikipedia {
    fn next(&mut self) -> Result<Option<Read>> {
        loop {
            let (at, element) = match self.pages.next() {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(None),
                Err(error) => return self.origin.faulty(error, &format!("byte {}", self.pages.offset())),
            };
            let place = format!("page at byte {at}");
            let raw = match element {
                Element::Whole(raw) => raw,
                Element::TooLong(length) => {
                    let (long, most) = (bytes(length), bytes(self.limit));
                    let message = format!("a page of {long}, more than {most}, the limit that `document_bytes` sets");
                    return self.origin.damaged("too_long", &place, message);
                }
                Element::Open => return self.origin.damaged("truncated", &place, "it has no end"),
            };
            let page = match std::str::from_utf8(raw) {
                Ok(xml) => Page::parse(xml),
                Err(error) => {
                    let message = format!("not UTF-8 at byte {} of the page", error.valid_up_to());
                    return self.origin.damaged("not_utf8", &place, message);
                }
            };
            let page = match page {
                Ok(page) => page,
                Err(message) => return self.origin.damaged("xml", &place, message),
            };
            if !page.is_article() {
                continue;
            }
            let site = self.site.get_or_insert_with(|| Site::parse(&self.pages.head));
            let id = page.id.parse().unwrap_or(at);
            let mut document = Document::new(self.origin.id(id), page.text);
            if !site.base.is_empty() {
                document.meta.insert("url".into(), site.url(&page.title).into());
            }
            if !site.language.is_empty() {
                document.meta.insert("language".into(), site.language.clone().into());
            }
            document.meta.insert("title".into(), page.title.into());
            return Ok(Some(Read::Document(document)));
        }
    }
}

impl Page {
    /// Stops where it is clear that the page is no article.
    fn parse(xml: &str) -> Result<Self, String> {
        let mut page = Self::default();
        texts(xml, |path, part| {
            let field = match path {
                ["page", "title"] => &mut page.title,
                ["page", "id"] => &mut page.id,
                ["page", "ns"] => &mut page.namespace,
                ["page", "redirect"] => {
                    page.redirect = true;
                    return false;
                }
                // Of a dump with the whole history, the last revision.
                ["page", "revision"] if matches!(part, Part::Begin) => {
                    page.text.clear();
                    return page.namespace.trim() == "0";
                }
                ["page", "revision", "model"] => &mut page.model,
                ["page", "revision", "text"] => &mut page.text,
                _ => return true,
            };
            match part {
                Part::Begin => field.clear(),
                Part::Text(text) => field.push_str(text),
            }
            true
        })?;
        Ok(page)
    }

    fn is_article(&self) -> bool {
        let wikitext = self.model.is_empty() || self.model.trim() == "wikitext";
        self.namespace.trim() == "0" && !self.redirect && wikitext && !self.text.is_empty()
    }
}

impl Site {
    /// From `<mediawiki xml:lang="en"><siteinfo><base>…`. Other bytes than XML tell nothing.
    fn parse(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head);
        let between = |from: &str, to: &str| Some(head.split_once(from)?.1.split_once(to)?.0.trim());
        let base = between("<base>", "</base>").and_then(|main| main.rsplit_once('/'));
        let base = base.map(|(base, _)| format!("{base}/")).unwrap_or_default();
        let language = between("xml:lang=\"", "\"").unwrap_or_default().to_string();
        Self { base, language }
    }

    /// As MediaWiki writes it: underscores for spaces, the rest as RFC 3986 wants it.
    fn url(&self, title: &str) -> String {
        let mut url = self.base.clone();
        for byte in title.bytes() {
            match byte {
                b' ' => url.push('_'),
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => url.push(byte.into()),
                b'-' | b'_' | b'.' | b'~' | b'!' | b'$' | b'(' | b')' | b'*' | b',' | b';' | b':' | b'@' | b'/' => url.push(byte.into()),
                _ => drop(write!(url, "%{byte:02X}")),
            }
        }
        url
    }
}
