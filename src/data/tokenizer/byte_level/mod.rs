//! Byte-level byte-pair encoding (Radford et al. 2019, "Language models are unsupervised multitask learners", 2.2): text is cut
//! by a pattern, and bytes are merged inside words.

mod alphabet;
mod pattern;
mod tiktoken;

pub(super) use alphabet::{bytes_of, shown};
pub use pattern::Pattern;
pub(super) use tiktoken::{Ranks, looks_like_ranks};

use super::{
    hash::Map,
    json,
    merges::Merges,
    pieces::{BOS, FIRST_BYTE, FIRST_PIECE, SPECIAL},
    seen::Seen,
};
use crate::settings::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// What makes a byte-level tokenizer.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// Bytes of the tokens by id; empty for special tokens and holes.
    pub tokens: Vec<Box<[u8]>>,
    /// Special tokens, the one that opens documents first.
    pub special: Vec<(String, u32)>,
    /// Pairs by rank.
    pub ranked: Vec<(u32, u32)>,
    /// Whether a word that is a token is one, whatever the merges say.
    pub whole: bool,
    pub pattern: Pattern,
}

/// Vocabulary, merges and the pattern.
#[derive(Clone, Debug)]
pub(super) struct ByteLevel {
    parts: Parts,
    bytes: [u32; 256],
    merges: Merges,
    whole: Map<Box<[u8]>, u32>,
}

impl ByteLevel {
    /// A tokenizer, or the reason why there is none.
    pub(super) fn new(parts: Parts, merges: Option<Merges>) -> Result<Self, String> {
        let mut ids: Map<&[u8], u32> = Map::default();
        for (id, token) in parts.tokens.iter().enumerate().filter(|(_, token)| !token.is_empty()) {
            ids.entry(token).or_insert(id as u32);
        }
        let mut bytes = [0; 256];
        for byte in 0..=255_u8 {
            bytes[byte as usize] = *ids.get(&[byte][..]).ok_or_else(|| format!("the byte 0x{byte:02X} has no token"))?;
        }
        let merges = match merges {
            Some(merges) => merges,
            None => {
                let mut table = Merges::default();
                let mut joined = Vec::new();
                for (rank, &(left, right)) in parts.ranked.iter().enumerate() {
                    joined.clear();
                    for side in [left, right] {
                        joined.extend_from_slice(parts.tokens.get(side as usize).ok_or("a merge of a token that is not there")?);
                    }
                    let merged = *ids.get(&joined[..]).ok_or_else(|| format!("merge {rank} makes no token"))?;
                    table.add(left, right, rank as u32, merged);
                }
                table
            }
        };
        let whole = if parts.whole { ids.iter().map(|(token, id)| ((*token).into(), *id)).collect() } else { Map::default() };
        Ok(Self { bytes, merges, whole, parts })
    }

    /// A tokenizer of our own layout: special tokens, bytes, merges.
    pub(super) fn own(merges: Vec<(u32, u32)>, pattern: Pattern) -> Result<Self, String> {
        let special = [1, 0, 2].map(|id| (SPECIAL[id as usize].to_string(), id)).to_vec();
        let mut tokens: Vec<Box<[u8]>> = vec![Box::default(); SPECIAL.len()];
        tokens.extend((0..=255_u8).map(|byte| Box::from([byte])));
        for &(left, right) in &merges {
            let part = |id: u32| tokens.get(id as usize).filter(|token| !token.is_empty()).ok_or("a merge of a later token");
            let joined = [&**part(left)?, &**part(right)?].concat();
            tokens.push(joined.into());
        }
        Self::new(Parts { tokens, special, ranked: merges, whole: false, pattern }, None)
    }

    pub(super) fn encode(&self, text: &str, seen: &mut Seen, ids: &mut Vec<u32>) {
        self.parts.pattern.split(text, |word| {
            seen.append(word.as_bytes(), ids, |ids| {
                if let Some(&id) = self.whole.get(word.as_bytes()) {
                    return ids.push(id);
                }
                let from = ids.len();
                self.spell(word.as_bytes(), ids);
                self.merges.merge(ids, from);
            });
        });
    }

    /// The tokens of single bytes.
    pub(super) fn spell(&self, bytes: &[u8], ids: &mut Vec<u32>) {
        ids.extend(bytes.iter().map(|&byte| self.bytes[byte as usize]));
    }

    /// The bytes of a token; none for special tokens.
    pub(super) fn bytes_of(&self, id: u32) -> &[u8] {
        self.parts.tokens.get(id as usize).map_or(&[], |token| token)
    }

    pub(super) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 * ids.len());
        ids.iter().for_each(|&id| out.extend_from_slice(self.bytes_of(id)));
        out
    }

    pub(super) fn vocab(&self) -> usize {
        let special = self.parts.special.iter().map(|(_, id)| *id as usize + 1).max().unwrap_or(0);
        self.parts.tokens.len().max(special)
    }

    pub(super) fn bos(&self) -> u32 {
        self.parts.special.first().map_or(BOS, |(_, id)| *id)
    }

    pub(super) fn special(&self) -> &[(String, u32)] {
        &self.parts.special
    }

    /// The id of a token by its text in the files: bytes as letters, special tokens as they are.
    pub(super) fn id_of(&self, name: &str) -> Option<u32> {
        let special = self.parts.special.iter().find(|(text, _)| text == name).map(|(_, id)| *id);
        special.or_else(|| {
            let bytes = bytes_of(name)?;
            self.parts.tokens.iter().position(|token| **token == bytes[..]).map(|id| id as u32)
        })
    }

    /// Ids of a text in which special tokens count as such.
    pub(super) fn encode_marked(&self, text: &str, ids: &mut Vec<u32>) {
        let (mut rest, mut seen) = (text, Seen::default());
        loop {
            let first =
                self.parts.special.iter().filter_map(|(name, id)| Some((rest.find(name.as_str())?, std::cmp::Reverse(name.len()), *id)));
            let Some((at, length, id)) = first.min() else { break };
            self.encode(&rest[..at], &mut seen, ids);
            ids.push(id);
            rest = &rest[at + length.0..];
        }
        self.encode(rest, &mut seen, ids);
    }

    /// This tokenizer in the format of the `tokenizers` library.
    pub(super) fn to_json(&self) -> String {
        json::byte_level(&self.parts)
    }

    /// Reads what [`ByteLevel::to_json`] wrote for our own layout.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let value = json::read(path)?;
        let parts = || -> Option<Self> {
            let model = value.get("model")?;
            let ids = model.get("vocab")?.as_object()?;
            let id = |text: &Value| u32::try_from(ids.get(text.as_str()?)?.as_u64()?).ok();
            let merge = |pair: &Value| Some((id(pair.get(0)?)?, id(pair.get(1)?)?));
            let merges: Option<Vec<(u32, u32)>> = model.get("merges")?.as_array()?.iter().map(merge).collect();
            Self::own(merges?, Pattern::of_json(&value)?).ok()
        };
        parts().ok_or_else(|| json::foreign(path))
    }

    /// Reads a file of ranks as `tiktoken` has them.
    pub(super) fn from_ranks(bytes: &[u8], path: &Path) -> Result<Self> {
        Ranks::read(bytes).and_then(Ranks::tokenizer).map_err(|reason| {
            Error::input(path.display(), reason, "name a file of ranks as tiktoken has them: lines of a token in base64 and its rank")
        })
    }
}

const _: () = assert!(FIRST_BYTE as usize == SPECIAL.len() && FIRST_PIECE == SPECIAL.len() + 256);

#[cfg(test)]
mod tests;
