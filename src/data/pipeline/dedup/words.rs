//! Words as they are compared: lower-case, without punctuation and marks over letters, numbers as `0`.
//!
//! The rules are those of `simplify_text` in `datatrove/utils/text.py` of huggingface/datatrove at a649de79c1, with its
//! defaults; words are what white space then separates. (Its English word tokenizer, spaCy, also splits some words, such as
//! `cannot`; that is not done here.)

use super::category::{is_digit, is_mark};
use std::mem::take;
use unicode_normalization::char::decompose_canonical;

/// Bytes of words after which earlier ones are forgotten.
const WINDOW: usize = 1 << 16;

/// Class of a byte: a separator (0), a digit (1), part of another script (2), or the lower-case letter itself.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        class[byte] = match value {
            b'0'..=b'9' => 1,
            0x80.. => 2,
            _ if value.is_ascii_alphabetic() => value.to_ascii_lowercase(),
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// What counts as punctuation beyond ASCII; the full-width `１` is among it, but it has become a `0` before.
const PUNCTUATION: &str = "—”％１〈、━【「」，】；“《„’∶´．（–？！：～«〉》）。…►»";
/// What may stand within a number.
const DECIMAL: &str = ".,،٫⎖⎗⎘";

/// Memory for words that is used again for the next text.
#[derive(Default)]
pub(super) struct Scratch {
    /// The last words, each with a space after it, and the one that is being read.
    buffer: Vec<u8>,
    /// Where words begin.
    starts: Vec<usize>,
}

/// Calls back with every run of `n` words of a text, joined by single spaces.
pub(super) fn shingles(scratch: &mut Scratch, text: &str, n: usize, mut each: impl FnMut(&[u8])) {
    let (mut buffer, mut starts) = (take(&mut scratch.buffer), take(&mut scratch.starts));
    buffer.clear();
    starts.clear();
    let mut words = Words { n: n.max(1), buffer, starts, start: 0, each: &mut each };
    words.text(text);
    words.end();
    *scratch = Scratch { buffer: words.buffer, starts: words.starts };
}

/// Appends the words of a text, joined by single spaces.
pub(super) fn simplify(scratch: &mut Scratch, text: &str, out: &mut Vec<u8>) {
    let mut first = true;
    shingles(scratch, text, 1, |word| {
        if !first {
            out.push(b' ');
        }
        first = false;
        out.extend_from_slice(word);
    });
}

struct Words<'a, F> {
    n: usize,
    buffer: Vec<u8>,
    starts: Vec<usize>,
    start: usize,
    each: &'a mut F,
}

