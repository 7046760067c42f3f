//! LaTeX → its text, still as LaTeX.

mod assemble;
mod comments;
mod definitions;
mod expand;
mod frames;
mod macros;
mod paths;
mod sections;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod verbatim;

use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use assemble::{Paper, assemble, join};

/// LaTeX papers as LLaMA took them from arXiv, following Lewkowycz et al. 2022: everything before the first section and the bibliography
/// are removed, as are comments, and the author's macros are expanded in place (Touvron et al. 2023, section 2.1; no code was
/// published).
///
/// In this order: comments, macros, the part between first section and bibliography; so a section that is commented out is none, and one
/// that a macro stands for is one. A paper in several files is put together by [`assemble()`] or [`join`] first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Latex {
    /// Remove everything before the first `\part`, `\chapter`, `\section`, …, `\subparagraph`.
    pub from_first_section: bool,
    /// Keep papers without sections, from `\begin{document}` on; else they are dropped (`latex.no_section`). Either way they are counted
    /// by that name.
    pub keep_without_section: bool,
    /// Remove the appendix too, where it is before the bibliography. What is behind the bibliography always goes.
    pub cut_appendix: bool,
    /// Expand the author's macros in place, and remove their definitions.
    pub expand_macros: bool,
    /// Expansions inside of each other at most.
    pub max_depth: usize,
    /// Expansions add at most so many times the length of the paper.
    pub max_growth: usize,
}

impl Default for Latex {
    fn default() -> Self {
        Self {
            from_first_section: true,
            keep_without_section: true,
            cut_appendix: false,
            expand_macros: true,
            max_depth: 50,
            max_growth: 4,
        }
    }
}

impl Latex {
    /// The text of a paper, and whether it has no section. Linear in its length; at most [`Latex::max_growth`] times longer. Counts bytes
    /// of `latex.comments`, `latex.definitions`, `latex.front` (before the first section) and `latex.back` (from the bibliography on),
    /// times of `latex.macros`, and of what could not be done: `latex.no_section`, `latex.cyclic_macros` and others named with
    /// their limits.
    pub fn extract(&self, latex: &str, counts: &mut Counts) -> (String, bool) {
        let mut text = comments::strip(latex, counts);
        if self.expand_macros {
            text = expand::expand(&text, self, counts);
        }
        let body = sections::body(&text);
        let section = sections::first_section(&text, body);
        // A section behind the bibliography is not the first one of the paper.
        let end = sections::bibliography(&text, body, self.cut_appendix);
        let first = section.filter(|section| *section < end);
        if first.is_none() {
            counts.add("latex.no_section", 0);
        }
        let start = first.filter(|_| self.from_first_section).unwrap_or(body);
        counts.add("latex.front", start);
        counts.add("latex.back", text.len() - end);
        (sections::without_style(&text[start..end]).trim().to_string(), first.is_none())
    }
}

impl Rules for Latex {
    /// Drops papers without text (`latex.empty`), and without sections if so asked (`latex.no_section`).
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        let (text, no_section) = self.extract(&document.text, counts);
        document.text = text;
        match () {
            () if no_section && !self.keep_without_section => Verdict::Drop("latex.no_section"),
            () if document.text.is_empty() => Verdict::Drop("latex.empty"),
            () => Verdict::Keep,
        }
    }
}
