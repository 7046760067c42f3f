//! Unicode categories that the standard library does not know.

use regex::Regex;
use std::sync::LazyLock;
use unicode_normalization::char::is_combining_mark;

/// Which characters of the first plane are of a category; the regex knows the others.
struct Category {
    low: Vec<u64>,
    regex: Regex,
}

impl Category {
    fn new(pattern: &str) -> Self {
        let regex = Regex::new(pattern).expect("the pattern is right");
        let mut low = vec![0; 1 << 10];
        let mut bytes = [0; 4];
        for char in (0..0x1_0000).filter_map(char::from_u32) {
            // Asking the regex for every character would take long.
            if (char.is_numeric() || is_combining_mark(char)) && regex.is_match(char.encode_utf8(&mut bytes)) {
                low[char as usize / 64] |= 1 << (char as usize % 64);
            }
        }
        Self { low, regex }
    }

    fn has(&self, char: char) -> bool {
        match self.low.get(char as usize / 64) {
            Some(bits) => bits >> (char as usize % 64) & 1 == 1,
            None => self.regex.is_match(char.encode_utf8(&mut [0; 4])),
        }
    }
}

static MARKS: LazyLock<Category> = LazyLock::new(|| Category::new(r"^\p{Mn}$"));
static DIGITS: LazyLock<Category> = LazyLock::new(|| Category::new(r"^\p{Nd}$"));

/// Whether a character is a decimal digit of any script.
pub(super) fn is_digit(char: char) -> bool {
    char.is_ascii_digit() || (!char.is_ascii() && char.is_numeric() && DIGITS.has(char))
}

/// Whether a character is a mark that takes no room of its own.
pub(super) fn is_mark(char: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&char) || (is_combining_mark(char) && MARKS.has(char))
}