impl<F: FnMut(&[u8])> Words<'_, F> {
    fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let foreign = at + ascii_length(&bytes[at..]);
            // What is written without a space in between is looked at as one.
            let end = if foreign == bytes.len() { foreign } else { at + last_space(&bytes[at..foreign]) };
            self.ascii(&bytes[at..end]);
            if foreign == bytes.len() {
                return;
            }
            let next = foreign + bytes[foreign..].iter().position(|byte| is_space(*byte)).unwrap_or(bytes.len() - foreign);
            self.foreign(&text[end..next]);
            at = next;
        }
    }

    fn ascii(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match CLASS[*byte as usize] {
                0 => {
                    self.end();
                    at += 1;
                }
                1 => {
                    at = digits(bytes, at);
                    if matches!(bytes.get(at), Some(b'.' | b',')) && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                        at = digits(bytes, at + 1);
                    }
                    self.buffer.push(b'0');
                }
                letter => {
                    self.buffer.push(letter);
                    at += 1;
                }
            }
        }
    }

    fn foreign(&mut self, text: &str) {
        // Only this letter's lower case depends on its neighbours.
        if text.contains('Σ') { self.lower(text.to_lowercase().chars()) } else { self.lower(text.chars().flat_map(char::to_lowercase)) }
    }

    fn lower(&mut self, chars: impl Iterator<Item = char>) {
        let mut chars = chars.peekable();
        while let Some(char) = chars.next() {
            if !is_digit(char) {
                self.char(char);
                continue;
            }
            while chars.next_if(|char| is_digit(*char)).is_some() {}
            self.buffer.push(b'0');
            let Some(decimal) = chars.next_if(|char| DECIMAL.contains(*char)) else { continue };
            if chars.peek().is_some_and(|char| is_digit(*char)) {
                while chars.next_if(|char| is_digit(*char)).is_some() {}
            } else {
                self.char(decimal);
            }
        }
    }

    fn char(&mut self, char: char) {
        if char.is_ascii() {
            match CLASS[char as usize] {
                0 => self.end(),
                letter => self.buffer.push(letter),
            }
        } else if char.is_whitespace() || ('\u{80}'..='\u{9f}').contains(&char) || PUNCTUATION.contains(char) {
            self.end();
        } else {
            let buffer = &mut self.buffer;
            decompose_canonical(char, |part| {
                if !is_mark(part) {
                    buffer.extend_from_slice(part.encode_utf8(&mut [0; 4]).as_bytes());
                }
            });
        }
    }

    #[inline]
    fn end(&mut self) {
        if self.buffer.len() == self.start {
            return;
        }
        self.starts.push(self.start);
        if let Some(first) = self.starts.len().checked_sub(self.n) {
            (self.each)(&self.buffer[self.starts[first]..]);
        }
        self.buffer.push(b' ');
        self.start = self.buffer.len();
        if self.start > WINDOW {
            self.forget();
        }
    }

    /// Forgets the words that no further run holds.
    fn forget(&mut self) {
        let words = self.starts.len().min(self.n - 1);
        let kept = self.starts.len() - words;
        let from = self.starts.get(kept).copied().unwrap_or(self.start);
        self.starts.drain(..kept);
        self.starts.iter_mut().for_each(|start| *start -= from);
        self.buffer.drain(..from);
        self.start -= from;
    }
}

/// The place behind digits.
fn digits(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Bytes before the first that is not ASCII.
fn ascii_length(bytes: &[u8]) -> usize {
    let whole = bytes.chunks(64).take_while(|chunk| chunk.is_ascii()).map(<[u8]>::len).sum::<usize>();
    whole + bytes[whole..].iter().take_while(|byte| byte.is_ascii()).count()
}

fn is_space(byte: u8) -> bool {
    byte <= b' '
}

/// The place behind the last space; 0 if there is none.
fn last_space(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| is_space(*byte)).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple(text: &str) -> String {
        let mut out = vec![];
        simplify(&mut Scratch::default(), text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_are_simplified_as_published() {
        // Right sides: simplify_text of datatrove at a649de79c1.
        for (text, expected) in [
            ("  The Cat,\tthe\n\nDOG! ", "the cat the dog"),
            ("1.2.3 and 1,234,567 or abc12def5.", "0 0 and 0 0 or abc0def0"),
            ("Crème brûlée — İstanbul’s ΟΔΟΣ", "creme brulee istanbul s οδος"),
            ("٣٫١٤ and 12٫5 or １２", "0 and 0 or 0"),
            ("don't_stop…now\u{85}x\u{a0}y", "don t stop now x y"),
            ("...", ""),
        ] {
            assert_eq!(simple(text), expected, "{text}");
        }
    }

    #[test]
    fn shingles_are_runs_of_words_of_any_length_of_text() {
        let mut found = vec![];
        let scratch = &mut Scratch::default();
        shingles(scratch, "a b, c d", 3, |shingle| found.push(String::from_utf8(shingle.to_vec()).unwrap()));
        assert_eq!(found, ["a b c", "b c d"]);
        let text: String = (0..60_000).map(|number| format!("w{} ", ["one", "two", "größe"][number % 3])).collect();
        for n in [1, 2, 5] {
            let mut count = 0;
            shingles(scratch, &text, n, |shingle| {
                assert_eq!(shingle.iter().filter(|byte| **byte == b' ').count(), n - 1);
                count += 1;
            });
            assert_eq!(count, 60_000 - n + 1);
        }
        shingles(scratch, "too few", 5, |_| unreachable!());
    }
}
