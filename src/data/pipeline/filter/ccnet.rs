//! CCNet's normalisation of text (facebookresearch/cc_net `text_normalizer.py` at 1341eec9; Wenzek et al. 2020, arXiv 1911.00359):
//! what its language models read, and the key by which its deduplication knows a line again.

use super::{
    class::{ACCENT, DIGIT},
    text::strip,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// What becomes of punctuation above ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Marks {
    /// Nothing.
    Keep,
    /// The like of it in ASCII.
    #[default]
    Replace,
    /// It goes.
    Delete,
}

/// Steps of the normalisation, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NormaliseOptions {
    /// Lower case.
    pub case: bool,
    /// Accents go.
    pub accents: bool,
    /// Digits of all scripts become `0`.
    pub numbers: bool,
    /// Punctuation above ASCII.
    pub punctuation: Marks,
    /// Exactly as `cc_net`: `１` is a quote where digits are kept (a slip in its table), what is left of a decomposed text stays
    /// decomposed, and line breaks and tabs are deleted, so that words beside them become one. Otherwise these become spaces.
    pub faithful: bool,
}

impl Default for NormaliseOptions {
    fn default() -> Self {
        Self { case: true, accents: true, numbers: true, punctuation: Marks::default(), faithful: false }
    }
}

/// The text that a language model reads: stripped, and changed as the options say.
pub fn normalise(text: &str, options: &NormaliseOptions) -> String {
    let text = strip(text);
    if text.is_ascii() {
        return ascii(text, options);
    }
    let text = if options.case { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) };
    let mut normalised = String::with_capacity(text.len());
    if options.accents {
        let bare = text.nfd().filter(|&c| !ACCENT.has(c));
        if options.faithful {
            bare.for_each(|c| push(c, options, &mut normalised));
        } else {
            bare.nfc().for_each(|c| push(c, options, &mut normalised));
        }
    } else {
        text.chars().for_each(|c| push(c, options, &mut normalised));
    }
    normalised
}

fn ascii(text: &str, options: &NormaliseOptions) -> String {
    let mut normalised = String::with_capacity(text.len());
    bytewise(text, &mut normalised, |byte| match byte {
        b'A'..=b'Z' if options.case => Some(byte.to_ascii_lowercase()),
        b'0'..=b'9' if options.numbers => Some(b'0'),
        b'\t'..=b'\r' if !options.faithful => Some(b' '),
        0..=31 | 127 => None,
        _ => Some(byte),
    });
    normalised
}

/// Appends an ASCII text of which each byte is changed or goes, by pieces on the stack: faster than character by character.
fn bytewise(text: &str, out: &mut String, change: impl Fn(u8) -> Option<u8>) {
    let mut piece = [0; 64];
    for bytes in text.as_bytes().chunks(piece.len()) {
        let mut length = 0;
        for changed in bytes.iter().map(|&byte| change(byte)) {
            piece[length] = changed.unwrap_or_default();
            length += usize::from(changed.is_some());
        }
        out.push_str(std::str::from_utf8(&piece[..length]).unwrap_or_default());
    }
}

fn push(c: char, options: &NormaliseOptions, out: &mut String) {
    match c {
        c if options.numbers && DIGIT.has(c) => out.push('0'),
        '\t'..='\r' | '\u{85}' if !options.faithful => out.push(' '),
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => {}
        ' '..='~' => out.push(c),
        c => match (mark(c, options.faithful), options.punctuation) {
            (Some(mark), Marks::Replace) => out.push_str(mark),
            (Some(_), Marks::Delete) => {}
            _ => out.push(c),
        },
    }
}

/// The table `UNICODE_PUNCT`.
fn mark(c: char, faithful: bool) -> Option<&'static str> {
    Some(match c {
        '，' | '、' => ",",
        '。' => ".",
        '„' | '”' | '“' | '«' | '»' | '」' | '「' | '《' | '》' => "\"",
        '１' if faithful => "\"",
        '´' | '’' => "'",
        '∶' | '：' => ":",
        '？' => "?",
        '！' => "!",
        '（' => "(",
        '）' => ")",
        '；' => ";",
        '–' | '━' | '►' => "-",
        '—' => " - ",
        '．' => ". ",
        '～' => "~",
        '…' => "...",
        '〈' => "<",
        '〉' => ">",
        '【' => "[",
        '】' => "]",
        '％' => "%",
        _ => return None,
    })
}

/// The key of a line: stripped, lower case, digits to `0`, without punctuation above ASCII and control characters. Lines with the
/// same key are the same line to CCNet's deduplication, which hashes it (`normalize_for_dedup`). Borrowed if nothing changes.
pub fn line_key(line: &str) -> Cow<'_, str> {
    let line = strip(line);
    if line.bytes().all(|byte| matches!(byte, b' '..=b'/' | b'0' | b':'..=b'@' | b'['..=b'~')) {
        return Cow::Borrowed(line);
    }
    let mut key = String::with_capacity(line.len());
    line_key_into(line, &mut key);
    Cow::Owned(key)
}

/// Appends the same key to a string, for callers that use its room again.
pub fn line_key_into(line: &str, key: &mut String) {
    let line = strip(line);
    if line.is_ascii() {
        return bytewise(line, key, |byte| match byte {
            b'0'..=b'9' => Some(b'0'),
            byte if byte.is_ascii_control() => None,
            byte => Some(byte.to_ascii_lowercase()),
        });
    }
    // Only this letter is lowered by its neighbours.
    let lower = if line.contains('Σ') { Cow::Owned(line.to_lowercase()) } else { Cow::Borrowed(line) };
    let mut push = |c: char| match c {
        c if DIGIT.has(c) => key.push('0'),
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => {}
        c if !c.is_ascii() && mark(c, false).is_some() => {}
        c => key.push(c),
    };
    lower.chars().flat_map(char::to_lowercase).for_each(&mut push);
}

#[cfg(test)]
mod tests;
