//! Wikitext → text.

mod headings;
mod links;
mod names;
mod opaque;
mod quotes;
mod render;
mod structure;
mod tags;
mod templates;
#[cfg(test)]
mod tests;

use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use names::Section;

/// What becomes of a kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// It is left out.
    Drop,
    /// It is text.
    Keep,
}

/// Wikitext (MediaWiki) → text: hyperlinks, comments and formatting are removed, as LLaMA did (Touvron et al. 2023, section 2.1; no code
/// was published).
///
/// Labels of links are kept, and so are headings as lines of their own and items of lists. Templates, tables, references, pictures with
/// their captions, categories, links to other languages, magic words are dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Wikitext {
    /// Sections that are lists of links, left out by their names in LLaMA's 20 languages.
    pub drop_sections: Vec<Section>,
    /// Templates that only format text (`convert`, `lang`, `nowrap`, dashes) and defaults of parameters; others are always left out.
    pub text_templates: Handling,
    /// Headings below which nothing is left.
    pub empty_sections: Handling,
    /// `<math>` and `<chem>`, kept as LaTeX between dollars.
    pub math: Handling,
    /// `<pre>`, `<source>` and `<syntaxhighlight>`.
    pub code: Handling,
    /// Captions of `<gallery>`.
    pub galleries: Handling,
    /// Put `- ` before items of lists.
    pub bullets: bool,
}

impl Default for Wikitext {
    fn default() -> Self {
        Self {
            drop_sections: vec![Section::References, Section::ExternalLinks, Section::SeeAlso],
            text_templates: Handling::Drop,
            empty_sections: Handling::Drop,
            math: Handling::Keep,
            code: Handling::Keep,
            galleries: Handling::Drop,
            bullets: false,
        }
    }
}

impl Wikitext {
    /// The text of a page. Linear in its length; never longer than about twice the page. What it leaves out is counted by kind
    /// (`wikitext.templates`, `wikitext.links`, …), what was opened or closed without its other half as `wikitext.unbalanced`.
    pub fn extract(&self, wikitext: &str, counts: &mut Counts) -> String {
        let rest = structure::strip(wikitext, self, counts);
        render::render(&rest, self, counts)
    }
}

impl Rules for Wikitext {
    /// Drops redirects (`wikitext.redirect`) and pages without text (`wikitext.empty`).
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        if names::redirect(&document.text) {
            return Verdict::Drop("wikitext.redirect");
        }
        document.text = self.extract(&document.text, counts);
        if document.text.is_empty() { Verdict::Drop("wikitext.empty") } else { Verdict::Keep }
    }
}
