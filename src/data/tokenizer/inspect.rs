//! What a vocabulary holds, and what a tokenizer makes of a text.

use super::Tokenizer;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::LazyLock};

/// Statistics of a vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// What the tokenizer is, see [`Tokenizer::kind`].
    pub kind: String,
    /// One more than the highest id.
    pub vocab: usize,
    /// Special tokens with their ids.
    pub special: Vec<(String, u32)>,
    /// The token that opens every document.
    pub bos: u32,
    /// Ids that spell a byte, or are no whole characters.
    pub fallback: usize,
    /// Ids that stand for nothing, special tokens left out: holes.
    pub empty: usize,
    /// Pieces of one character.
    pub characters: usize,
    /// Pieces that begin with a space.
    pub opening: usize,
    /// Pieces by their length in characters.
    pub lengths: BTreeMap<usize, usize>,
    /// Mean length of pieces in characters.
    pub mean_length: f64,
    /// Pieces by script: the first of their characters that has one; `Common` for digits, marks and spaces.
    pub scripts: BTreeMap<String, usize>,
    /// Pieces of only spaces, only digits, and no letters or digits at all.
    pub spaces: usize,
    /// Pieces of only digits.
    pub digits: usize,
    /// Pieces of only marks.
    pub marks: usize,
    /// The longest pieces with their ids, longest first.
    pub longest: Vec<(String, u32)>,
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its id.
    pub id: u32,
    /// Its bytes as text, what is no UTF-8 as `<0xNN>`; its name if it is special.
    pub text: String,
}

/// Scripts that are told apart, by their Unicode names.
static SCRIPTS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let names = [
        "Latin",
        "Cyrillic",
        "Greek",
        "Han",
        "Hiragana",
        "Katakana",
        "Hangul",
        "Arabic",
        "Hebrew",
        "Devanagari",
        "Bengali",
        "Tamil",
        "Telugu",
        "Thai",
        "Georgian",
        "Armenian",
        "Ethiopic",
        "Khmer",
        "Gujarati",
        "Kannada",
        "Malayalam",
        "Sinhala",
        "Myanmar",
        "Lao",
    ];
    names.iter().filter_map(|name| Some((*name, Regex::new(&format!(r"^\p{{{name}}}")).ok()?))).collect()
});

fn script(piece: &str) -> &'static str {
    let mut starts = piece.char_indices().filter(|(_, c)| c.is_alphabetic());
    let Some((at, c)) = starts.next() else { return "Common" };
    if c.is_ascii() {
        return "Latin";
    }
    SCRIPTS.iter().find(|(_, script)| script.is_match(&piece[at..])).map_or("Other", |(name, _)| name)
}

impl Tokenizer {
    /// Statistics of the vocabulary, with its `most` longest pieces.
    pub fn inspect(&self, most: usize) -> Inspection {
        let mut found =
            Inspection { kind: self.kind().into(), vocab: self.vocab(), special: self.special(), bos: self.bos(), ..Inspection::default() };
        let mut longest: Vec<(usize, u32, String)> = Vec::new();
        let (mut sum, mut count) = (0, 0_usize);
        for id in (0..self.vocab() as u32).filter(|id| !found.special.iter().any(|(_, special)| special == id)).collect::<Vec<_>>() {
            let bytes = self.token_bytes(id);
            if self.is_fallback(id) {
                found.fallback += 1;
                continue;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let length = text.chars().count();
            if length == 0 {
                found.empty += 1;
                continue;
            }
            (sum, count) = (sum + length, count + 1);
            found.characters += usize::from(length == 1);
            found.opening += usize::from(text.starts_with(' '));
            *found.lengths.entry(length).or_default() += 1;
            *found.scripts.entry(script(&text).into()).or_default() += 1;
            let word = text.trim();
            if word.is_empty() {
                found.spaces += 1;
            } else if word.chars().all(char::is_numeric) {
                found.digits += 1;
            } else if !word.chars().any(char::is_alphanumeric) {
                found.marks += 1;
            }
            longest.push((length, id, text));
        }
        found.mean_length = if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        longest.sort_by_key(|&(length, id, _)| (std::cmp::Reverse(length), id));
        found.longest = longest.into_iter().take(most).map(|(_, id, text)| (text, id)).collect();
        found
    }

    /// The tokens of a text.
    pub fn show(&self, text: &str) -> Vec<Shown> {
        let special = self.special();
        let shown = |id: u32| match special.iter().find(|(_, special)| *special == id) {
            Some((name, _)) => name.clone(),
            None => readable(&self.token_bytes(id)),
        };
        self.encode(text).into_iter().map(|id| Shown { id, text: shown(id) }).collect()
    }
}

fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("<0x{byte:02X}>")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{ModelType, TrainerConfig};
    use super::*;

    #[test]
    fn a_small_vocabulary_is_counted() {
        let text = "привет привет hello hello ==== 1 1    x\n".repeat(40);
        let config = TrainerConfig { vocab_size: 320, ..TrainerConfig::default() };
        let tokenizer = Tokenizer::train(&config, &[text]).unwrap();
        let found = tokenizer.inspect(2);
        assert_eq!((found.kind.as_str(), found.fallback, found.empty, found.bos, found.special.len()), ("bpe", 256, 0, 1, 3));
        assert_eq!(found.lengths.values().sum::<usize>(), tokenizer.vocab() - 259);
        assert_eq!(found.lengths[&1], found.characters);
        assert_eq!(found.longest[0].0, " привет");
        assert!(found.scripts["Cyrillic"] > 5 && found.scripts["Latin"] > 4 && found.scripts["Common"] > 3, "{:?}", found.scripts);
        assert!(found.spaces > 1 && found.digits == 1 && found.marks > 1);
        let shown = tokenizer.show("hello é");
        assert_eq!(shown.iter().map(|token| token.text.as_str()).collect::<Vec<_>>(), [" hello", " ", "<0xC3>", "<0xA9>"]);
        let bytes = Tokenizer::train::<&str>(&TrainerConfig { model_type: ModelType::Bytes, ..config }, &[]).unwrap();
        assert_eq!((bytes.inspect(3).vocab, bytes.inspect(3).longest.len()), (259, 0));
    }
}
