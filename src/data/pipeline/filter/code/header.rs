//! Boilerplate at the top of files: notices of copyright and licences.

use super::{
    comments::{Syntax, is_preamble, syntax},
    notice,
};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far the top of a file reaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderConfig {
    /// Comments that begin within so many bytes are looked at, up to the first line of code.
    pub bytes: usize,
}

impl Default for HeaderConfig {
    fn default() -> Self {
        Self { bytes: 16_384 }
    }
}

/// Removes notices of copyright and licences from comments before the first line of code, whatever the language of the file,
/// which `meta.path` tells. All else stays, other paragraphs of the same comment too. Counted as `header`; documents of which
/// nothing is left are dropped as `empty`.
///
/// The paper says only that boilerplate such as headers was removed with regular expressions. RedPajama-Data goes by position: in a
/// file without `/* … */` it deletes all leading lines that begin with `#`, `//` or `--`, and with them `#include`, shebangs and the
/// titles of Markdown.
pub struct Header(HeaderConfig);

impl Header {
    /// The rule.
    pub fn new(config: &HeaderConfig) -> Self {
        Self(config.clone())
    }
}

impl Rules for Header {
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        let top = floor(&document.text, self.0.bytes);
        if !notice::may_have_any(&document.text[..top]) {
            return Verdict::Keep;
        }
        let Some(text) = without_notices(&document.text, syntax(document.meta("path")), self.0.bytes) else { return Verdict::Keep };
        counts.add("header", document.text.len() - text.len());
        if text.trim().is_empty() {
            return Verdict::Drop("empty");
        }
        document.text = text;
        Verdict::Keep
    }
}

/// The last place up to `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// One line with its break.
fn line(text: &str) -> &str {
    &text[..text.find('\n').map_or(text.len(), |at| at + 1)]
}

/// The text without notices; none if there are none.
fn without_notices(text: &str, syntax: &Syntax, most: usize) -> Option<String> {
    let (mut kept, mut at, mut removed) = (String::new(), 0, false);
    while at < text.len().min(most) {
        let rest = &text[at..];
        let first = line(rest);
        if first.trim().is_empty() || is_preamble(first, at == 0) {
            kept.push_str(first);
            at += first.len();
            continue;
        }
        let Some(comment) = Comment::read(rest, syntax) else { break };
        at += comment.length;
        match comment.without_notices() {
            None => kept.push_str(&rest[..comment.length]),
            Some(left) => {
                removed = true;
                kept.push_str(&left);
                // An empty line belonged to what is gone.
                while left.is_empty() && at < text.len() && line(&text[at..]).trim().is_empty() {
                    at += line(&text[at..]).len();
                }
            }
        }
    }
    removed.then(|| kept + &text[at..])
}

/// A comment that takes whole lines.
struct Comment<'a> {
    /// Bytes, with the last line break.
    length: usize,
    /// Its lines with their breaks.
    lines: Vec<&'a str>,
    /// Bytes at the start of the first line and at the end of the last that stay as long as a line does.
    ends: (usize, usize),
    /// What begins each line.
    mark: &'static str,
}

impl<'a> Comment<'a> {
    /// The comment that a text begins with.
    fn read(text: &'a str, syntax: &Syntax) -> Option<Self> {
        let bare = text.trim_start_matches([' ', '\t', '\u{feff}']);
        let indent = text.len() - bare.len();
        if let Some((open, close)) = syntax.blocks.iter().find(|(open, _)| bare.starts_with(open)) {
            let inside = indent + open.len();
            let end = inside + text[inside..].find(close)?;
            let after = line(&text[end + close.len()..]);
            if !after.trim().is_empty() {
                return None;
            }
            let length = end + close.len() + after.len();
            let lines = text[..length].split_inclusive('\n').collect();
            return Some(Self { length, lines, ends: (inside, close.len() + after.len()), mark: "" });
        }
        let mark = syntax.line_mark(text)?;
        let lines: Vec<_> = text.split_inclusive('\n').take_while(|line| syntax.line_mark(line) == Some(mark)).collect();
        Some(Self { length: lines.iter().map(|line| line.len()).sum(), lines, ends: (0, 0), mark })
    }

    /// What is written in a line.
    fn content(&self, place: usize) -> &'a str {
        let line = self.lines[place];
        let start = if place == 0 { self.ends.0 } else { 0 };
        let end = if place + 1 == self.lines.len() { line.len() - self.ends.1 } else { line.len() };
        // A block of one line has both.
        let inside = line.get(start..end.max(start)).unwrap_or_default().trim();
        let inside = inside.strip_prefix(self.mark).unwrap_or(inside);
        inside.trim_matches(|c: char| c.is_whitespace() || "#*/-=;%!~+|_".contains(c))
    }

    /// The comment without notices: none if there are none, empty if there is nothing else.
    fn without_notices(&self) -> Option<String> {
        let contents: Vec<_> = (0..self.lines.len()).map(|place| self.content(place)).collect();
        let goes = notice::judge(&contents);
        if !goes.contains(&true) {
            return None;
        }
        if goes.iter().zip(&contents).all(|(goes, content)| *goes || content.is_empty()) {
            return Some(String::new());
        }
        let mut left = String::new();
        let mut gap = false;
        for (place, text) in self.lines.iter().enumerate() {
            // Lines that separated what is gone go with it.
            let goes = goes[place] || gap && contents[place].is_empty();
            gap = goes;
            let (first, last) = (place == 0, place + 1 == self.lines.len());
            match (goes, first, last) {
                (false, ..) => left.push_str(text),
                (true, true, _) if self.ends.0 > 0 => {
                    left.push_str(&text[..self.ends.0]);
                    left.push('\n');
                }
                (true, _, true) if self.ends.1 > 0 => {
                    let indent = text.len() - text.trim_start().len();
                    let close = text.len() - self.ends.1;
                    left.push_str(&text[..indent.min(close)]);
                    left.push_str(&text[close..]);
                }
                _ => {}
            }
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests;
