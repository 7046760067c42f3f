//! Rules for source code: LLaMA's for GitHub (Touvron et al. 2023, arXiv 2302.13971, section 2.1: licence, line length and
//! alphanumeric characters, boilerplate such as headers), with the thresholds of RedPajama-Data
//! (`data_prep/github/github_run_filter.py` at f54b86f2), as the paper has published none.

mod comments;
mod header;
mod licence;
mod notice;

pub use header::{Header, HeaderConfig};
pub use licence::{Licence, LicenceConfig};

use super::{Missing, check, check::share, class::LETTER};
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Endings and names of files that RedPajama-Data keeps.
const ENDINGS: &str = ".asm .bat .cmd .c .h .cs .cpp .hpp .c++ .h++ .cc .hh .C .H .cmake .css .dockerfile .f90 .f .f03 .f08 .f77 \
    .f95 .for .fpp .go .hs .html .java .js .jl .lua .md .markdown .php .php3 .php4 .php5 .phps .phpt .pl .pm .pod .perl .ps1 .psd1 \
    .psm1 .py .rb .rs .sql .scala .sh .bash .command .zsh .ts .tsx .tex .vb Dockerfile Makefile .xml .rst .m .smali";

/// What a file of code must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CodeConfig {
    /// Endings of `meta.path`, or whole names of files, that stay; those of RedPajama-Data. Empty for all.
    pub endings: Vec<String>,
    /// Names of files, or endings with a `.`, that go: licences and certificates, as in RedPajama-Data.
    pub not_endings: Vec<String>,
    /// Documents without `meta.path`.
    pub missing_path: Missing,
    /// Characters of the longest line, at most; 1000.
    pub max_line_length: usize,
    /// Mean characters of lines, at most; 100.
    pub max_mean_line_length: f64,
    /// Share of characters that are letters or digits, at least; 0.25.
    pub min_alphanumeric: f64,
    /// Letters by tokens, at least; 1.5; 0 for no bound. RedPajama-Data counts the tokens of Pythia's tokenizer. Here a token is a
    /// run of letters, of digits or of other visible characters, or line breaks with what indents the next line: the pieces that
    /// this tokenizer cuts a text into before it merges, so that the bound drops less.
    pub min_letters_per_token: f64,
}

impl Default for CodeConfig {
    fn default() -> Self {
        Self {
            endings: ENDINGS.split(' ').map(String::from).collect(),
            not_endings: ["LICENSE", ".crt"].map(String::from).to_vec(),
            missing_path: Missing::Keep,
            max_line_length: 1000,
            max_mean_line_length: 100.0,
            min_alphanumeric: 0.25,
            min_letters_per_token: 1.5,
        }
    }
}

/// Drops documents as `empty`, `no_path`, `ending`, `long_line`, `long_lines`, `few_alphanumeric`, `few_letters`.
pub struct Code(CodeConfig);

impl Code {
    /// Rules with these thresholds.
    ///
    /// # Errors
    ///
    /// A threshold is negative or no number.
    pub fn new(config: &CodeConfig) -> Result<Self> {
        check::threshold("code.max_mean_line_length", config.max_mean_line_length)?;
        check::threshold("code.min_alphanumeric", config.min_alphanumeric)?;
        check::threshold("code.min_letters_per_token", config.min_letters_per_token)?;
        Ok(Self(config.clone()))
    }

    /// Whether a path ends in one of these: `.c` is an ending, `Makefile` the whole name of a file.
    fn ends(path: &str, endings: &[String]) -> bool {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        endings.iter().any(|ending| if ending.starts_with('.') { name.ends_with(ending.as_str()) } else { name == ending })
    }

    fn broken(&self, document: &Document) -> Option<&'static str> {
        let (config, text) = (&self.0, document.text.as_str());
        if text.is_empty() {
            return Some("empty");
        }
        match document.meta("path") {
            None if config.missing_path == Missing::Drop => return Some("no_path"),
            Some(path) if Self::ends(path, &config.not_endings) => return Some("ending"),
            Some(path) if !config.endings.is_empty() && !Self::ends(path, &config.endings) => return Some("ending"),
            _ => {}
        }
        let shape = Shape::of(text);
        if shape.longest > config.max_line_length {
            return Some("long_line");
        }
        if share(shape.in_lines, shape.lines) > config.max_mean_line_length {
            return Some("long_lines");
        }
        if share(shape.letters + shape.digits, shape.characters) < config.min_alphanumeric {
            return Some("few_alphanumeric");
        }
        (share(shape.letters, shape.tokens) < config.min_letters_per_token).then_some("few_letters")
    }
}

impl Rules for Code {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        self.broken(document).map_or(Verdict::Keep, Verdict::Drop)
    }
}

/// What is counted over the characters of a file, in one pass.
#[derive(Default)]
struct Shape {
    characters: usize,
    lines: usize,
    /// Characters in lines, breaks excluded.
    in_lines: usize,
    longest: usize,
    letters: usize,
    digits: usize,
    tokens: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Letter,
    Digit,
    Space,
    Break,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        'a'..='z' | 'A'..='Z' => Kind::Letter,
        '0'..='9' => Kind::Digit,
        '\n' => Kind::Break,
        '\0'..='\x7f' if c.is_ascii_whitespace() => Kind::Space,
        '\0'..='\x7f' => Kind::Other,
        c if LETTER.has(c) => Kind::Letter,
        c if c.is_numeric() => Kind::Digit,
        c if c.is_whitespace() => Kind::Space,
        _ => Kind::Other,
    }
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self::default();
        let (mut last, mut line) = (Kind::Space, 0);
        for c in text.chars() {
            let kind = kind(c);
            shape.characters += 1;
            shape.letters += usize::from(kind == Kind::Letter);
            shape.digits += usize::from(kind == Kind::Digit);
            shape.tokens += usize::from(kind != Kind::Space && kind != last);
            if kind == Kind::Break {
                shape.end(&mut line);
            } else {
                line += 1;
            }
            // What indents a line belongs to its break.
            last = if kind == Kind::Space && last == Kind::Break { last } else { kind };
        }
        if line > 0 {
            shape.end(&mut line);
        }
        shape
    }

    fn end(&mut self, line: &mut usize) {
        self.lines += 1;
        self.in_lines += *line;
        self.longest = self.longest.max(*line);
        *line = 0;
    }
}

#[cfg(test)]
mod tests;
