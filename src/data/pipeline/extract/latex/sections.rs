//! Where a paper's text begins and ends.

use super::tokens::{argument, brackets, controls, skip_blanks};
use memchr::memmem;

/// Commands that begin a section, as in LLaMA's step ("everything before the first section", Touvron et al. 2023, section 2.1).
const SECTIONS: [&str; 7] = ["part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"];

/// Titles of the section that is the bibliography.
const BIBLIOGRAPHIES: [&str; 4] = ["references", "bibliography", "literature cited", "works cited"];

/// Behind `\begin{document}`; the start if there is none.
pub(super) fn body(text: &str) -> usize {
    let mut start = 0;
    controls(text, 0, |name, _, end| {
        if name == "begin" && argument(text, end) == Some("document") {
            start = end + memmem::find(&text.as_bytes()[end..], b"}").map_or(0, |offset| offset + 1);
        }
        start == 0
    });
    start
}

/// Where the first section begins: `\section{`, `\section*{`, `\section[short]{` and the same with the other commands.
pub(super) fn first_section(text: &str, from: usize) -> Option<usize> {
    let mut found = None;
    controls(text, from, |name, place, end| {
        if SECTIONS.contains(&name) && title(text, end).is_some() {
            found = Some(place);
        }
        found.is_none()
    });
    found
}

/// Where the brace that begins the title of a section is.
fn title(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = skip_blanks(text, at + usize::from(bytes.get(at) == Some(&b'*')));
    if bytes.get(at) == Some(&b'[') {
        at = skip_blanks(text, brackets(text, at)?);
    }
    (bytes.get(at) == Some(&b'{')).then_some(at)
}

/// Where the bibliography begins, or the appendix if that is to be cut too; the end if there is none.
pub(super) fn bibliography(text: &str, from: usize, appendix: bool) -> usize {
    let mut found = text.len();
    controls(text, from, |name, place, end| {
        let begins = match name {
            "bibliography" => argument(text, end).is_some(),
            "printbibliography" => true,
            "begin" => match argument(text, end) {
                Some("thebibliography" | "references" | "bibdiv") => true,
                Some("appendix" | "appendices") => appendix,
                _ => false,
            },
            "appendix" => appendix,
            "section" | "chapter" | "subsection" => title(text, end)
                .and_then(|brace| argument(text, brace))
                .is_some_and(|title| BIBLIOGRAPHIES.contains(&title.trim().to_lowercase().as_str())),
            _ => false,
        };
        if begins {
            found = place;
        }
        found == text.len()
    });
    found
}

/// The text without a `\bibliographystyle` at its end.
pub(super) fn without_style(text: &str) -> &str {
    let text = text.trim_end();
    // It is short: a text is not searched for one that is not at its end.
    let near = (text.len().saturating_sub(200)..=text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(0);
    match text[near..].rfind("\\bibliographystyle").map(|offset| near + offset) {
        Some(place) if text.ends_with('}') && text[place..].matches('}').count() == 1 => text[..place].trim_end(),
        _ => text,
    }
}
