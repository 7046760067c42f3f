//! HTML → text.

mod attributes;
mod elements;
mod readable;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod walk;
mod writer;

use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use text::{Text, text};

/// Which part of a page is its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All that is visible, as in the WET files of Common Crawl that CCNet (and so LLaMA) read.
    #[default]
    All,
    /// The main content, by the rules of Mozilla's Readability; all of a page where they find none.
    Main,
}

/// HTML → text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Html {
    /// Which part of a page is its text.
    pub part: Part,
    /// Put `- ` before items of lists.
    pub bullets: bool,
    /// `part = "main"`: pages with more bytes than this are taken as a whole (`html.main_too_large`).
    pub max_main_bytes: usize,
    /// `part = "main"`: pages with more elements than this are taken as a whole (`html.main_not_found`).
    pub max_main_elements: usize,
}

impl Default for Html {
    fn default() -> Self {
        Self { part: Part::All, bullets: false, max_main_bytes: 4 << 20, max_main_elements: 50_000 }
    }
}

impl Html {
    /// The text of a page; what was not as asked is counted.
    pub fn extract(&self, html: &str, counts: &mut Counts) -> Text {
        let mut all = text(html, self.bullets);
        if self.part == Part::Main {
            if html.len() > self.max_main_bytes {
                counts.add("html.main_too_large", 0);
                return all;
            }
            let content = readable::readable(html, self.max_main_elements);
            let main = content.map(|content| readable::shown(&text(&content, self.bullets).text));
            match main.filter(|main| !main.is_empty()) {
                Some(main) => all.text = main,
                None => counts.add("html.main_not_found", 0),
            }
        }
        all
    }
}

impl Rules for Html {
    /// The page's title becomes `title` of [`Document::meta`] if there is none. Drops pages without text (`html.empty`); counts bytes of
    /// markup (`html.markup`).
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        let Text { text, title } = self.extract(&document.text, counts);
        counts.add("html.markup", document.text.len().saturating_sub(text.len()));
        document.text = text;
        if !title.is_empty() && !document.meta.contains_key("title") {
            document.meta.insert("title".into(), title.into());
        }
        if document.text.is_empty() { Verdict::Drop("html.empty") } else { Verdict::Keep }
    }
}
