//! Scripts of characters, and which characters may stand in one piece.

use super::{
    hash::Map,
    words::{Cutting, digit},
};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, pre_tokenizers::unicode_scripts::UnicodeScripts};

/// Goes with any script.
const ANY: u16 = u16::MAX;
/// Takes the script of the character before: accents, joiners, variation selectors.
const INHERITED: u16 = u16::MAX - 1;

/// Numbers of the scripts of some characters: equal for characters of one script.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    numbers: Map<u32, u16>,
}

impl Scripts {
    pub(super) fn of(characters: impl Iterator<Item = char>) -> Self {
        let mut numbers = Map::default();
        // A character of each script met so far, the last one met first.
        let mut examples: Vec<(char, u16)> = vec![('a', 1), ('!', 0), ('\u{301}', INHERITED)];
        for c in characters {
            let number = match examples.iter().position(|(example, _)| together(*example, c)) {
                Some(place) => {
                    let found = examples.remove(place);
                    examples.insert(0, found);
                    found.1
                }
                None => {
                    let number = examples.len() as u16;
                    examples.insert(0, (c, number));
                    number
                }
            };
            numbers.insert(c as u32, number);
        }
        Self { numbers }
    }

    fn script(&self, c: char) -> u16 {
        match c {
            'a'..='z' | 'A'..='Z' => 1,
            _ if c.is_ascii() => 0,
            _ => self.numbers.get(&(c as u32)).copied().unwrap_or(0),
        }
    }

    /// Whether characters may make one piece (`IsValidSentencePiece` of google/sentencepiece@2734490
    /// `src/trainer_interface.cc`, a space written as one).
    pub(super) fn valid(&self, piece: impl ExactSizeIterator<Item = char> + Clone, cutting: &Cutting) -> bool {
        let count = piece.len();
        let only_spaces = cutting.only_spaces && piece.clone().all(|c| c == ' ');
        let mut before = ANY;
        for (at, c) in piece.enumerate() {
            if c == ' ' {
                let inside = if cutting.whitespace { at > 0 } else { at > 0 && at == count - 1 };
                if inside && !only_spaces {
                    return false;
                }
                continue;
            }
            if cutting.digits && count > 1 && digit(c) {
                return false;
            }
            let script = match self.script(c) {
                _ if !cutting.number && digit(c) => ANY,
                INHERITED => before,
                script => script,
            };
            if cutting.scripts && script != ANY && before != ANY && script != before {
                return false;
            }
            before = script;
        }
        true
    }
}

/// Whether the `tokenizers` library sees two characters as of one script.
fn together(a: char, b: char) -> bool {
    let mut parts = PreTokenizedString::from([a, b].iter().collect::<String>());
    UnicodeScripts::new().pre_tokenize(&mut parts).is_ok() && parts.get_splits(OffsetReferential::Original, OffsetType::Byte).len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(piece: &str, cutting: Cutting) -> bool {
        let chars: Vec<char> = piece.chars().collect();
        Scripts::of(chars.iter().copied()).valid(chars.iter().copied(), &cutting)
    }

    #[test]
    fn pieces_keep_to_one_script() {
        let llama = Cutting::default();
        for piece in ["hello", " the", "    ", "1", " -=", "日本ごカー", "e\u{301}t", " Привет", "\u{200D}", "½!", "ї\u{301}"]
        {
            assert!(valid(piece, llama), "{piece:?}");
        }
        for piece in ["a-", "aб", "12", " 1", "a b", "a ", "  a", "日b", "x１"] {
            assert!(!valid(piece, llama), "{piece:?}");
        }
    }

    #[test]
    fn every_rule_can_be_switched() {
        let llama = Cutting::default();
        assert!(valid("a-б", Cutting { scripts: false, ..llama }));
        assert!(valid(" 12.", Cutting { digits: false, ..llama }) && !valid("a1", Cutting { digits: false, ..llama }));
        assert!(valid("a1-", Cutting { digits: false, number: false, ..llama }));
        assert!(!valid("  ", Cutting { only_spaces: false, ..llama }));
        let open = Cutting { whitespace: false, ..llama };
        assert!(valid("a b", open) && !valid("a ", open) && valid("   ", open));
    }
}
