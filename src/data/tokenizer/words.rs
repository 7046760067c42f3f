//! Where a piece may not cross: SentencePiece's splitting rules, as boundaries between neighbouring characters.
//!
//! LLaMA's trainer splits by whitespace, Unicode script and number, gives every digit its own piece, puts the space in
//! front of the word it opens, and allows pieces of nothing but spaces. So a run of spaces before a word is one chunk
//! but for its last space, which belongs to the word. A line end is never part of a piece: that trainer reads lines.
//! Scripts beyond ASCII are looked at in training only: there are no pieces to cross them.

use serde::{Deserialize, Serialize};

/// The rules; the default is LLaMA's. What a tokenizer was trained with is what it encodes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cutting {
    pub scripts: bool,
    pub whitespace: bool,
    /// Whether a digit is of a script of its own kind, or goes with any.
    pub number: bool,
    pub digits: bool,
    pub only_spaces: bool,
    /// A space in front of every text.
    pub prefix: bool,
    /// What has no piece is spelled in bytes, or else is unknown.
    pub bytes: bool,
}

impl Default for Cutting {
    fn default() -> Self {
        Self { scripts: true, whitespace: true, number: true, digits: true, only_spaces: true, prefix: true, bytes: true }
    }
}

/// Rough class of a byte, enough to find almost every boundary without a table of scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Line,
    Digit,
    Letter,
    Mark,
    /// Not ASCII: script unknown here.
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b' ' => Class::Space,
            b'\n' => Class::Line,
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            _ => Class::Mark,
        };
        byte += 1;
    }
    classes
};

/// Whether a character is a digit to SentencePiece: of ASCII, or one of full width
/// (`is_unicode_decimal_number` of google/sentencepiece@2734490 `src/trainer_interface.cc`).
pub(super) fn digit(c: char) -> bool {
    matches!(c, '0'..='9' | '０'..='９')
}

impl Cutting {
    /// Calls `take` with each word of a text: maximal stretches without a certain boundary.
    pub(super) fn split<'a>(&self, text: &'a str, mut take: impl FnMut(&'a str)) {
        let bytes = text.as_bytes();
        let mut start = 0;
        // Class of the character before, and the start of that character.
        let mut before: Option<Class> = None;
        let mut last = 0;
        let mut at = 0;
        while at < bytes.len() {
            let (mut here, mut width) = (CLASSES[bytes[at] as usize], 1);
            if bytes[at] == 0xEF && matches!(bytes[at + 1..], [0xBC, 0x90..=0x99, ..]) {
                (here, width) = (Class::Digit, 3);
            }
            if let Some(before) = before {
                if before == Class::Space && self.whitespace && self.opened(here) {
                    // The last space of a run opens the word; the spaces before it are a chunk.
                    if last > start {
                        take(&text[start..last]);
                        start = last;
                    }
                } else if self.boundary(before, here) {
                    take(&text[start..at]);
                    start = at;
                }
            }
            before = Some(here);
            last = at;
            at += width;
        }
        if start < text.len() {
            take(&text[start..]);
        }
    }

    /// Whether a space belongs to a word that begins so.
    fn opened(&self, here: Class) -> bool {
        match here {
            Class::Space | Class::Line => false,
            Class::Digit => !self.digits,
            Class::Letter | Class::Mark | Class::Other => true,
        }
    }

    fn boundary(&self, before: Class, here: Class) -> bool {
        use Class::{Digit, Letter, Line, Mark, Space};
        match (before, here) {
            (Line, _) | (_, Line) => true,
            (Digit, _) | (_, Digit) if self.digits => true,
            (Space, Space) => self.whitespace && !self.only_spaces,
            (_, Space) => self.whitespace,
            (Letter, Mark) | (Mark, Letter) => self.scripts,
            (Letter, Digit) | (Digit, Letter) => self.scripts && self.number,
            _ => false,
        }
    }

    /// The rules for spaces and line ends alone.
    pub(super) fn only_spacing(&self) -> Self {
        Self { scripts: false, number: false, digits: false, ..*self }
    }

    /// [`Cutting::split`] of a text with a space in front of it, if the rules have one; no text has none.
    pub(super) fn split_prefixed(&self, text: &str, mut take: impl FnMut(&str)) {
        if !self.prefix || text.is_empty() {
            return self.split(text, take);
        }
        // Only the first line needs the space in front.
        let end = text.find('\n').unwrap_or(text.len());
        self.split(&format!(" {}", &text[..end]), &mut take);
        self.split(&text[end..], take);
    }

    /// The rule for runs of spaces as a pattern over normalised text, for `tokenizer.json`; the others need none, as no
    /// piece crosses them.
    pub(super) fn spaces(&self) -> Option<&'static str> {
        match (self.whitespace && self.only_spaces, self.digits) {
            (false, _) => None,
            (true, true) => Some(r"▁+(?=▁[^▁\n0-9０-９])"),
            (true, false) => Some(r"▁+(?=▁[^▁\n])"),
        }
    }

    /// [`Cutting::only_spacing`] as a pattern.
    pub(super) fn words(&self) -> &'static str {
        match (self.whitespace, self.only_spaces) {
            (true, true) => r"▁+(?=▁[^▁\n])|▁?[^▁\n]+|▁+|\n",
            (true, false) => r"▁?[^▁\n]+|▁|\n",
            (false, _) => r"[^\n]+|\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        Cutting::default().split(text, |word| out.push(word));
        out
    }

    #[test]
    fn words_follow_llamas_rules() {
        assert_eq!(words(" let x_1 = 42;"), [" let", " x", "_", "1", " =", " ", "4", "2", ";"]);
        assert_eq!(words("a\n    if\n  \n"), ["a", "\n", "   ", " if", "\n", "  ", "\n"]);
        assert_eq!(words(" Привет"), [" Привет"]);
        assert_eq!(words("e\u{301}t"), ["e\u{301}t"]);
        assert_eq!(words("  "), ["  "]);
        assert!(words("").is_empty());
    }

    #[test]
    fn digits_are_those_of_sentencepiece() {
        assert_eq!(words("x１２½  3  ½"), ["x", "１", "２", "½", "  ", "3", " ", " ½"]);
        assert!(digit('９') && !digit('٣') && !digit('²'));
    }

    #[test]
    fn every_rule_can_be_switched() {
        let cut = |cutting: Cutting, text| {
            let mut out = Vec::new();
            cutting.split(text, |word: &'static str| out.push(word));
            out
        };
        let llama = Cutting::default();
        assert_eq!(cut(Cutting { digits: false, ..llama }, "  a 12.5b"), [" ", " a", " 12.5", "b"]);
        assert_eq!(cut(Cutting { digits: false, number: false, ..llama }, "v12.5b"), ["v12.5b"]);
        assert_eq!(cut(Cutting { scripts: false, ..llama }, "a-b 1"), ["a-b", " ", "1"]);
        assert_eq!(cut(Cutting { only_spaces: false, ..llama }, "   a"), [" ", " ", " a"]);
        assert_eq!(cut(Cutting { whitespace: false, ..llama }, "a b  c\nd"), ["a b  c", "\n", "d"]);
        let mut out = Vec::new();
        llama.only_spacing().split("  a1-б   2\n", |word| out.push(word));
        assert_eq!(out, [" ", " a1-б", "  ", " 2", "\n"]);
    }

    #[test]
    fn words_make_up_the_text() {
        let text = "  a  ٣ б\u{301}(\u{301}b ▁ \r\n\t x  1  ｅ１";
        assert_eq!(words(text).concat(), text);
    }
}
