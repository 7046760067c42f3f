//! SentencePiece's normalisation: a table of replacements (`nmt_nfkc` and others, precompiled into the model), spaces as ▁
//! (google/sentencepiece@2734490 `src/normalizer.cc`).

use super::{super::trie::Trie, model::Model};

/// The sign for a space.
pub(super) const SPACE: char = '▁';

/// A precompiled table: a double array in the format of Darts, and the replacements, each ended by a zero.
#[derive(Clone, Debug)]
struct Charsmap {
    units: Vec<u32>,
    texts: Vec<u8>,
}

impl Charsmap {
    fn read(blob: &[u8]) -> Result<Self, String> {
        let broken = || "its table of replacements is broken".to_string();
        let (size, rest) = blob.split_first_chunk::<4>().ok_or_else(broken)?;
        let size = u32::from_le_bytes(*size) as usize;
        if size == 0 || !size.is_multiple_of(4) || size >= rest.len() {
            return Err(broken());
        }
        let (units, texts) = rest.split_at(size);
        let units = units.chunks_exact(4).map(|unit| u32::from_le_bytes(unit.try_into().expect("four bytes"))).collect();
        Ok(Self { units, texts: texts.to_vec() })
    }

    /// The longest rule that a text begins with: its length in bytes and the replacement.
    fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let offset = |unit: u32| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let mut longest = None;
        let mut node = offset(*self.units.first()?) as usize;
        for (at, &byte) in text.as_bytes().iter().enumerate() {
            node ^= byte as usize;
            let Some(&unit) = self.units.get(node) else { break };
            if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                break;
            }
            node ^= offset(unit) as usize;
            if unit >> 8 & 1 == 1 {
                let Some(&value) = self.units.get(node) else { break };
                longest = Some((at + 1, (value & !(1 << 31)) as usize));
            }
        }
        let (length, place) = longest?;
        let rest = self.texts.get(place..)?;
        let replacement = std::str::from_utf8(rest.split(|&byte| byte == 0).next()?).ok()?;
        text.is_char_boundary(length).then_some((length, replacement))
    }
}

/// How text is written before pieces are looked for.
#[derive(Clone, Debug)]
pub(super) struct Normalizer {
    charsmap: Option<Charsmap>,
    prefix: bool,
    suffix: bool,
    remove_extra_spaces: bool,
}

impl Normalizer {
    pub(super) fn new(model: &Model) -> Result<Self, String> {
        let charsmap = if model.charsmap.is_empty() { None } else { Some(Charsmap::read(&model.charsmap)?) };
        Ok(Self { charsmap, prefix: model.prefix, suffix: model.suffix, remove_extra_spaces: model.remove_extra_spaces })
    }

    /// Whether decoding takes one space from the front.
    pub(super) fn opens_with_space(&self) -> bool {
        self.prefix || self.remove_extra_spaces
    }

    /// What the text begins with, as it is replaced, and how many bytes that stands for.
    fn next<'a>(&'a self, text: &'a str, user: Option<&Trie>) -> (&'a str, usize) {
        if let Some((length, _)) = user.and_then(|user| user.longest(text.as_bytes())) {
            return (&text[..length], length);
        }
        if let Some((length, replacement)) = self.charsmap.as_ref().and_then(|map| map.longest(text)) {
            return (replacement, length);
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (&text[..length], length)
    }

    /// The normalised text; `user` knows the symbols that are left as they are.
    pub(super) fn normalize(&self, text: &str, user: Option<&Trie>) -> String {
        if text.is_empty() {
            return String::new();
        }
        if self.charsmap.is_none() && user.is_none() && !self.remove_extra_spaces && !self.suffix {
            let mut out = String::with_capacity(text.len() * 5 / 4 + 3);
            if self.prefix {
                out.push(SPACE);
            }
            for (index, part) in text.split(' ').enumerate() {
                if index > 0 {
                    out.push(SPACE);
                }
                out.push_str(part);
            }
            return out;
        }
        let mut rest = text;
        if self.remove_extra_spaces {
            while !rest.is_empty() {
                let (shown, length) = self.next(rest, user);
                if shown != " " {
                    break;
                }
                rest = &rest[length..];
            }
        }
        if rest.is_empty() {
            return String::new();
        }
        let mut out = String::with_capacity(text.len() * 5 / 4 + 3);
        if self.prefix && !self.suffix {
            out.push(SPACE);
        }
        let mut after_space = self.remove_extra_spaces;
        while !rest.is_empty() {
            let (mut shown, length) = self.next(rest, user);
            if after_space {
                shown = shown.trim_start_matches(' ');
            }
            if !shown.is_empty() {
                out.extend(shown.chars().map(|c| if c == ' ' { SPACE } else { c }));
                after_space = shown.ends_with(' ');
            }
            after_space &= self.remove_extra_spaces;
            rest = &rest[length..];
        }
        if self.remove_extra_spaces {
            out.truncate(out.trim_end_matches(SPACE).len());
        }
        if self.prefix && self.suffix {
            out.push(SPACE);
        }
        out
    }
}
